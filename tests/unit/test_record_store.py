"""The register of records, its approvals and calendars, in either database: rows change with their entry, never over another's change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from signer.algorithms import SignatureAlgorithm
from signer.errors import ChangedMeanwhile, RequestIdReused
from signer.journal import Intent, Journal, NoteKind, Outcome, OutcomeKind
from signer.journal.approvals import ApprovalChange, ApprovalFilter, ApprovalStore
from signer.journal.records import DEPARTMENT, RecordChange, RecordFilter, RecordStore
from signer.model import RecordSlot, Role, SignatureKey
from signer.people.approval import Approval, ApprovalKind, ApprovalPolicy, ApprovalState, ApprovalStep, Decision
from signer.records.calendar import regular_calendar
from signer.records.history import HistoryKind
from signer.records.register import KeptRecord, SignedSlot
from signer.records.states import RecordState
from signer.store.times import microseconds
from tests.support.stores import Store

NOW = datetime(2026, 5, 29, 15, 0, tzinfo=UTC)
SCHOOL, YEAR = "79000001", 2025
DIGEST = bytes(32)
STEPS = (ApprovalStep(frozenset({Role.PRINCIPAL}), "Hiệu trưởng"), ApprovalStep(frozenset({Role.DEPARTMENT_OFFICER}), "Sở"))


@pytest.fixture
async def journal(store: Store) -> AsyncIterator[Journal]:
    made = Journal(store.url, clock=lambda: NOW)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def records(journal: Journal) -> RecordStore:
    return RecordStore(journal)


def uuid(number: int) -> str:
    return f"6f9619ff-8b86-4d01-b42d-{number:012d}"


def slot(number: int, of: RecordSlot = RecordSlot.HOMEROOM_TEACHER, **changes: object) -> SignedSlot:
    made = SignedSlot(uuid(number), "5A", YEAR, "moet-1.0-primary", b"pupil %d" % number, is_supplementary=False, slot=of)
    made = replace(made, person_id="lan", role=Role.HOMEROOM_TEACHER)
    return replace(made, **changes)  # type: ignore[arg-type]


async def sign(journal: Journal, *slots: SignedSlot) -> None:
    keys = [SignatureKey(SCHOOL, f"{each.slot.value}", each.record_uuid) for each in slots]
    algorithm = SignatureAlgorithm.RSA_PKCS1_SHA256
    attempts = await journal.intend([Intent(key, DIGEST, "moet", "key", "5a", algorithm, DIGEST, "xades/b-t") for key in keys])
    outcomes = zip(keys, attempts, slots, strict=True)
    await journal.settle([Outcome(key, attempt, OutcomeKind.RELEASED, b"m", DIGEST, slot=each) for key, attempt, each in outcomes])


def correction(number: int = 1, **changes: object) -> Approval:
    made = Approval(
        f"approval-{number}",
        ApprovalKind.CORRECTION,
        SCHOOL,
        uuid(number),
        "lan",
        "điểm Toán nhập sai",
        STEPS,
        ApprovalState.PENDING,
        NOW,
        NOW + timedelta(days=7),
        {"replacement": uuid(99)},
        "Toán: 8 → 9",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


async def test_a_record_is_known_from_its_first_slot_and_released_with_its_seal(journal: Journal, records: RecordStore) -> None:
    await sign(journal, slot(1), slot(2))
    await sign(journal, slot(1, RecordSlot.SEAL, person_id="", role=Role.CLERK), slot(3, RecordSlot.SUBJECT_TEACHER, subject_id="TOAN"))
    known = await records.known(SCHOOL, [uuid(number) for number in range(5)])
    assert {each: kept.state for each, kept in known.items()} == {
        uuid(1): RecordState.RELEASED,
        uuid(2): RecordState.SIGNING,
        uuid(3): RecordState.SIGNING,
    }
    assert known[uuid(2)] == KeptRecord(SCHOOL, uuid(2), "5A", YEAR, "moet-1.0-primary", b"pupil 2")
    assert await records.find("79000002", uuid(1)) is None
    events = await records.events(SCHOOL, [uuid(1), uuid(3)])
    assert [(each.record_uuid, each.slot, each.person_id, each.role, each.subject_id, each.at) for each in events] == [
        (uuid(1), RecordSlot.HOMEROOM_TEACHER, "lan", Role.HOMEROOM_TEACHER, "", NOW),
        (uuid(1), RecordSlot.SEAL, "", Role.CLERK, "", NOW),
        (uuid(3), RecordSlot.SUBJECT_TEACHER, "lan", Role.HOMEROOM_TEACHER, "TOAN", NOW),
    ]
    intents = await records.entries([each.intent_entry for each in events if each.intent_entry is not None])
    assert [entry["document"] for _index, entry in sorted(intents.items())] == [uuid(1), uuid(1), uuid(3)]


async def test_a_slot_that_is_filled_later_moves_no_state_back_and_changes_no_pupil(journal: Journal, records: RecordStore) -> None:
    await sign(journal, slot(1, RecordSlot.SEAL))
    await sign(journal, slot(1, pupil=b"another", class_id="5B", is_supplementary=True))
    found = await records.find(SCHOOL, uuid(1))
    assert found == KeptRecord(SCHOOL, uuid(1), "5B", YEAR, "moet-1.0-primary", b"pupil 1", True, RecordState.RELEASED)  # noqa: FBT003


async def test_pages_go_by_class_in_the_order_of_bytes_and_miss_nobody(journal: Journal, records: RecordStore) -> None:
    classes = ["5A", "5a", "Đ1", "D1", "E1", "10", "9", "Ê1", "é"]
    await sign(journal, *(slot(number, class_id=name) for number, name in enumerate(classes * 3)))
    found, after = list[KeptRecord](), ("", "")
    while page := await records.page(RecordFilter(SCHOOL, YEAR, after=after), 4):
        found += page
        after = page[-1].class_id, page[-1].record_uuid
    assert [(each.class_id.encode(), each.record_uuid) for each in found] == sorted(
        (name.encode(), uuid(number)) for number, name in enumerate(classes * 3)
    )
    assert len(await records.page(RecordFilter(SCHOOL, YEAR, "Đ1"), 10)) == 3
    assert await records.page(RecordFilter(SCHOOL, YEAR + 1), 10) == []


async def test_a_calendar_of_ones_own_goes_before_the_departments(records: RecordStore) -> None:
    assert await records.calendar(SCHOOL, YEAR) is None
    regular = regular_calendar(YEAR)
    later = replace(regular, lock_time=regular.lock_time + timedelta(days=5, microseconds=7))
    await records.set_calendar("officer", DEPARTMENT, regular)
    assert await records.calendar(SCHOOL, YEAR) == regular
    for _ in range(2):
        await records.set_calendar("officer", SCHOOL, later)
    assert await records.calendar(SCHOOL, YEAR) == later
    assert await records.calendar("79000002", YEAR) == regular
    assert await records.calendar(SCHOOL, YEAR + 1) is None


async def test_a_correction_changes_its_record_with_its_statements_and_is_used_by_the_replacements_seal(
    journal: Journal, records: RecordStore
) -> None:
    await sign(journal, slot(1, RecordSlot.SEAL))
    approvals, old = ApprovalStore(journal), await records.find(SCHOOL, uuid(1))
    assert old is not None
    pending = replace(old, state=RecordState.CORRECTION_PENDING, approval_id="approval-1", approval_ends=correction().expires)
    change = RecordChange(pending, old, (HistoryKind.CORRECTION_REQUESTED,), "lan", Role.HOMEROOM_TEACHER)
    asked = await approvals.add("school", "r", b"print", correction(), [change])
    assert await records.find(SCHOOL, uuid(1)) == pending
    assert await approvals.add("school", "r", b"print", correction(2)) == asked == correction()
    with pytest.raises(RequestIdReused):
        await approvals.add("school", "r", b"other", correction(2))
    with pytest.raises(ChangedMeanwhile):
        await approvals.add("school", "r2", b"print", correction(2), [change])
    assert await approvals.find_all(["approval-2"]) == {}, "nothing of what was refused is there"
    agreed = tuple(replace(step, person_id="hoa", decision=Decision.AGREE, comment="đồng ý", decided=NOW) for step in STEPS)
    granted = correction(state=ApprovalState.GRANTED, steps=agreed, shown="")
    allowed = replace(pending, state=RecordState.CORRECTION_ALLOWED)
    new = KeptRecord(SCHOOL, uuid(99), "5A", YEAR, replaces=uuid(1), approval_id="approval-1", approval_ends=granted.expires)
    both = [RecordChange(allowed, pending, (HistoryKind.APPROVAL_DECIDED,), "hoa"), RecordChange(new)]
    kept = await approvals.revise("officer", ApprovalChange(NoteKind.APPROVAL_DECIDED, asked, granted, records=both))
    assert kept.steps[-1].journal_entry is not None
    assert await approvals.find_all(["approval-1"]) == {"approval-1": kept}
    with pytest.raises(ChangedMeanwhile):
        await approvals.revise("officer", ApprovalChange(NoteKind.APPROVAL_DECIDED, asked, granted))
    await sign(journal, slot(99, RecordSlot.SEAL, replaces=uuid(1), approval_id="approval-1"))
    states = {each.record_uuid: each.state for each in (await records.known(SCHOOL, [uuid(1), uuid(99)])).values()}
    assert states == {uuid(1): RecordState.REPLACED, uuid(99): RecordState.RELEASED}
    assert (await approvals.find_all(["approval-1"]))["approval-1"].state is ApprovalState.USED
    history = await records.events(SCHOOL, [uuid(1)])
    assert [each.kind for each in history] == [
        HistoryKind.SIGNED,
        HistoryKind.CORRECTION_REQUESTED,
        HistoryKind.APPROVAL_DECIDED,
        HistoryKind.REPLACED,
    ]


async def test_approvals_are_listed_newest_first_by_what_they_are_at_that_time(journal: Journal) -> None:
    approvals = ApprovalStore(journal)
    for number in range(6):
        ends = NOW + timedelta(days=number)
        await approvals.add("school", f"r{number}", b"", correction(number, expires=ends, school_id=f"s{number % 2}"))
    at = ApprovalFilter(microseconds(NOW + timedelta(days=2)))
    everything = await approvals.page(at, 4)
    rest = await approvals.page(replace(at, before=everything[-1][0]), 4)
    assert [each.id for _number, each in [*everything, *rest]] == [f"approval-{number}" for number in reversed(range(6))]
    wanted = {
        ("approval-3", "approval-4", "approval-5"): replace(at, states=[ApprovalState.PENDING]),
        ("approval-0", "approval-1", "approval-2"): replace(at, states=[ApprovalState.EXPIRED]),
        ("approval-1", "approval-3", "approval-5"): replace(at, schools=["s1"]),
        ("approval-4",): replace(at, subjects=[uuid(4)]),
        (): replace(at, kinds=[ApprovalKind.RECALL]),
    }
    for names, which in wanted.items():
        assert tuple(sorted(each.id for _number, each in await approvals.page(which, 10))) == names


async def test_a_policy_takes_the_place_of_the_one_before(journal: Journal) -> None:
    approvals = ApprovalStore(journal)
    first = ApprovalPolicy(ApprovalKind.RECALL, "", (frozenset({Role.PRINCIPAL}),), timedelta(days=3), 5)
    of_a_school = replace(first, school_id=SCHOOL, roles=())
    for policy in (first, of_a_school, replace(first, count_above=6)):
        await approvals.set_policy("officer", policy, {})
    found = await approvals.policies([ApprovalKind.RECALL])
    assert sorted(found, key=lambda each: each.school_id) == [replace(first, count_above=6), of_a_school]
    assert await approvals.policies([ApprovalKind.CORRECTION]) == []
