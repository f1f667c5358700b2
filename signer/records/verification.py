"""What a signed record is held against when it is verified: which slots it has, what they must sign, and whether their order was kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from signer.formats.xml.search import Finder
from signer.records.finding import Target, slots_of, target_of
from signer.records.layout import Layout
from signer.records.order import SlotStanding, Standing, earlier_findings
from signer.records.reading import Record, recognise
from signer.validation.report import DocumentReport, SlotReport
from signer.validation.xml import SlotExpectation


@dataclass(frozen=True, slots=True)
class RecordRules:
    """A record's layout, and its slots as `validation.xml.verify_xml` takes them.

    A slot that does not follow the layout is left out, so that a signature in it stands nowhere.
    """

    layout: Layout
    expectations: tuple[SlotExpectation, ...]

    def with_order(self, report: DocumentReport) -> DocumentReport:
        """The report, with `order_right` for each slot that is signed."""
        standings = [_standing(each) for each in report.slots]
        return replace(report, slots=tuple(self._judged(each, standings) for each in report.slots))

    def _judged(self, report: SlotReport, standings: Sequence[SlotStanding]) -> SlotReport:
        own = self.layout.slot(report.slot)
        is_right = bool(report.signature) and own is not None and not any(earlier_findings(self.layout, own, standings))
        return replace(report, order_right=is_right)


def rules_of(finder: Finder, layouts: Sequence[Layout]) -> RecordRules | None:
    """The rules of a parsed record; None for what is no record."""
    record = Record(finder)
    layout = recognise(record, layouts)
    if layout is None:
        return None
    places = [place for slot in layout.slots for place in slots_of(record, slot)]
    targets = [(place, target_of(record, layout, place)) for place in places]
    return RecordRules(
        layout,
        tuple(
            SlotExpectation(place.slot.slot, target.request, place.subject_id) for place, target in targets if isinstance(target, Target)
        ),
    )


def _standing(report: SlotReport) -> SlotStanding:
    if not report.signature:
        return SlotStanding(report.slot, Standing.UNSIGNED, report.subject_id)
    return SlotStanding(report.slot, Standing.VALID if report.references_right else Standing.INVALID, report.subject_id)
