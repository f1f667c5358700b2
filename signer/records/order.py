"""The order of signatures, as a rule on states: which must be there and valid before a slot is signed, and which must not be there yet.

Signatures don't cover one another, so nothing but this keeps a seal from standing over a principal's signature that was never made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from signer.model import RecordSlot
from signer.records.layout import Layout, LayoutSlot
from signer.records.problem import Finding, Wording, found


class Standing(Enum):
    """How a slot stands. UNJUDGED: it is signed, and nobody looked at the signature."""

    UNSIGNED = "unsigned"
    VALID = "valid"
    INVALID = "invalid"
    UNJUDGED = "unjudged"


class Flaw(Enum):
    """What is wrong with an earlier signature."""

    ALTERED = "altered"
    WRONG = "wrong"
    MISPLACED = "misplaced"
    UNTRUSTED = "untrusted"
    OUTDATED = "outdated"
    NOT_UNDERSTOOD = "not-understood"
    NOT_VERIFIED = "not-verified"


FLAW_WORDS = {
    Flaw.ALTERED: ("what it signs was changed afterwards", "dữ liệu đã bị sửa sau khi ký"),
    Flaw.WRONG: ("it was not made with the key of its certificate", "chữ ký không khớp với chứng thư"),
    Flaw.MISPLACED: ("it does not reference exactly what this slot signs", "chữ ký không tham chiếu đúng phần dữ liệu phải ký"),
    Flaw.UNTRUSTED: (
        "its signer's certificate is not trusted, or not valid by now",
        "chứng thư của người ký không được tin cậy hoặc đã hết hiệu lực",
    ),
    Flaw.OUTDATED: ("it uses an algorithm that is not accepted", "thuật toán ký không được chấp nhận"),
    Flaw.NOT_UNDERSTOOD: ("it is of a kind that is not understood", "không hiểu được dạng chữ ký này"),
    Flaw.NOT_VERIFIED: ("it was not verified", "chữ ký chưa được kiểm tra"),
}
"""In English and Vietnamese."""


@dataclass(frozen=True, slots=True)
class SlotStanding:
    """One slot of a record. subject_id: of GVBM. signer_subject: of the certificate. flaw: of an invalid signature."""

    slot: RecordSlot
    standing: Standing
    subject_id: str = ""
    signer_subject: str = ""
    flaw: Flaw | None = None
    location: str = ""

    @property
    def is_signed(self) -> bool:
        """Whether it holds a signature, of whatever worth."""
        return self.standing is not Standing.UNSIGNED

    @property
    def name(self) -> str:
        """For messages: the Ministry's name, with the subject."""
        return f"{self.slot.value} {self.subject_id}" if self.subject_id else self.slot.value


def order_findings(layout: Layout, own: LayoutSlot, subject_id: str, standings: Sequence[SlotStanding]) -> Iterator[Finding]:
    """What forbids to sign `own` now. standings: of every slot of the record; a slot that is not among them is unsigned."""
    for mine in standings:
        if mine.slot is own.slot and mine.subject_id == subject_id and mine.is_signed:
            yield found(Wording.ALREADY_SIGNED, mine.location, slot=mine.name)
    yield from earlier_findings(layout, own, standings)
    for each in standings:
        if each.is_signed and each.slot is not own.slot and own in layout.before(_of(layout, each)):
            yield found(Wording.SIGNED_TOO_EARLY, each.location, slot=each.name, own=own.slot.value)


def earlier_findings(layout: Layout, own: LayoutSlot, standings: Sequence[SlotStanding]) -> Iterator[Finding]:
    """Which signatures that come before `own` are missing or not valid. standings: of every slot of the record."""
    for earlier in layout.before(own):
        yield from _earlier(earlier, own, [each for each in standings if each.slot is earlier.slot])


def _of(layout: Layout, standing: SlotStanding) -> LayoutSlot:
    return next(each for each in layout.slots if each.slot is standing.slot)


def _earlier(slot: LayoutSlot, own: LayoutSlot, standings: Sequence[SlotStanding]) -> Iterator[Finding]:
    unsigned = [each for each in standings if not each.is_signed]
    if slot.subject:
        # A record without subject teachers has no such slots: whether it may is `covers`' to say.
        if unsigned:
            yield found(
                Wording.EARLIER_SUBJECT_MISSING,
                unsigned[0].location,
                slot=slot.slot.value,
                subject=unsigned[0].subject_id,
                count=len(unsigned),
                own=own.slot.value,
            )
    elif not slot.optional and (unsigned or not standings):
        yield found(
            Wording.EARLIER_SIGNATURE_MISSING, unsigned[0].location if unsigned else slot.place, slot=slot.slot.value, own=own.slot.value
        )
    for each in standings:
        if each.standing in (Standing.INVALID, Standing.UNJUDGED):
            en, vi = FLAW_WORDS[each.flaw or Flaw.NOT_VERIFIED]
            yield found(Wording.EARLIER_SIGNATURE_INVALID, each.location, slot=each.name, why=en, why_vi=vi)
