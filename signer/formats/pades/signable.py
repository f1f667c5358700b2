"""May this PDF take one more signature in that field? Asked before anything is written.

ISO 32000-2 12.8.2.2 (DocMDP), 12.8.2.4 (FieldMDP), 12.7.5.5 (signature fields and their locks), 12.7.8 (XFA).

Stricter than pyHanko on purpose:
- it looks for DocMDP in /Perms only and does not ask FieldMDP at all when it signs; here every signature already in the file, and the
  lock of its field, has its say, because a validator would call the new signature an illegal change;
- any XFA form is refused, static ones too: it is a second description of the same pages, which some readers show and others don't;
- a new field's name has no period (12.7.4.2: it would name a child of another field).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pyhanko.pdf_utils.form_tools import enumerate_fields_in
from pyhanko.pdf_utils.generic import DictionaryObject, PdfObject
from pyhanko.pdf_utils.misc import FormFillingError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import FieldMDPSpec, MDPPerm
from pyhanko.sign.validation import read_certification_data

from signer.errors import DocumentLocked, DocumentUnsupported, FieldAlreadySigned, InvalidArgument

_CERTIFIED: Final = "an earlier signature certifies the PDF against any change; sign a copy made before that signature"
_FIELD_LOCKED: Final = "an earlier signature locks this signature field; use a field it leaves open"


def check_signable(reader: PdfFileReader, field_name: str) -> None:
    """Refuse a document that must not get another signature in `field_name`.

    Raises:
        DocumentUnsupported: it has an XFA form.
        FieldAlreadySigned: the field holds a signature.
        InvalidArgument: a field of that name exists and is not a signature field, or the name can't be a new field's.
        DocumentLocked: a certification or a field lock of an earlier signature forbids it.
    """
    form = dictionary_of(reader.root.get("/AcroForm"))
    if "/XFA" in form:
        raise DocumentUnsupported("the PDF holds an XFA form, which readers show differently; flatten it to plain pages")
    _check_field(form, field_name)
    _check_certification(reader)
    for signature, lock in signatures(form):
        _check_lock(lock, field_name)
        for reference in signature.get("/Reference", ()):
            _check_lock(dictionary_of(dictionary_of(reference).get("/TransformParams")), field_name)


def _check_field(form: DictionaryObject, field_name: str) -> None:
    try:
        found = [value for _, value, _ in signature_fields(form, field_name)]
    except FormFillingError as error:
        raise InvalidArgument("a field of that name exists and is no signature field; choose another name", field="field_name") from error
    if any(value is not None for value in found):
        raise FieldAlreadySigned("the signature field is already signed; name another field", fieldName=field_name)
    if not found and "." in field_name:
        raise InvalidArgument("a new signature field's name can't contain a period; choose another name", field="field_name")


def _check_certification(reader: PdfFileReader) -> None:
    certification = read_certification_data(reader)
    if certification is not None and certification.permission is MDPPerm.NO_CHANGES:
        raise DocumentLocked(_CERTIFIED)


def _check_lock(parameters: DictionaryObject, field_name: str) -> None:
    """`parameters`: DocMDP or FieldMDP transform parameters, or a field's /Lock: all use the same keys."""
    if parameters.get("/P") == MDPPerm.NO_CHANGES.value:
        raise DocumentLocked(_CERTIFIED)
    if "/Action" in parameters and FieldMDPSpec.from_pdf_object(parameters).is_locked(field_name):
        raise DocumentLocked(_FIELD_LOCKED, fieldName=field_name)


def signatures(form: DictionaryObject) -> Iterator[tuple[DictionaryObject, DictionaryObject]]:
    """Each signature dictionary in the form, with the /Lock of its field (empty when there is none)."""
    for _, value, field in signature_fields(form):
        if value is not None:
            yield dictionary_of(value), dictionary_of(dictionary_of(field).get("/Lock"))


def signature_fields(form: DictionaryObject, name: str | None = None) -> Iterator[tuple[str, PdfObject | None, PdfObject]]:
    """Full name, /V and reference of each signature field, or of those called `name`."""
    if "/Fields" in form:
        yield from enumerate_fields_in(  # type: ignore[no-untyped-call]  # pyHanko is annotated in part
            form["/Fields"], with_name=name, refs_seen=set(), target_field_type="/Sig"
        )


def dictionary_of(value: PdfObject | None) -> DictionaryObject:
    """The dictionary that `value` is or points at; empty for anything else."""
    target = value.get_object() if value is not None else None  # type: ignore[no-untyped-call]  # pyHanko is annotated in part
    return target if isinstance(target, DictionaryObject) else DictionaryObject()  # type: ignore[no-untyped-call]
