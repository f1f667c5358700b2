"""What checking records gives back: plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from signer.errors import SignerError
from signer.model import RecordSlot, Role
from signer.records.problem import RecordProblem


@dataclass(frozen=True, slots=True)
class RecordFinding:
    """One thing a record lacks. problem: None for one that this release does not know. message: in Vietnamese, for whoever mends it.

    location: an XPath without values; empty for the whole record. error: why it can't be read, for UNREADABLE.
    """

    problem: RecordProblem | None
    message: str
    location: str = ""
    error: SignerError | None = None


@dataclass(frozen=True, slots=True)
class RecordSlotState:
    """One slot of a record. subject_id: for GVBM. valid: its signature verifies and references what the layout says."""

    slot: RecordSlot | None
    subject_id: str
    signed: bool
    valid: bool
    signer_subject: str


@dataclass(frozen=True, slots=True)
class RecordReport:
    """Whether one record is fit to be signed; findings: what it lacks, empty when it is fit."""

    document_id: str
    record_uuid: str
    layout_id: str
    findings: tuple[RecordFinding, ...]
    slots: tuple[RecordSlotState, ...]

    @property
    def fit(self) -> bool:
        """Whether it may be signed in this role now."""
        return not self.findings


@dataclass(frozen=True, slots=True)
class RecordCheck:
    """A class before any key is used: one report a record, in the order they were given. problems: how many records have each."""

    reports: tuple[RecordReport, ...]
    problems: Mapping[RecordProblem, int]

    @property
    def fit(self) -> tuple[RecordReport, ...]:
        """Those that may be signed."""
        return tuple(report for report in self.reports if report.fit)

    @property
    def unfit(self) -> tuple[RecordReport, ...]:
        """Those that may not."""
        return tuple(report for report in self.reports if not report.fit)


@dataclass(frozen=True, slots=True)
class LayoutSlotInfo:
    """One slot of a layout. place: XPath. references: what its signature signs. after: slots that must be signed before."""

    slot: RecordSlot | None
    roles: tuple[Role, ...]
    place: str
    references: tuple[str, ...]
    optional: bool
    after: tuple[RecordSlot, ...]


@dataclass(frozen=True, slots=True)
class LayoutInfo:
    """A version of the record that the appliance knows; slots in the order of signing."""

    layout_id: str
    display_name: str
    valid_from: datetime
    slots: tuple[LayoutSlotInfo, ...]
