"""Clients and schools between their rows and the callers' table: in force once they are durable, and never before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from signer.access.callers import CallerTable
from signer.access.settings import ClientSettings
from signer.control.clients import Clients, configured_schools
from signer.errors import ChangedMeanwhile, IdTaken, JournalUnavailable
from signer.journal import ClientStore, Journal, QuotaStore, SchoolStore
from signer.journal.entries import decode
from signer.people.client import Client, ClientCertificate, ClientKind, Quota, QuotaSubject, School, SchoolTier, Window
from signer.store import open_engine
from tests.support.stores import Store

NOW = datetime(2026, 5, 29, tzinfo=UTC)
CONFIGURED = ClientSettings("configured", common_name="x", schools=("1",))


class Desk:
    """The rooms on one database."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.callers = CallerTable([CONFIGURED])
        self.clients = Clients(
            ClientStore(journal),
            SchoolStore(journal),
            self.callers,
            lambda: configured_schools([CONFIGURED], ["2", ""], {"1": "MA1"}),
            {"1": SchoolTier.PRIMARY},
        )
        self.changes = 0
        self.clients.call_on_change(self.count)

    def count(self) -> None:
        self.changes += 1


@pytest.fixture
def url(store: Store) -> str:
    return store.url


@pytest.fixture
async def desk(url: str) -> AsyncIterator[Desk]:
    journal = Journal(url)
    await journal.start()
    made = Desk(journal)
    await made.clients.load()
    yield made
    await journal.stop()


def wanted(name: str = "c", *prints: str, **changes: Any) -> Client:
    certificates = tuple(ClientCertificate(each * 64) for each in prints or ("a",))
    return replace(Client(name, ClientKind.EDGE, "Tên", frozenset({"1", "2"}), certificates), **changes)


def notes(url: str) -> list[dict[str, Any]]:
    with open_engine(url, must_exist=True).connect() as connection:
        rows = connection.exec_driver_sql("SELECT body FROM journal_entry WHERE kind = 'note' ORDER BY entry_index").all()
    return [decode(row[0])["detail"] for row in rows]


async def test_what_is_kept_is_there_after_a_start_as_it_was(desk: Desk) -> None:
    window = Window(NOW, NOW + timedelta(days=1, microseconds=3))
    all_of_it = wanted("c", may_sign_digests=True, disabled=True)
    all_of_it = replace(all_of_it, certificates=(*all_of_it.certificates, ClientCertificate("b" * 64, window, revoked=True)))
    kept = await desk.clients.create_client("operator", all_of_it)
    school = await desk.clients.create_school("operator", School("3", "MA3", "TH Ba", 5, disabled=True))
    again = Desk(desk.journal)
    await again.clients.load()
    assert again.callers.kept == {"c": kept}
    assert replace(kept, etag="") == all_of_it
    assert school in again.clients.schools()


async def test_nothing_is_in_force_that_is_not_durable(desk: Desk) -> None:
    kept = await desk.clients.create_client("operator", wanted())
    await desk.journal.stop()
    for change in (
        desk.clients.update_client("operator", replace(kept, disabled=True)),
        desk.clients.create_client("operator", wanted("d", "d")),
        desk.clients.create_school("operator", School("1", "other", weight=9)),
    ):
        with pytest.raises(JournalUnavailable):
            await change
    assert desk.callers.kept == {"c": kept}
    assert (desk.clients.code_of("1"), desk.clients.weight("1"), desk.changes) == ("MA1", 1, 1)


async def test_a_change_is_from_what_was_read_and_a_certificate_is_one_clients(desk: Desk) -> None:
    first = await desk.clients.create_client("operator", wanted())
    second = await desk.clients.update_client("operator", replace(first, display_name="Khác"))
    with pytest.raises(ChangedMeanwhile):
        await desk.clients.update_client("operator", replace(first, disabled=True))
    with pytest.raises(IdTaken):
        await desk.clients.create_client("operator", wanted("thief", "b", "a"))
    assert desk.callers.kept == {"c": second}
    freed = await desk.clients.update_client("operator", replace(second, certificates=()))
    assert (await desk.clients.create_client("operator", wanted("heir", "b", "a"))).etag == "1"
    assert freed.etag == "3"


