"""One record against one plan: the whole of what is looked at before a key is used, in this order.

1. The layout is recognised, is the one asked for, and is accepted by now.
2. The record says whose it is: UUID, personal number, school, class, school year; its state lets it be signed.
3. The role's slot is there once, and what its signature must reference as well (`finding`).
4. The results that this signature covers are finished.
5. Signatures stand in slots only, one in each; those that come before are there and valid, no later one is (`order`).

Everything that is wrong is found, not the first thing only: the person who mends the record does it once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from signer.formats.xml.search import Finder
from signer.model import RecordPlan, RecordSlot, SlotRequest
from signer.records.finding import FoundSlot, Target, locate, slots_of, target_of
from signer.records.layout import Layout, LayoutSlot
from signer.records.order import Flaw, SlotStanding, Standing, order_findings
from signer.records.problem import Finding, Wording, found, refusal
from signer.records.reading import Element, Identity, IdentityReader, Record, Values, is_accepted, recognise


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a record is held against. school_code: the MA_TRUONG of the caller's school. today: in Vietnam."""

    plan: RecordPlan
    school_code: str
    today: date


@dataclass(frozen=True, slots=True)
class SlotVerdict:
    """What verification says of one signature in a slot. flaw: None for a valid one."""

    flaw: Flaw | None
    signer_subject: str = ""


class SlotJudge(Protocol):
    """Whoever verifies signatures: valid is one that stands, of a trusted signer, and references exactly what the request says."""

    def __call__(self, signature: Element, request: SlotRequest, /) -> SlotVerdict:
        """The verdict; a signature that can't be read is invalid."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found. request: the signature to make, None for an unfit record. slots: in the layout's order."""

    layout_id: str = ""
    identity: Identity = field(default_factory=Identity)
    slots: tuple[SlotStanding, ...] = ()
    findings: tuple[Finding, ...] = ()
    request: SlotRequest | None = None


def slot_to_sign(finder: Finder, expectation: Expectation, layouts: Sequence[Layout], judge: SlotJudge) -> tuple[SlotRequest, Examination]:
    """Where a fit record is signed, and what is referenced, beside all that was found; only signatures that matter for that are judged.

    Raises:
        RecordUnfit: it must not be signed in this role now; `metadata['finding']` is the first RecordProblem. No key was used.
    """
    examination = examine(finder, expectation, layouts, judge, judges_all=False)
    if examination.request is None:
        raise refusal(examination.findings)
    return examination.request, examination


def examine(
    finder: Finder, expectation: Expectation, layouts: Sequence[Layout], judge: SlotJudge, *, judges_all: bool = True
) -> Examination:
    """Everything wrong with one record.

    finder: over it, as it was read. layouts: every one known. judges_all: whether signatures are judged that don't matter for this one.
    """
    record = Record(finder)
    layout = recognise(record, layouts)
    if layout is None:
        known = ", ".join(each.id for each in layouts)
        return Examination(findings=(found(Wording.LAYOUT_UNKNOWN, known=known),))
    return _Examiner(record, layout, expectation, judge).examine(judges_all=judges_all)


def fitting_request(record: Record, layout: Layout, expectation: Expectation, judge: SlotJudge) -> SlotRequest | None:
    """Where a record is signed, if nothing but its identity can keep it from that; None when something else does."""
    return _Examiner(record, layout, expectation, judge).fitting_request()


def identify(record: Values, layout: Layout, expectation: Expectation) -> tuple[Identity, list[Finding]]:
    """Whose record it is, and what is wrong with that."""
    reader = IdentityReader(record, layout)
    identity = reader.read()
    return identity, [*reader.findings, *_identity_findings(layout, identity, expectation)]


