"""The interactive form: may it take this signature, and what changes in it (ISO 32000-2 12.7.3, 12.7.5.5, 12.8.2).

Taken are forms whose fields all stand in /Fields itself, each with its own /FT and /T. Anything that could forbid a signature (field
locks, seed values, transform methods of earlier signatures, XFA) is handed over: the complete path weighs it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from signer.formats.pades.appearance.artwork import Box
from signer.formats.pades.appearance.place import box_of
from signer.formats.pades.fast.changes import Changes
from signer.formats.pades.fast.fallback import FallbackReason, HandOver
from signer.formats.pades.fast.objects import Objects
from signer.formats.pades.fast.strings import read_text
from signer.formats.pades.fast.syntax import SPACE, Array, Dictionary, read_references

_FIELDS_MAX: Final = 2048
_TREE_OR_RULES: Final = frozenset((b"Kids", b"Parent", b"Lock", b"SV"))
_SIG_FLAGS: Final = b"3"  # SignaturesExist and AppendOnly (table 225)
_rectangle: Final = re.compile(rb"\[(?:" + SPACE + rb"*+[+-]?[\d.]++(?![^\x00\t\n\f\r \]])){4}" + SPACE + rb"*+\]").fullmatch


@dataclass(frozen=True, slots=True)
class Form:
    """dictionary: the AcroForm, in the catalog or an object of its own. fields: its /Fields where that is an object of its own."""

    dictionary: Dictionary
    fields: Array | None

    def field_numbers(self) -> list[int]:
        """The object numbers of its fields."""
        return read_references(self.dictionary.values.get(b"Fields", b"[]") if self.fields is None else self.fields.value)


def read_form(objects: Objects, catalog: Dictionary, changes: Changes) -> Form | None:
    """The catalog's form, ready to be changed; None where there is none."""
    if b"AcroForm" not in catalog.values:
        return None
    number = catalog.reference(b"AcroForm") if catalog.indirect(b"AcroForm") else None
    if number is None:
        dictionary = catalog.dictionary(b"AcroForm")
    else:
        dictionary = objects.dictionary(number)
        changes.of(dictionary)
    if b"XFA" in dictionary.values:
        raise HandOver(FallbackReason.XFA)
    if not dictionary.indirect(b"Fields"):
        return Form(dictionary, None)
    fields = objects.array(dictionary.reference(b"Fields") or 0)
    changes.of(fields)
    return Form(dictionary, fields)


@dataclass(frozen=True, slots=True)
class FoundField:
    """field: the empty signature field that was asked for, None where there is none. is_form_signed: whether another one is signed."""

    field: Dictionary | None
    is_form_signed: bool


def find_field(objects: Objects, form: Form | None, field_name: str) -> FoundField:
    """The empty signature field of that name.

    Raises:
        HandOver: the name is taken, or any field or signature is not as usual.
    """
    if form is None:
        return FoundField(None, is_form_signed=False)
    numbers = form.field_numbers()
    if len(numbers) > _FIELDS_MAX or len(set(numbers)) != len(numbers):
        raise HandOver(FallbackReason.FORM)
    found: Dictionary | None = None
    is_form_signed = False
    for number in numbers:
        field = objects.dictionary(number)
        signed = _check_field(objects, field)
        is_form_signed = is_form_signed or signed is True
        if read_text(field.values.get(b"T", b"")) == field_name:
            if found is not None or signed is not False:
                raise HandOver(FallbackReason.FIELD_TAKEN)
            found = field
    return FoundField(found, is_form_signed)


def _check_field(objects: Objects, field: Dictionary) -> bool | None:
    """Whether a signature field is signed; None for a field of another type."""
    if not _TREE_OR_RULES.isdisjoint(field.values):
        raise HandOver(FallbackReason.FORM)
    kind = field.values.get(b"FT")
    if kind is None or not kind.startswith(b"/") or b"#" in kind:
        raise HandOver(FallbackReason.FORM)
    if kind != b"/Sig":
        return None
    number = field.reference(b"V")
    if number is not None and b"Reference" in objects.dictionary(number).values:
        raise HandOver(FallbackReason.TRANSFORM)
    return number is not None


def read_rectangle(field: Dictionary) -> Box | None:
    """An existing field's place, None where it has no extent. HandOver when its /Rect is not four numbers, or it is no widget by itself."""
    value = field.values.get(b"Rect")
    if value is None:
        return None
    if _rectangle(value) is None:
        raise HandOver(FallbackReason.FORM)
    return read_box(value)


def read_flags(field: Dictionary) -> int:
    """A widget's /F, 0 where it has none. HandOver when the field has its widget elsewhere."""
    if field.values.get(b"Subtype") != b"/Widget":
        raise HandOver(FallbackReason.FORM)
    return field.integer(b"F") or 0


def read_box(value: bytes) -> Box | None:
    """A rectangle written as four numbers; HandOver when it is not, None when it has no extent."""
    if _rectangle(value) is None:
        raise HandOver(FallbackReason.PAGE)
    try:
        left, bottom, right, top = (float(number) for number in value[1:-1].split())
    except ValueError as error:
        raise HandOver(FallbackReason.PAGE) from error
    return box_of((left, bottom, right, top))


def mark_signed(form: Form, changes: Changes) -> None:
    """SignaturesExist and AppendOnly; no appearances to be made anew, which would change what was signed."""
    if form.dictionary.values.get(b"SigFlags") != _SIG_FLAGS:
        changes.put(form.dictionary, b"SigFlags", _SIG_FLAGS)
    changes.drop(form.dictionary, b"NeedAppearances")


def add_field(form: Form, field_number: int, changes: Changes) -> None:
    """Names a new field in /Fields."""
    reference = b"%d 0 R" % field_number
    if form.fields is not None:
        changes.append(form.fields, reference)
    elif b"Fields" in form.dictionary.values:
        changes.append(form.dictionary.array(b"Fields"), reference)
    else:
        changes.put(form.dictionary, b"Fields", b"[" + reference + b"]")