async def test_two_daemons_of_one_row_do_not_overwrite_one_another(desk: Desk) -> None:
    """The rows themselves refuse, whatever a daemon has in memory."""
    kept = await desk.clients.create_client("operator", wanted())
    behind = Desk(desk.journal)
    await behind.clients.load()
    await desk.clients.update_client("operator", replace(kept, disabled=True))
    with pytest.raises(ChangedMeanwhile):
        await behind.clients.update_client("operator", replace(kept, display_name="late"))
    with pytest.raises(IdTaken):
        await Desk(desk.journal).clients.create_client("operator", wanted())


async def test_the_journal_says_who_changed_what(url: str, desk: Desk) -> None:
    kept = await desk.clients.create_client("ann", wanted("c", "a", "b"))
    revoked = replace(kept.certificates[0], revoked=True)
    changed = replace(kept, school_ids=frozenset({"2"}), certificates=(revoked, ClientCertificate("e" * 64)))
    await desk.clients.update_client("binh", changed)
    assert notes(url) == [
        {
            "by": "ann",
            "certificates": 2,
            "certificates_added": f"{'a' * 64} {'b' * 64}",
            "digests": 0,
            "disabled": 0,
            "kind": "edge",
            "schools": 2,
            "schools_added": "1 2",
        },
        {
            "by": "binh",
            "certificates": 2,
            "certificates_added": "e" * 64,
            "certificates_removed": "b" * 64,
            "certificates_revoked": "a" * 64,
            "digests": 0,
            "disabled": 0,
            "kind": "edge",
            "schools": 1,
            "schools_removed": "1",
        },
    ]


async def test_what_operators_say_of_a_school_counts_before_the_configuration(desk: Desk) -> None:
    assert [desk.clients.code_of(name) for name in ("1", "2", "unknown")] == ["MA1", "2", "unknown"]
    assert [(school.id, school.code, school.etag) for school in desk.clients.schools()] == [("1", "MA1", ""), ("2", "2", "")]
    school = await desk.clients.create_school("operator", School("1", "NEW", weight=3))
    assert (desk.clients.code_of("1"), desk.clients.weight("1"), desk.clients.weight("2")) == ("NEW", 3, 1)
    assert desk.clients.tier("1") is SchoolTier.PRIMARY, "as the configuration says, as long as nobody says otherwise"
    school = await desk.clients.update_school("operator", replace(school, tier=SchoolTier.OTHER))
    assert [desk.clients.tier(each) for each in ("1", "2")] == [SchoolTier.OTHER, SchoolTier.UNKNOWN]
    await desk.clients.refresh()
    assert desk.clients.tier("1") is SchoolTier.OTHER, "and it is kept"
    await desk.clients.update_school("operator", replace(school, code="NEWER"))
    assert desk.clients.code_of("1") == "NEWER"


async def test_days_are_added_up_and_last_calls_kept(desk: Desk) -> None:
    store, of = QuotaStore(desk.journal), (QuotaSubject.CLIENT, "c")
    await store.add_used({(of, 10): 3, (of, 11): 1})
    await store.add_used({(of, 10): 4, (of, 11): -1})
    assert (await store.used_on(10), await store.used_on(11), await store.used_on(12)) == ({of: 7}, {of: 0}, {})
    await store.add_used({(of, 500): 1})
    assert await store.used_on(10) == {}, "of more than a year ago"
    for limit in (1, 2):
        await store.keep("operator", Quota(*of, signatures_per_day_max=limit))
    assert await store.all() == [Quota(*of, signatures_per_day_max=2)]
    desk.callers.called["c"] = NOW
    await desk.clients.save_calls()
    again = Desk(desk.journal)
    await again.clients.load()
    assert again.clients.last_call("c") == NOW
