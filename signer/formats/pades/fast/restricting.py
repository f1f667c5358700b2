"""What a signature allows afterwards, written: certification and field lock (ISO 32000-2 12.7.5.5, 12.8.1 table 256, 12.8.2)."""

from __future__ import annotations

from typing import Final

from signer.formats.pades.fast.fallback import FallbackReason, HandOver
from signer.formats.pades.fast.form import FoundField
from signer.formats.pades.fast.strings import write_text
from signer.model import DocMdp, FieldLock, FieldPlacement, LockAction

_ACTIONS: Final = {LockAction.ALL: b"/All", LockAction.INCLUDE: b"/Include", LockAction.EXCLUDE: b"/Exclude"}
_DOC_MDP: Final = b"<< /Type /SigRef /TransformMethod /DocMDP /TransformParams << /Type /TransformParams /V /1.2 /P %d >> >>"
_FIELD_MDP: Final = b"<< /Type /SigRef /TransformMethod /FieldMDP /Data %d 0 R /TransformParams << /Type /TransformParams /V /1.2 %b >> >>"
_LOCK: Final = b"<< /Type /SigFieldLock %b >>"
PERMISSIONS: Final = b"<< /DocMDP %d 0 R >>"


def check_restricting(placement: FieldPlacement, found: FoundField) -> None:
    """HandOver for what the complete path refuses: to certify after a signature, or to lock with a field that signatures cover."""
    if found.is_form_signed and (placement.doc_mdp or (placement.field_lock and found.field)):
        raise HandOver(FallbackReason.PLACEMENT)


def write_references(doc_mdp: DocMdp | None, lock: FieldLock | None, catalog_number: int) -> bytes:
    """The signature dictionary's /Reference; nothing where it restricts nothing. A lock repeats /P, as Adobe's does."""
    references = [] if doc_mdp is None else [_DOC_MDP % doc_mdp.permission]
    if lock is not None:
        locked = _write_locked(lock) + (b"" if doc_mdp is None else b" /P %d" % doc_mdp.permission)
        references.append(_FIELD_MDP % (catalog_number, locked))
    return b"\n/Reference [%b]" % b"\n".join(references) if references else b""


def write_lock(lock: FieldLock) -> bytes:
    """The field's /Lock."""
    return _LOCK % _write_locked(lock)


def _write_locked(lock: FieldLock) -> bytes:
    """UnicodeEncodeError for names that Unicode can't write."""
    action = b"/Action " + _ACTIONS[lock.action]
    return action if lock.action is LockAction.ALL else b"%b /Fields [%b]" % (action, b" ".join(map(write_text, lock.fields)))
