from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy import select, update

from signer.algorithms import SignatureAlgorithm
from signer.errors import (
    ConfigError,
    InternalError,
    InvalidArgument,
    JournalDamaged,
    JournalUnavailable,
    RequestIdReused,
    SignatureInProgress,
    SignatureSettled,
)
from signer.formats.merkle import EMPTY_ROOT
from signer.journal import Accounting, ChainReport, Intent, Journal, NoteKind, Outcome, OutcomeKind, SignatureState, verify_chain
from signer.journal.entries import decode
from signer.model import RecordPlan, Role, SignatureKey
from signer.store import open_engine
from signer.store.tables import journal_entry, material
from tests.support.stores import Store

CONTENT = sha256(b"document and plan").digest()
SIGNATURE = sha256(b"signature").digest()
MATERIAL = b"\x30\x82\x0b\xb8" + bytes(range(256)) * 12


def key(document_id: str = "pupil-1", request_id: str = "class-5A") -> SignatureKey:
    return SignatureKey("school-1", request_id, document_id)


def intent(of: SignatureKey, fingerprint: bytes = CONTENT) -> Intent:
    algorithm = SignatureAlgorithm.RSA_PKCS1_SHA256
    return Intent(of, fingerprint, "vnedu", "principal", "5a01", algorithm, sha256(b"digest").digest(), "pades/b-t")


def outcome(of: SignatureKey, attempt: int = 1, kind: OutcomeKind = OutcomeKind.RELEASED, material: bytes = MATERIAL) -> Outcome:
    if kind in {OutcomeKind.RELEASED, OutcomeKind.PARKED}:
        return Outcome(of, attempt, kind, material, SIGNATURE)
    return Outcome(of, attempt, kind, detail="TOKEN_TIMED_OUT")


@pytest.fixture
async def journal(store: Store) -> AsyncIterator[Journal]:
    journal = Journal(store.url, busy_timeout_s=store.busy_timeout_s)
    await journal.start()
    yield journal
    await journal.stop()


def entries(store: Store) -> list[dict[str, object]]:
    with open_engine(store.url, must_exist=True).connect() as connection:
        verify_chain(connection)
        return [decode(body) for body in connection.execute(select(journal_entry.c.body).order_by(journal_entry.c.entry_index)).scalars()]


async def test_what_was_released_is_returned_to_every_repeat(journal: Journal) -> None:
    assert await journal.look_up([key()]) == {}
    assert await journal.intend([intent(key())]) == [1]
    await journal.settle([outcome(key())])
    stored = (await journal.look_up([key(), key("unknown")]))[key()]
    assert (stored.state, stored.attempts, stored.fingerprint, stored.material) == (SignatureState.RELEASED, 1, CONTENT, MATERIAL)
    assert stored.material_sha256 == sha256(MATERIAL).digest()


async def test_a_large_call_counts_the_attempts_before_it_and_begins_what_is_new(journal: Journal) -> None:
    known = [key(f"pupil-{number}") for number in range(25)]
    assert await journal.intend([intent(each) for each in known]) == [1] * 25
    await journal.settle([outcome(each, kind=OutcomeKind.FAILED) for each in known])
    more = [*known, key("pupil-25"), *(key(f"pupil-{number}", "class-5B") for number in range(25))]
    assert await journal.intend([intent(each) for each in more]) == [2] * 25 + [1] * 26


async def test_a_records_intent_says_in_which_role_and_for_whom_it_is_signed(journal: Journal, store: Store) -> None:
    record = RecordPlan(Role.SUBJECT_TEACHER, subject_id="GV_TOAN", delegation_id="for-mrs-lan")
    await journal.intend([intent(key()), structs.replace(intent(key("pupil-2")), record=record)])
    plain, of_record = [entry for entry in entries(store) if entry["kind"] == "intent"]
    told = {"role": "subject-teacher", "subject": "GV_TOAN", "delegation": "for-mrs-lan"}
    assert of_record.items() >= told.items()
    assert not plain.keys() & told.keys()
    assert list(of_record) == sorted(of_record)


@pytest.mark.parametrize("kind", [OutcomeKind.RELEASED, OutcomeKind.PARKED])
async def test_a_signature_that_exists_is_never_intended_again(journal: Journal, kind: OutcomeKind) -> None:
    await journal.intend([intent(key())])
    await journal.settle([outcome(key(), kind=kind)])
    with pytest.raises(SignatureSettled):
        await journal.intend([intent(key())])


@pytest.mark.parametrize("kind", [OutcomeKind.FAILED, OutcomeKind.UNKNOWN])
async def test_an_attempt_without_signature_may_be_followed_by_another(journal: Journal, kind: OutcomeKind) -> None:
    await journal.intend([intent(key())])
    await journal.settle([outcome(key(), kind=kind)])
    assert await journal.intend([intent(key())]) == [2]
    await journal.settle([outcome(key(), attempt=2)])
    assert (await journal.look_up([key()]))[key()].attempts == 2


