"""What befalls the journal, and what it holds against signing the same ids twice."""

from __future__ import annotations

from signer.errors.access import AccessError
from signer.errors.base import SignerError
from signer.errors.reason import Reason


class JournalUnavailable(SignerError):
    """The journal can't be written, so nothing is signed."""

    reason = Reason.JOURNAL_UNAVAILABLE


class JournalDamaged(SignerError):
    """The journal is not what was written: changed, cut out, reordered or spoiled; `metadata['index']` is the first bad entry."""

    reason = Reason.JOURNAL_DAMAGED


class EntryNotFound(AccessError):
    """The journal has no such entry."""

    reason = Reason.ENTRY_NOT_FOUND


class EntryArchived(AccessError):
    """The entry was moved into an archive file that is not there. Its hashes are: proofs go on. `metadata['file']` names the file."""

    reason = Reason.ENTRY_ARCHIVED


class CheckpointNotFound(AccessError):
    """No checkpoint covers so many entries, or none was made."""

    reason = Reason.CHECKPOINT_NOT_FOUND


class SignatureInProgress(SignerError):
    """Another attempt at the same ids is under way: wait for its outcome. No key was used for this one."""

    reason = Reason.SIGNATURE_IN_PROGRESS


class SignatureSettled(SignerError):
    """The attempt has its outcome already, or the ids their signature: look it up. Nothing was changed."""

    reason = Reason.SIGNATURE_SETTLED
