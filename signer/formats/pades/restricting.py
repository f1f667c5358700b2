"""Certifying a PDF and locking its fields with a signature, on the complete path (ISO 32000-2 12.8.2.2 DocMDP, 12.8.2.4 FieldMDP).

pyHanko writes both, from the signature's settings and from its field's /Lock. Here is asked before whether they may be written: what would
break an earlier signature, or say something else than a form's designer wrote into the field, is refused.
"""

from __future__ import annotations

from typing import Final

from pyhanko.pdf_utils.generic import DictionaryObject, NameObject
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import FieldMDPAction, FieldMDPSpec
from pyhanko.sign.signers.pdf_signer import PdfSigningSession

from signer.errors import DocumentLocked, InvalidArgument
from signer.formats.pades.signable import dictionary_of, signature_fields, signatures
from signer.model import FieldLock, FieldPlacement, LockAction

_DOC_MDP: Final = "plan.pades.doc_mdp"
_FIELD_LOCK: Final = "plan.pades.field_lock"
_ACTIONS: Final = {
    LockAction.ALL: FieldMDPAction.ALL,
    LockAction.INCLUDE: FieldMDPAction.INCLUDE,
    LockAction.EXCLUDE: FieldMDPAction.EXCLUDE,
}


def check_restricting(reader: PdfFileReader, placement: FieldPlacement) -> None:
    """Refuse a certification or a lock that this document can't get with this signature.

    Raises:
        DocumentLocked: it is to be certified, and is signed already.
        InvalidArgument: the field has other rules of its own, or can't be given any since earlier signatures cover it.
    """
    form = dictionary_of(reader.root.get("/AcroForm"))
    is_signed = next(signatures(form), None) is not None
    own = _own_lock(form, placement.field_name)
    if placement.doc_mdp is not None:
        if is_signed or "/DocMDP" in dictionary_of(reader.root.get("/Perms")):
            raise DocumentLocked("only the first signature of a PDF can certify it, and this one is signed; sign without certification")
        if own is not None and own.get("/P", placement.doc_mdp.permission) != placement.doc_mdp.permission:
            raise InvalidArgument("the document's field allows other changes than asked for; leave doc_mdp to its own", field=_DOC_MDP)
    if placement.field_lock is not None:
        _check_lock(placement.field_lock, own, is_signed=is_signed)


def _own_lock(form: DictionaryObject, field_name: str) -> DictionaryObject | None:
    """The lock of the existing field of that name, empty if it has none; None where there is no such field."""
    found = [dictionary_of(dictionary_of(field).get("/Lock")) for _, _, field in signature_fields(form, field_name)]
    return found[0] if found else None


def _check_lock(wanted: FieldLock, own: DictionaryObject | None, *, is_signed: bool) -> None:
    if own is None:
        return
    if own and not _equals(FieldMDPSpec.from_pdf_object(own), wanted):
        raise InvalidArgument("the document's field has another lock of its own; leave field_lock to that one", field=_FIELD_LOCK)
    if not own and is_signed:
        raise InvalidArgument(
            "the document's field has no lock, and earlier signatures forbid to give it one; name a new field", field=_FIELD_LOCK
        )


def _equals(own: FieldMDPSpec, wanted: FieldLock) -> bool:
    return own.action is _ACTIONS[wanted.action] and {str(name) for name in own.fields or ()} == set(wanted.fields)


def lock_field(session: PdfSigningSession, wanted: FieldLock | None) -> None:
    """Gives the session's field its /Lock, from which pyHanko makes the signature's FieldMDP reference; a lock it has already stays."""
    field = session.sig_field
    if wanted is None or "/Lock" in field:
        return
    lock = FieldMDPSpec(_ACTIONS[wanted.action], list(wanted.fields)).as_sig_field_lock()
    field[NameObject("/Lock")] = session.pdf_out.add_object(lock)
