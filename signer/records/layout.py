"""A layout as a value: which slots one version of the record has, what they reference, and after which others they are signed.

Made by `layout_files.load_layouts`, which checks it; frozen, and as data fit to travel to document workers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated

from pydantic import Field

from signer.algorithms import DigestAlgorithm
from signer.formats.xml.names import Canonicalization
from signer.model import RecordSlot, Role

_NonEmpty = Annotated[str, Field(min_length=1, max_length=1000)]
_XPath = Annotated[str, Field(pattern=r"^/", max_length=1000)]


@dataclass(frozen=True, slots=True)
class Recognition:
    """Which documents are of a layout. root: the root element's tag. present, absent: XPaths that must, and must not, find something."""

    root: _NonEmpty
    present: tuple[_XPath, ...] = ()
    absent: tuple[_XPath, ...] = ()


@dataclass(frozen=True, slots=True)
class Identifiers:
    """Where a record says whose it is; each XPath finds elements of one value, or nothing.

    supplementary: finds something in a record that locks later, its pupil being assessed once more in summer; empty: none does.
    """

    uuid: _XPath
    personal_number: _XPath
    pupil_code: _XPath
    school_code: _XPath
    school_year: _XPath
    class_id: _XPath
    supplementary: Annotated[str, Field(pattern=r"^(/|$)", max_length=1000)] = ""


@dataclass(frozen=True, slots=True)
class Results:
    """When results are finished. each: XPath of what must be there once at least. needs: relative XPaths, with text in each of them."""

    each: _XPath
    needs: Annotated[tuple[_NonEmpty, ...], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class LayoutReference:
    """One element that a slot's signature references.

    element: XPath of exactly one element; `$subject` in it is the slot's subject. id: its Id; empty for whatever Id it has. digest,
    transforms: of the ds:Reference; no transform means C14N 1.0.
    """

    element: _XPath
    id: str = ""
    digest: DigestAlgorithm = DigestAlgorithm.SHA256
    transforms: tuple[_NonEmpty, ...] = ()


@dataclass(frozen=True, slots=True)
class LayoutSlot:
    """One slot, or one for each subject.

    roles: who may sign it. place: XPath of the element that takes the Signature, or of one element a subject. subject: for the latter, the
    relative XPath of the subject's id; empty for a single slot. covers: XPath of the elements each of which must have such a slot. after:
    slots whose signatures must be there and valid before. optional: whether the record is complete without it. canonicalization: of
    SignedInfo.
    """

    slot: RecordSlot
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    place: _XPath
    references: Annotated[tuple[LayoutReference, ...], Field(min_length=1)]
    subject: str = ""
    covers: str = ""
    after: tuple[RecordSlot, ...] = ()
    optional: bool = False
    canonicalization: str = Canonicalization.C14N_10.value


@dataclass(frozen=True, slots=True)
class Layout:
    """One version of the record. valid_from: the first day on which it is accepted."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    display_name: Annotated[str, Field(min_length=1, max_length=200)]
    valid_from: date
    recognition: Recognition
    identifiers: Identifiers
    slots: Annotated[tuple[LayoutSlot, ...], Field(min_length=1)]
    results: tuple[Results, ...] = ()

    def slot(self, slot: RecordSlot) -> LayoutSlot | None:
        """The slot, or None where the layout has none of the kind."""
        return next((each for each in self.slots if each.slot is slot), None)

    def slot_of(self, role: Role) -> LayoutSlot | None:
        """The one slot that a role signs, or None where it signs nothing."""
        return next((each for each in self.slots if role in each.roles), None)

    def before(self, slot: LayoutSlot) -> tuple[LayoutSlot, ...]:
        """Every slot that comes before, also through others, in the layout's order."""
        needed = set(slot.after)
        for each in reversed(self.slots):  # which are listed in the order of signing
            if each.slot in needed:
                needed.update(each.after)
        return tuple(each for each in self.slots if each.slot in needed)