class _Examiner:
    def __init__(self, record: Record, layout: Layout, expectation: Expectation, judge: SlotJudge) -> None:
        self._record = record
        self._layout = layout
        self._expectation = expectation
        self._judge = judge
        self._places: Mapping[RecordSlot, list[FoundSlot]] = {slot.slot: slots_of(record, slot) for slot in layout.slots}
        self._targets: dict[Element, Target | Finding] = {}
        self._findings: list[Finding] = []

    def examine(self, *, judges_all: bool) -> Examination:
        self._findings += _layout_findings(self._layout, self._expectation)
        identity, problems = identify(self._record, self._layout, self._expectation)
        self._findings += problems
        target, standings = self._slots(judges_all=judges_all)
        request = target.request if target is not None and not self._findings else None
        return Examination(self._layout.id, identity, standings, tuple(self._findings), request)

    def fitting_request(self) -> SlotRequest | None:
        self._findings += _layout_findings(self._layout, self._expectation)
        target, _ = self._slots(judges_all=False)
        return target.request if target is not None and not self._findings else None

    def _slots(self, *, judges_all: bool) -> tuple[Target | None, tuple[SlotStanding, ...]]:
        """What is to be signed, and how every slot stands."""
        own = self._layout.slot_of(self._expectation.plan.role)
        target = self._own_target(own)
        if own is not None and target is not None:
            self._findings += self._unfinished(own, target)
        standings = self._standings(own, judges_all=judges_all)
        if own is not None:
            subject_id = self._expectation.plan.subject_id if own.slot is RecordSlot.SUBJECT_TEACHER else ""
            self._findings += order_findings(self._layout, own, subject_id, standings)
            self._findings += self._uncovered(own)
        self._findings += self._strays()
        return target, standings

    def _own_target(self, own: LayoutSlot | None) -> Target | None:
        plan = self._expectation.plan
        if own is None:
            self._findings.append(found(Wording.SLOT_MISSING, slot=plan.slot.value if plan.slot else plan.role.value))
            return None
        place = locate(self._record, self._layout, self._places[own.slot], own, plan.subject_id)
        target = place if isinstance(place, Finding) else self._target(place)
        if isinstance(target, Finding):
            self._findings.append(target)
            return None
        return target

    def _target(self, place: FoundSlot) -> Target | Finding:
        """What the place's signature must sign, looked for once."""
        if place.element not in self._targets:
            self._targets[place.element] = target_of(self._record, self._layout, place)
        return self._targets[place.element]

    def _standings(self, own: LayoutSlot | None, *, judges_all: bool) -> tuple[SlotStanding, ...]:
        before = () if own is None else self._layout.before(own)
        return tuple(
            self._standing(place, judged=judges_all or slot in before) for slot in self._layout.slots for place in self._places[slot.slot]
        )

    def _standing(self, place: FoundSlot, *, judged: bool) -> SlotStanding:
        slot, location = place.slot.slot, self._record.path(place.element)
        if not place.signatures:
            return SlotStanding(slot, Standing.UNSIGNED, place.subject_id, location=location)
        if not judged:
            return SlotStanding(slot, Standing.UNJUDGED, place.subject_id, location=location)
        target = self._target(place)
        if isinstance(target, Finding):
            return SlotStanding(slot, Standing.INVALID, place.subject_id, flaw=Flaw.MISPLACED, location=location)
        verdict = self._judge(place.signatures[0], target.request)
        standing = Standing.VALID if verdict.flaw is None else Standing.INVALID
        return SlotStanding(slot, standing, place.subject_id, verdict.signer_subject, verdict.flaw, location)

    def _unfinished(self, own: LayoutSlot, target: Target) -> Iterator[Finding]:
        """Results inside what this signature signs, or around it: a subject's teacher does not wait for the other subjects."""
        for results in self._layout.results:
            if not self._record.find(results.each):
                if any(results.each.startswith(f"{reference.element}/") for reference in own.references):
                    yield found(Wording.RESULTS_UNFINISHED, results.each, what=_tag(results.each), count=1)
                continue
            lacking = ((each, need) for need in results.needs for each in self._record.lacking(results.each, need))
            missing = [(each, need) for each, need in lacking if _concerns(each, target.elements)]
            if missing:
                first, need = missing[0]
                yield found(Wording.RESULTS_UNFINISHED, self._record.path(first), what=_tag(need), count=len(missing))

    def _uncovered(self, own: LayoutSlot) -> Iterator[Finding]:
        """Elements that need a teacher's signature and have no slot for it: asked when somebody signs after the teachers."""
        for earlier in self._layout.before(own):
            if not earlier.covers:
                continue
            targets = [self._target(place) for place in self._places[earlier.slot]]
            covered = {each for target in targets if isinstance(target, Target) for each in target.elements}
            uncovered = [each for each in self._record.find(earlier.covers) if each not in covered]
            if uncovered:
                yield found(Wording.SUBJECT_WITHOUT_SLOT, self._record.path(uncovered[0]), count=len(uncovered))

    def _strays(self) -> Iterator[Finding]:
        places = [place for group in self._places.values() for place in group]
        for place in places:
            if len(place.signatures) > 1:
                yield found(Wording.SIGNATURE_TWICE, self._record.path(place.element), slot=place.slot.slot.value)
        homes = {place.element for place in places}
        for signature in self._record.signatures():
            parent = signature.getparent()
            if parent is None or parent not in homes:
                yield found(Wording.SIGNATURE_ASTRAY, self._record.path(signature), layout=self._layout.id)


def _layout_findings(layout: Layout, expectation: Expectation) -> Iterator[Finding]:
    asked_for = expectation.plan.layout_id
    if asked_for and layout.id != asked_for:
        yield found(Wording.LAYOUT_OTHER, found=layout.id, expected=asked_for)
    if not is_accepted(layout, expectation.today):
        yield found(Wording.LAYOUT_NOT_YET_VALID, found=layout.id, day=f"{layout.valid_from:%d/%m/%Y}")


def _identity_findings(layout: Layout, identity: Identity, expectation: Expectation) -> Iterator[Finding]:
    plan, places = expectation.plan, layout.identifiers
    if identity.school_code != expectation.school_code:
        wording = Wording.SCHOOL_MISMATCH if identity.school_code else Wording.SCHOOL_MISSING
        yield found(wording, places.school_code, expected=expectation.school_code)
    if plan.class_id and identity.class_id != plan.class_id:
        yield found(Wording.OTHER_CLASS, places.class_id, expected=plan.class_id)
    if plan.school_year and identity.school_year != plan.school_year:
        yield found(Wording.OTHER_SCHOOL_YEAR, places.school_year, expected=plan.school_year)


def _concerns(entry: Element, signed: Sequence[Element]) -> bool:
    return any(each is entry or each in entry.iterancestors() or entry in each.iterancestors() for each in signed)


def _tag(path: str) -> str:
    return path.rpartition("/")[2]
