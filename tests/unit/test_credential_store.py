"""The store of credentials: all or nothing, never over another's change; paged and counted."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from signer.algorithms import KeyKind
from signer.errors import ChangedMeanwhile, IdTaken
from signer.journal import CredentialChange, CredentialFilter, CredentialStore, Journal, NoteKind
from signer.model import ActivationMode, CredentialState, KeptCredential, KeptKey, KeyStorage
from tests.support import pki
from tests.support.stores import Store

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ACTIVE, WAITING = CredentialState.ACTIVE, CredentialState.AWAITING_CERTIFICATE


@pytest.fixture
async def journal(store: Store) -> AsyncIterator[Journal]:
    made = Journal(store.url)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def credentials(journal: Journal) -> CredentialStore:
    return CredentialStore(journal)


def kept(name: str, *, school: str = "1", until: datetime | None = None, **changes: object) -> KeptCredential:
    key = KeptKey(
        name,
        school,
        f"p-{name}",
        KeyStorage.WRAPPED,
        KeyKind.EC_P256,
        hashlib.sha256(name.encode()).digest()[:16],
        b"public " + name.encode(),
        b"wrapped",
        b"seal",
    )
    certificate = (
        pki.issue(name, pki.ec_key(), pki.authority(), not_before=NOW - timedelta(days=9999), not_after=until).der if until else b""
    )
    made = KeptCredential(key, "token", ACTIVE if until else WAITING, display_name="Cô Lan", subject=b"name", certificate=certificate)
    return replace(made, **changes)  # type: ignore[arg-type]


async def test_what_is_kept_comes_back_as_it_was(credentials: CredentialStore) -> None:
    all_of_it = kept("a", until=NOW, renews="b", renewed_by="c", usable_until=NOW + timedelta(microseconds=7))
    await credentials.revise("operator", added=[all_of_it, kept("b")])
    assert await credentials.find("a") == all_of_it
    assert await credentials.find_all(["b", "a", "nobody"]) == {"a": all_of_it, "b": kept("b")}
    assert await credentials.of_public_keys([b"public b", b"public nobody"]) == {b"public b": [kept("b")]}
    assert await credentials.find("nobody") is None


async def test_a_taken_id_or_a_change_made_meanwhile_refuses_the_whole_call(credentials: CredentialStore) -> None:
    first = kept("a")
    await credentials.revise("operator", added=[first])
    disabled = replace(first, state=CredentialState.DISABLED)
    with pytest.raises(IdTaken, match="'a'"):
        await credentials.revise("operator", added=[kept("new"), kept("a")])
    change = CredentialChange(NoteKind.CREDENTIAL_STATE_SET, disabled, first)
    with pytest.raises(ChangedMeanwhile):
        await credentials.revise("operator", added=[kept("new")], changes=[change])
    assert await credentials.find_all(["a", "new"]) == {"a": first}
    await credentials.revise("operator", changes=[CredentialChange(NoteKind.CREDENTIAL_STATE_SET, first, disabled)])
    assert await credentials.find("a") == disabled


async def test_pages_hold_each_row_once_in_order_whatever_is_asked_for(credentials: CredentialStore) -> None:
    names = [f"t{number:02}" for number in range(23)]
    await credentials.revise("operator", added=[kept(name, school=str(number % 2)) for number, name in enumerate(names)])
    found: list[str] = []
    while page := await credentials.page(CredentialFilter({"1"}, after=found[-1] if found else ""), 4):
        found += [one.id for one in page]
    assert found == names[1::2]
    assert [one.id for one in await credentials.page(CredentialFilter(person_id="p-t07"), 4)] == ["t07"]
    assert await credentials.page(CredentialFilter(state=ACTIVE), 4) == []


async def test_ends_are_counted_by_class_and_only_of_what_is_in_use(credentials: CredentialStore) -> None:
    ends = {"gone": -1, "week": 6, "week-2": 7, "month": 20, "year": 365}
    rows = [kept(name, until=NOW + timedelta(days=days)) for name, days in ends.items()]
    rows += [kept("waits"), kept("renewed", until=NOW, renewed_by="x"), kept("off", until=NOW, state=CredentialState.DISABLED)]
    bounds = [NOW + timedelta(days=days) for days in (0, 7, 30, 90)]
    assert (await credentials.count_ends(bounds)).first is None
    await credentials.revise("operator", added=rows)
    counted = await credentials.count_ends(bounds)
    assert counted.counts == (1, 2, 1, 0, 1)
    assert counted.first == NOW - timedelta(days=1)


async def test_a_persons_key_stays_theirs_to_allow_whatever_happens_to_its_row(store: Store) -> None:
    theirs, said, schools = kept("theirs", activation=ActivationMode.SAD), kept("said"), kept("schools")
    schools = replace(schools, key=replace(schools.key, person_id=""))
    journal = Journal(store.url)
    await journal.start()
    await CredentialStore(journal).revise("operator", added=[theirs, said, schools])
    await journal.stop()
    assert await _activations(store) == {"theirs": ActivationMode.SAD, "said": ActivationMode.NONE, "schools": ActivationMode.NONE}
    store.tamper("DELETE FROM credential_activation")
    assert await _activations(store) == {"theirs": ActivationMode.SAD, "said": ActivationMode.SAD, "schools": ActivationMode.NONE}


async def _activations(store: Store) -> dict[str, ActivationMode]:
    journal = Journal(store.url)
    await journal.start()
    try:
        return {kept.id: kept.activation for kept in await CredentialStore(journal).page(CredentialFilter(), 100)}
    finally:
        await journal.stop()
