"""The rules of records as tables: who signs what, in which order, what a record's state lets happen, who must agree, and until when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.errors import InvalidArgument, LayoutNotFound, RecordNotLocked, RecordReplaced, RoleRefused, SignerError
from signer.model import RecordPlan, RecordSlot, Role
from signer.records.calendar import VIETNAM, regular_calendar, vietnamese_day
from signer.records.layout_files import load_layouts
from signer.records.order import Flaw, SlotStanding, Standing, order_findings
from signer.records.pdf_rules import PdfSignature, pdf_findings, pdf_standings
from signer.records.plan_rules import require_plan
from signer.records.problem import RecordProblem
from signer.records.states import (
    SUPERSEDED,
    TRANSITIONS,
    Event,
    RecordState,
    next_state,
    state_at,
    state_finding,
)

LAYOUTS = load_layouts()
PRIMARY, MULTI_LEVEL = LAYOUTS
BY_LETTER = {"_": Standing.UNSIGNED, "v": Standing.VALID, "x": Standing.INVALID, "?": Standing.UNJUDGED}
GVBM, GVCN, CBQL, SEAL = RecordSlot
MISSING, INVALID = RecordProblem.EARLIER_SIGNATURE_MISSING, RecordProblem.EARLIER_SIGNATURE_INVALID
SIGNED, OUT_OF_ORDER = RecordProblem.ALREADY_SIGNED, RecordProblem.LAYOUT_VIOLATED

# Standing of GVCN, CBQL and the seal: _ unsigned, v valid, x invalid, ? signed and not judged; then what GVCN, CBQL and the seal meet.
PRIMARY_TABLE: dict[str, tuple[set[RecordProblem], set[RecordProblem], set[RecordProblem]]] = {
    "___": (set(), set(), {MISSING}),
    "v__": ({SIGNED}, set(), {MISSING}),
    "x__": ({SIGNED}, {INVALID}, {MISSING, INVALID}),
    "?__": ({SIGNED}, {INVALID}, {MISSING, INVALID}),
    "_v_": ({OUT_OF_ORDER}, {SIGNED}, set()),
    "vv_": ({SIGNED, OUT_OF_ORDER}, {SIGNED}, set()),
    "vx_": ({SIGNED, OUT_OF_ORDER}, {SIGNED}, {INVALID}),
    "v?_": ({SIGNED, OUT_OF_ORDER}, {SIGNED}, {INVALID}),
    "xv_": ({SIGNED, OUT_OF_ORDER}, {SIGNED, INVALID}, {INVALID}),
    "_vv": ({OUT_OF_ORDER}, {SIGNED, OUT_OF_ORDER}, {SIGNED}),
    "__v": ({OUT_OF_ORDER}, {OUT_OF_ORDER}, {SIGNED, MISSING}),
    "vvv": ({SIGNED, OUT_OF_ORDER}, {SIGNED, OUT_OF_ORDER}, {SIGNED}),
}

# Standing of two subjects' GVBM, of GVCN, CBQL and the seal; then what the first GVBM, GVCN, CBQL and the seal meet.
MULTI_LEVEL_TABLE: dict[str, tuple[set[RecordProblem], set[RecordProblem], set[RecordProblem], set[RecordProblem]]] = {
    "_____": (set(), {MISSING}, {MISSING}, {MISSING}),
    "_v___": (set(), {MISSING}, {MISSING}, {MISSING}),
    "v____": ({SIGNED}, {MISSING}, {MISSING}, {MISSING}),
    "vv___": ({SIGNED}, set(), {MISSING}, {MISSING}),
    "vx___": ({SIGNED}, {INVALID}, {MISSING, INVALID}, {MISSING, INVALID}),
    "vvv__": ({SIGNED, OUT_OF_ORDER}, {SIGNED}, set(), {MISSING}),
    "vv_v_": ({SIGNED, OUT_OF_ORDER}, {OUT_OF_ORDER}, {SIGNED, MISSING}, {MISSING}),
    "vvvv_": ({SIGNED, OUT_OF_ORDER}, {SIGNED, OUT_OF_ORDER}, {SIGNED}, set()),
    "xvvv_": ({SIGNED, OUT_OF_ORDER}, {SIGNED, OUT_OF_ORDER, INVALID}, {SIGNED, INVALID}, {INVALID}),
    "_vvv_": ({OUT_OF_ORDER}, {SIGNED, OUT_OF_ORDER, MISSING}, {SIGNED, MISSING}, {MISSING}),
}


def problems(layout_index: int, slot: RecordSlot, standings: list[SlotStanding], subject_id: str = "") -> set[RecordProblem]:
    layout = LAYOUTS[layout_index]
    own = layout.slot(slot)
    assert own is not None
    return {finding.problem for finding in order_findings(layout, own, subject_id, standings)}


@pytest.mark.parametrize("letters", PRIMARY_TABLE)
def test_primary_records_are_signed_by_teacher_if_any_then_principal_then_sealed(letters: str) -> None:
    standings = [SlotStanding(slot, BY_LETTER[letter]) for slot, letter in zip((GVCN, CBQL, SEAL), letters, strict=True)]
    assert tuple(problems(0, slot, standings) for slot in (GVCN, CBQL, SEAL)) == PRIMARY_TABLE[letters]


@pytest.mark.parametrize("letters", MULTI_LEVEL_TABLE)
def test_every_subject_teacher_signs_before_homeroom_teacher_principal_and_seal(letters: str) -> None:
    slots = ((GVBM, "toan"), (GVBM, "van"), (GVCN, ""), (CBQL, ""), (SEAL, ""))
    standings = [SlotStanding(slot, BY_LETTER[letter], subject) for (slot, subject), letter in zip(slots, letters, strict=True)]
    met = tuple(problems(1, slot, standings, "toan" if slot is GVBM else "") for slot in (GVBM, GVCN, CBQL, SEAL))
    assert met == MULTI_LEVEL_TABLE[letters]


@given(letters=st.tuples(*[st.sampled_from("_vx?")] * 5))
def test_nothing_is_ever_sealed_without_a_valid_signature_of_the_principal(letters: tuple[str, ...]) -> None:
    slots = ((GVBM, "toan"), (GVBM, "van"), (GVCN, ""), (CBQL, ""), (SEAL, ""))
    standings = [SlotStanding(slot, BY_LETTER[letter], subject) for (slot, subject), letter in zip(slots, letters, strict=True)]
    may_seal = not problems(1, SEAL, standings)
    assert may_seal == (letters == ("v", "v", "v", "v", "_"))
    primary = [standing for standing in standings if standing.slot is not GVBM]
    may_seal_primary = not problems(0, SEAL, primary)
    assert may_seal_primary == (letters[2] in "_v" and letters[3:] == ("v", "_"))


P = PdfSignature
STANDS, ALTERED = None, Flaw.ALTERED
PDFS: dict[str, tuple[list[PdfSignature], set[RecordProblem], set[RecordProblem], set[RecordProblem]]] = {
    "unsigned": ([], set(), set(), {MISSING}),
    "by the homeroom teacher": ([P("GVCN", STANDS)], {SIGNED}, set(), {MISSING}),
    "by the principal": ([P("CBQL", STANDS)], {OUT_OF_ORDER}, {SIGNED}, set()),
    "by both": ([P("GVCN", STANDS), P("CBQL", STANDS)], {SIGNED, OUT_OF_ORDER}, {SIGNED}, set()),
    "and sealed": ([P("CBQL", STANDS), P("KY_PHAT_HANH", STANDS)], {OUT_OF_ORDER}, {SIGNED, OUT_OF_ORDER}, {SIGNED}),
    "by somebody": ([P("Signature1", STANDS)], set(), set(), set()),
    "by somebody, and changed": ([P("Signature1", ALTERED)], {INVALID}, {INVALID}, {INVALID}),
    "by the principal, and changed": ([P("CBQL", ALTERED)], {INVALID, OUT_OF_ORDER}, {INVALID, SIGNED}, {INVALID}),
}


@pytest.mark.parametrize(("signatures", "homeroom", "principal", "seal"), PDFS.values(), ids=PDFS)
def test_of_a_pdf_its_signatures_are_held_against_the_order_by_their_fields_names(
    signatures: list[PdfSignature], homeroom: set[RecordProblem], principal: set[RecordProblem], seal: set[RecordProblem]
) -> None:
    met = [{finding.problem for finding in pdf_findings(signatures, slot)} for slot in (GVCN, CBQL, SEAL)]
    assert met == [homeroom, principal, seal]
    assert [standing.slot.value for standing in pdf_standings(signatures)] == [
        each.field_name for each in signatures if each.field_name != "Signature1"
    ]


PLANS: dict[str, tuple[RecordPlan, RecordSlot | type[SignerError]]] = {
    "a teacher's subject": (RecordPlan(Role.SUBJECT_TEACHER, subject_id="toan"), GVBM),
    "a teacher without a subject": (RecordPlan(Role.SUBJECT_TEACHER), InvalidArgument),
    "a homeroom teacher": (RecordPlan(Role.HOMEROOM_TEACHER), GVCN),
    "a homeroom teacher with a subject": (RecordPlan(Role.HOMEROOM_TEACHER, subject_id="toan"), InvalidArgument),
    "a principal": (RecordPlan(Role.PRINCIPAL), CBQL),
    "a principal by the slot": (RecordPlan(Role.PRINCIPAL, slot=CBQL), CBQL),
    "a vice principal": (RecordPlan(Role.VICE_PRINCIPAL), CBQL),
    "a principal in the seal's slot": (RecordPlan(Role.PRINCIPAL, slot=SEAL), RoleRefused),
    "a clerk": (RecordPlan(Role.CLERK), SEAL),
    "a clerk in the principal's slot": (RecordPlan(Role.CLERK, slot=CBQL), RoleRefused),
    "academic staff": (RecordPlan(Role.ACADEMIC_STAFF), RoleRefused),
    "an administrator": (RecordPlan(Role.SCHOOL_ADMINISTRATOR), RoleRefused),
    "an officer of the Department": (RecordPlan(Role.DEPARTMENT_OFFICER), RoleRefused),
    "an operator": (RecordPlan(Role.OPERATOR), RoleRefused),
    "an auditor": (RecordPlan(Role.AUDITOR), RoleRefused),
    "a known layout": (RecordPlan(Role.CLERK, layout_id="moet-2.0"), SEAL),
    "an unknown layout": (RecordPlan(Role.CLERK, layout_id="moet-9"), LayoutNotFound),
}


@pytest.mark.parametrize(("plan", "expected"), PLANS.values(), ids=PLANS)
def test_a_role_signs_its_own_slot_only(plan: RecordPlan, expected: RecordSlot | type[SignerError]) -> None:
    if isinstance(expected, RecordSlot):
        assert require_plan(plan, LAYOUTS) is expected
    else:
        with pytest.raises(expected):
            require_plan(plan, LAYOUTS)


S, E = RecordState, Event
ALLOWED: Mapping[RecordState, dict[Event, RecordState]] = {
    S.SIGNING: {E.SLOT_SIGNED: S.SIGNING, E.SEALED: S.RELEASED, E.LOCK_DATE_PASSED: S.LOCKED},
    S.RELEASED: {E.SEALED: S.RELEASED, E.LOCK_DATE_PASSED: S.LOCKED, E.RECALL_ASKED: S.RECALL_PENDING},
    S.LOCKED: {E.CORRECTION_ASKED: S.CORRECTION_PENDING, E.RECALL_ASKED: S.RECALL_PENDING},
    S.CORRECTION_PENDING: {
        E.CORRECTION_AGREED: S.CORRECTION_ALLOWED,
        E.CORRECTION_REFUSED: S.LOCKED,
        E.APPROVAL_LAPSED: S.LOCKED,
    },
    S.CORRECTION_ALLOWED: {
        E.REPLACEMENT_SEALED: S.REPLACED,
        E.CORRECTION_REFUSED: S.LOCKED,
        E.APPROVAL_LAPSED: S.LOCKED,
    },
    S.RECALL_PENDING: {E.RECALL_AGREED: S.RECALLED, E.RECALL_REFUSED: S.RELEASED, E.APPROVAL_LAPSED: S.RELEASED},
    S.REPLACED: {},
    S.RECALLED: {},
}


@pytest.mark.parametrize("state", RecordState)
@pytest.mark.parametrize("event", Event)
def test_a_records_state_allows_this_and_nothing_else(state: RecordState, event: Event) -> None:
    if event in ALLOWED[state]:
        assert next_state(state, event) is ALLOWED[state][event]
        return
    with pytest.raises(RecordReplaced if state in SUPERSEDED else RecordNotLocked) as refused:
        next_state(state, event)
    assert refused.value.metadata["state"] == state.name


@given(events=st.lists(st.sampled_from(Event), max_size=30))
def test_past_its_lock_a_record_is_signed_no_more_whatever_happens(events: list[Event]) -> None:
    state, was_locked = RecordState.SIGNING, False
    for event in events:
        state = TRANSITIONS.get((state, event), state)
        was_locked = was_locked or state is RecordState.LOCKED
        assert not was_locked or state_finding(state, regular_calendar(2025).lock_time) is not None


def test_a_state_that_forbids_signing_says_why() -> None:
    lock_time = regular_calendar(2025).lock_time
    told = {state: state_finding(state, lock_time) for state in RecordState}
    assert told[RecordState.SIGNING] is None
    assert {state for state, finding in told.items() if finding and finding.problem is RecordProblem.SUPERSEDED} == SUPERSEDED
    locked = told[RecordState.LOCKED]
    assert locked is not None
    assert "01/07/2026" in locked.vi


def test_the_lock_date_passes_by_itself() -> None:
    calendar = regular_calendar(2025)
    before, after = calendar.lock_time - dt.timedelta(seconds=1), calendar.lock_time
    assert state_at(RecordState.RELEASED, before, calendar.lock_time) is RecordState.RELEASED
    assert state_at(RecordState.RELEASED, after, calendar.lock_time) is RecordState.LOCKED
    assert state_at(RecordState.SIGNING, after, calendar.lock_time) is RecordState.LOCKED
    for state in set(RecordState) - {RecordState.RELEASED, RecordState.SIGNING}:
        assert state_at(state, after, calendar.lock_time) is state


def test_records_lock_when_30_june_has_ended_in_vietnam_and_15_august_for_supplementary_assessment() -> None:
    calendar = regular_calendar(2025)
    last_moment = dt.datetime(2026, 6, 30, 23, 59, 59, tzinfo=VIETNAM)
    assert not calendar.is_locked(last_moment)
    assert calendar.is_locked(last_moment + dt.timedelta(seconds=1))
    assert calendar.is_locked(dt.datetime(2026, 6, 30, 17, 0, tzinfo=dt.UTC))
    assert not calendar.is_locked(dt.datetime(2026, 8, 15, 23, 59, 59, tzinfo=VIETNAM), supplementary=True)
    assert calendar.is_locked(dt.datetime(2026, 8, 16, tzinfo=VIETNAM), supplementary=True)
    assert vietnamese_day(dt.datetime(2026, 5, 29, 17, 0, tzinfo=dt.UTC)) == dt.date(2026, 5, 30)
