"""The PDF beside a record: of it, only its signatures are known.

It says neither whose it is nor what its results are, and nobody but the field's name tells who signed: fields that are named as slots are
(`GVCN`, `CBQL`, `KY_PHAT_HANH`, as `signer demo` has them) are held against the order; a signature in any other field counts as one before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from signer.model import RecordSlot
from signer.records.order import FLAW_WORDS, Flaw, SlotStanding, Standing
from signer.records.problem import Finding, Wording, found

_SLOTS = {slot.value: slot for slot in RecordSlot}
_ORDER = tuple(RecordSlot)


@dataclass(frozen=True, slots=True)
class PdfSignature:
    """One signature of a PDF, verified. flaw: None for a valid one."""

    field_name: str
    flaw: Flaw | None
    signer_subject: str = ""

    @property
    def slot(self) -> RecordSlot | None:
        """The slot that its field is named as."""
        return _SLOTS.get(self.field_name)


def pdf_standings(signatures: Sequence[PdfSignature]) -> tuple[SlotStanding, ...]:
    """The slots that can be told."""
    return tuple(
        SlotStanding(
            each.slot,
            Standing.VALID if each.flaw is None else Standing.INVALID,
            signer_subject=each.signer_subject,
            flaw=each.flaw,
            location=each.field_name,
        )
        for each in signatures
        if each.slot is not None
    )


def pdf_findings(signatures: Sequence[PdfSignature], own: RecordSlot) -> Iterator[Finding]:
    """What forbids to sign `own` now."""
    for each in signatures:
        if each.flaw is not None:
            en, vi = FLAW_WORDS[each.flaw]
            yield found(Wording.EARLIER_SIGNATURE_INVALID, each.field_name, slot=each.field_name, why=en, why_vi=vi)
        if each.slot is own:
            yield found(Wording.ALREADY_SIGNED, each.field_name, slot=own.value)
        elif each.slot is not None and _ORDER.index(each.slot) > _ORDER.index(own):
            yield found(Wording.SIGNED_TOO_EARLY, each.field_name, slot=each.slot.value, own=own.value)
    if own is RecordSlot.SEAL and not any(each.slot in (None, RecordSlot.PRINCIPAL) for each in signatures):
        yield found(Wording.EARLIER_SIGNATURE_MISSING, slot=RecordSlot.PRINCIPAL.value, own=own.value)