@pytest.mark.parametrize("kind", list(OutcomeKind))
async def test_other_content_under_the_same_ids_is_refused_whatever_came_of_the_first(journal: Journal, kind: OutcomeKind) -> None:
    await journal.intend([intent(key())])
    await journal.settle([outcome(key(), kind=kind)])
    with pytest.raises(RequestIdReused):
        await journal.intend([intent(key(), sha256(b"other").digest())])


async def test_of_fifty_parallel_duplicates_one_may_use_the_key(journal: Journal) -> None:
    results = await asyncio.gather(*(journal.intend([intent(key())]) for _ in range(50)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["SignatureInProgress"] * 49 + ["list"]


async def test_of_fifty_parallel_outcomes_one_is_released(journal: Journal) -> None:
    await journal.intend([intent(key())])
    results = await asyncio.gather(*(journal.settle([outcome(key())]) for _ in range(50)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["NoneType"] + ["SignatureSettled"] * 49


async def test_a_parked_signature_is_completed_under_the_same_attempt_and_nothing_else(journal: Journal, store: Store) -> None:
    await journal.intend([intent(key())])
    await journal.settle([outcome(key(), kind=OutcomeKind.PARKED, material=b"signature without timestamp")])
    assert (await journal.look_up([key()]))[key()].material == b"signature without timestamp"
    for kind in (OutcomeKind.PARKED, OutcomeKind.FAILED, OutcomeKind.UNKNOWN):
        with pytest.raises(SignatureSettled):
            await journal.settle([outcome(key(), kind=kind)])
    await journal.settle([outcome(key())])
    stored = (await journal.look_up([key()]))[key()]
    assert (stored.state, stored.attempts, stored.material) == (SignatureState.RELEASED, 1, MATERIAL)
    assert await journal.accounting() == Accounting(intents=1, released=1, parked=0, failed=0, unknown=0, open=0)
    assert [(entry["kind"], entry.get("follows")) for entry in entries(store)] == [("intent", None), ("parked", 0), ("released", 1)]


async def test_a_call_is_accepted_or_refused_as_a_whole(journal: Journal) -> None:
    await journal.intend([intent(key("taken"))])
    with pytest.raises(SignatureInProgress):
        await journal.intend([intent(key("new")), intent(key("taken"))])
    with pytest.raises(SignatureInProgress):
        await journal.intend([intent(key("twice")), intent(key("twice"))])
    with pytest.raises(InternalError):
        await journal.settle([outcome(key("taken")), outcome(key("never intended"))])
    with pytest.raises(SignatureSettled):
        await journal.settle([outcome(key("taken")), outcome(key("taken"))])
    assert set(await journal.look_up([key("new"), key("twice"), key("taken")])) == {key("taken")}
    assert await journal.accounting() == Accounting(intents=1, released=0, parked=0, failed=0, unknown=0, open=1)


async def test_neighbours_in_a_commit_do_not_suffer_from_a_refused_call(journal: Journal) -> None:
    results = await asyncio.gather(
        journal.intend([intent(key("a"))]),
        journal.settle([outcome(key("never"))]),
        journal.intend([intent(key("b"))]),
        return_exceptions=True,
    )
    assert results[0] == [1]
    assert isinstance(results[1], InternalError)
    assert results[2] == [1]


@pytest.mark.parametrize("attempt", [0, 2])
async def test_an_outcome_belongs_to_the_attempt_under_way(journal: Journal, attempt: int) -> None:
    await journal.intend([intent(key())])
    with pytest.raises((SignatureSettled, InternalError)):
        await journal.settle([outcome(key(), attempt=attempt)])
    await journal.settle([outcome(key(), attempt=1)])


async def test_a_release_without_its_signature_hash_is_refused(journal: Journal) -> None:
    await journal.intend([intent(key())])
    with pytest.raises(InvalidArgument, match="SHA-256"):
        await journal.settle([Outcome(key(), 1, OutcomeKind.RELEASED, MATERIAL)])
    with pytest.raises(InvalidArgument, match="material"):
        await journal.settle([Outcome(key(), 1, OutcomeKind.FAILED, MATERIAL)])


@pytest.mark.parametrize("spoiled", ["\ud800", "nul\0"])
async def test_ids_that_no_database_can_hold_are_the_callers_own_error(journal: Journal, spoiled: str) -> None:
    for call in (journal.look_up([key(spoiled)]), journal.intend([intent(key(spoiled))])):
        with pytest.raises(InvalidArgument) as raised:
            await call
        assert raised.value.metadata == {"field": "document_id"}


async def test_a_reason_with_broken_text_does_not_keep_an_outcome_from_being_written(journal: Journal, store: Store) -> None:
    await journal.intend([intent(key())])
    await journal.settle([Outcome(key(), 1, OutcomeKind.FAILED, detail="tệp \ud800")])
    assert entries(store)[1]["detail"] == "tệp ?"


async def test_an_earlier_run_is_accounted_for_and_may_be_repeated(store: Store) -> None:
    first = Journal(store.url)
    await first.start()
    await first.intend([intent(key("open")), intent(key("done")), intent(key("parked"))])
    await first.settle([outcome(key("done")), outcome(key("parked"), kind=OutcomeKind.PARKED)])
    await first.stop()

    second = Journal(store.url)
    await second.start()
    assert await second.accounting() == Accounting(intents=3, released=1, parked=1, failed=0, unknown=1, open=0)
    stored = await second.look_up([key("open"), key("done"), key("parked")])
    assert [stored[key(name)].state.value for name in ("open", "done", "parked")] == ["intended", "released", "parked"]
    assert await second.intend([intent(key("open"))]) == [2]
    await second.settle([outcome(key("parked")), outcome(key("open"), attempt=2)])
    await second.stop()
    assert [entry["kind"] for entry in entries(store)[5:7]] == ["unknown", "note"]


async def test_a_journal_in_a_file_has_one_daemon(tmp_path: Path) -> None:
    journal = Journal(f"sqlite:///{tmp_path}/journal.db")
    await journal.start()
    with pytest.raises(ConfigError, match="another signer"):
        await Journal(f"sqlite:///{tmp_path}/journal.db").start()
    assert await journal.intend([intent(key())]) == [1]
    await journal.stop()


async def test_a_journal_that_is_closed_signs_nothing(store: Store) -> None:
    journal = Journal(store.url)
    with pytest.raises(JournalUnavailable):
        await journal.intend([intent(key())])
    await journal.start()
    await journal.stop()
    with pytest.raises(JournalUnavailable):
        await journal.intend([intent(key())])


async def test_while_nothing_can_be_written_every_writer_is_told_and_readers_are_served(journal: Journal, store: Store) -> None:
    await journal.intend([intent(key("done")), intent(key("open"))])
    await journal.settle([outcome(key("done"))])
    with store.locked():
        calls = [journal.intend([intent(key(f"pupil-{number}"))]) for number in range(20)]
        results = await asyncio.gather(*calls, journal.settle([outcome(key("open"))]), return_exceptions=True)
        assert {type(result) for result in results} == {JournalUnavailable}
        assert (await journal.look_up([key("done")]))[key("done")].material == MATERIAL
    assert await journal.accounting() == Accounting(intents=2, released=1, parked=0, failed=0, unknown=0, open=1)
    assert await journal.intend([intent(key("pupil-1"))]) == [1]


async def test_an_outcome_that_could_not_be_written_may_be_written_later(journal: Journal, store: Store) -> None:
    await journal.intend([intent(key())])
    with store.locked(), pytest.raises(JournalUnavailable):
        await journal.settle([outcome(key())])
    await journal.settle([outcome(key())])
    assert await journal.accounting() == Accounting(intents=1, released=1, parked=0, failed=0, unknown=0, open=0)


async def test_an_outcome_that_was_never_written_does_not_block_its_ids(journal: Journal, store: Store) -> None:
    await journal.intend([intent(key())])
    with store.locked(), pytest.raises(JournalUnavailable):
        await journal.settle([outcome(key())])
    assert await journal.intend([intent(key())]) == [2]
    with pytest.raises(SignatureSettled):  # attempt 1 was given up as unknown: its signature is withheld
        await journal.settle([outcome(key(), attempt=1)])
    await journal.settle([outcome(key(), attempt=2)])
    assert await journal.accounting() == Accounting(intents=2, released=1, parked=0, failed=0, unknown=1, open=0)


async def test_a_caller_that_goes_away_while_intending_leaves_nothing_open(journal: Journal, store: Store) -> None:
    with store.locked():
        waiting = asyncio.create_task(journal.intend([intent(key())]))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    running = asyncio.create_task(journal.intend([intent(key("other"))]))
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await journal.intend([intent(key("other"))]) == [2]
    attempts = await journal.intend([intent(key())])
    await journal.settle([outcome(key(), attempt=attempts[0]), outcome(key("other"), attempt=2)])
    counts = await journal.accounting()
    assert (counts.released, counts.open, counts.balanced) == (2, 0, True)


async def test_serials_ascend_without_gap_or_repetition_across_callers_and_restarts(store: Store) -> None:
    taken: list[int] = []
    for _ in range(3):
        journal = Journal(store.url)
        await journal.start()
        for serials in await asyncio.gather(*(journal.reserve_serials(count) for count in (1, 10, 100))):
            taken.extend(serials)
        await journal.stop()
    assert taken == list(range(1, 334))


@pytest.mark.parametrize("count", [0, -1, 2**63])
async def test_a_senseless_number_of_serials_is_refused(journal: Journal, count: int) -> None:
    with pytest.raises(InvalidArgument):
        await journal.reserve_serials(count)


async def test_forgotten_material_leaves_its_hash_and_parked_material_is_kept(store: Store) -> None:
    now = datetime(2026, 5, 29, 22, 0, tzinfo=UTC)
    times = [now]
    journal = Journal(store.url, clock=lambda: times[-1])
    await journal.start()
    keys = [key("old"), key("parked"), key("new")]
    await journal.intend([intent(each) for each in keys])
    await journal.settle([outcome(keys[0]), outcome(keys[1], kind=OutcomeKind.PARKED)])
    times.append(now + timedelta(days=30))
    await journal.settle([outcome(keys[2])])
    assert await journal.forget_material(now + timedelta(days=1)) == 1
    assert await journal.forget_material(now + timedelta(days=1)) == 0
    stored = await journal.look_up(keys)
    assert [stored[each].material for each in keys] == [b"", MATERIAL, MATERIAL]
    assert stored[keys[0]].material_sha256 == sha256(MATERIAL).digest()
    with pytest.raises(SignatureSettled):
        await journal.intend([intent(keys[0])])
    await journal.stop()
    last = entries(store)[-1]
    assert (last["note"], last["detail"]) == ("material-forgotten", {"before": "2026-05-30T22:00:00.000000Z", "count": 1})


async def test_spoiled_material_is_never_returned_and_its_neighbours_are(journal: Journal, store: Store) -> None:
    await journal.intend([intent(key("spoiled")), intent(key("sound"))])
    await journal.settle([outcome(key("spoiled")), outcome(key("sound"))])
    with open_engine(store.url).connect() as connection, connection.begin():
        connection.execute(update(material).where(material.c.outcome == 2).values(content=b"spoiled"))
    results = await asyncio.gather(journal.look_up([key("spoiled")]), journal.look_up([key("sound")]), return_exceptions=True)
    assert isinstance(results[0], JournalDamaged)
    assert not isinstance(results[1], BaseException)
    assert results[1][key("sound")].material == MATERIAL


async def test_notes_are_entries_with_their_details(journal: Journal, store: Store) -> None:
    await journal.note(NoteKind.PIN_HELD, "token hieu-truong", {"tries_left": 2, "label": "Hiệu trưởng"})
    with pytest.raises(InvalidArgument):
        await journal.note(NoteKind.STARTED, "signer", {"too large": 2**60})
    (entry,) = entries(store)
    assert (entry["index"], entry["note"], entry["subject"]) == (0, "pin-held", "token hieu-truong")
    assert entry["detail"] == {"label": "Hiệu trưởng", "tries_left": 2}


async def test_an_intent_entry_says_who_for_whom_with_what(journal: Journal, store: Store) -> None:
    await journal.intend([intent(key())])
    (entry,) = entries(store)
    at = entry.pop("at")
    assert isinstance(at, str)
    assert datetime.fromisoformat(at) <= datetime.now(UTC)
    assert entry == {
        "algorithm": "rsa-pkcs1-sha256",
        "attempt": 1,
        "certificate": "5a01",
        "client": "vnedu",
        "credential": "principal",
        "digest": sha256(b"digest").hexdigest(),
        "document": "pupil-1",
        "fingerprint": CONTENT.hex(),
        "index": 0,
        "kind": "intent",
        "plan": "pades/b-t",
        "request": "class-5A",
        "school": "school-1",
    }


async def test_calls_that_wait_together_share_a_commit(store: Store) -> None:
    commits: list[int] = []
    journal = Journal(store.url, on_commit=lambda count, _seconds: commits.append(count), commit_interval_s=0.5)
    await journal.start()
    await asyncio.gather(*(journal.intend([intent(key(f"pupil-{number}"))]) for number in range(35)))
    await journal.stop()
    assert commits == [35]


async def test_an_observer_that_fails_harms_nobody(store: Store) -> None:
    def failing(_entries: int, _seconds: float, /) -> None:
        raise RuntimeError("metrics are broken")

    journal = Journal(store.url, on_commit=failing)
    await journal.start()
    assert await journal.intend([intent(key())]) == [1]
    await journal.settle([outcome(key())])
    await journal.stop()


async def test_an_empty_journal_verifies(journal: Journal, store: Store) -> None:
    assert await journal.accounting() == Accounting(intents=0, released=0, parked=0, failed=0, unknown=0, open=0)
    with open_engine(store.url, must_exist=True).connect() as connection:
        assert verify_chain(connection) == ChainReport(0, sha256().digest(), EMPTY_ROOT)
