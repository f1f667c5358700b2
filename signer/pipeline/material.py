"""What is kept of a signature so that a repeat needs no key: signature material, never a document.

A finished signature is what was added to the document, its signature included, and what raised it to its level; a parked one is
everything but its timestamp, a stamped one waits for its document to be raised. Of a document that was raised alone it is the timestamps
and validation data that were appended.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TypeAlias

import msgspec

from signer.algorithms import DigestAlgorithm, SignatureAlgorithm
from signer.errors import InternalError, RequestIdReused
from signer.formats.insertions import Additions
from signer.journal.model import SignatureState, Stored
from signer.model import SOURCE_DIGEST
from signer.pipeline.forms.form import Signer
from signer.pipeline.forms.table import AnyPrepared


class Finished(msgspec.Struct, frozen=True, array_like=True, tag="f"):
    """additions: what makes the signed file; the bare signature of a digest is a file of its own.

    signed_sha256: of the whole signed file; empty where it was completed without the document, and computed when that comes again.
    other_digest: of the same by the evidence plan's algorithm, where that is another one; empty if none was asked for.
    """

    additions: Additions
    signing_time: datetime
    timestamp_time: datetime | None
    certificate_serial: str
    algorithm: SignatureAlgorithm
    signed_sha256: bytes
    other_digest: bytes = b""

    def digest(self, algorithm: DigestAlgorithm) -> bytes:
        """Of the whole signed file; empty where it is not known."""
        if algorithm is SOURCE_DIGEST:
            return self.signed_sha256
        return self.other_digest if len(self.other_digest) == algorithm.size_bytes else b""


class Parked(msgspec.Struct, frozen=True, array_like=True, tag="p"):
    """Signed, timestamp missing.

    is_long_term: of a level above B-T, so a timestamp alone does not complete it: that takes the document.
    """

    prepared: AnyPrepared
    signer: Signer
    signature: bytes
    signing_time: datetime
    certificate_serial: str
    is_long_term: bool = False

    @property
    def imprint(self) -> bytes:
        """What its timestamp covers: SHA-256."""
        return hashlib.sha256(self.prepared.stamped_bytes(self.signature)).digest()


class Stamped(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    """Signed and timestamped, of a level above B-T that is not reached yet: to be raised when its document comes again."""

    parked: Parked
    timestamp: bytes
    timestamp_time: datetime


class Extended(msgspec.Struct, frozen=True, array_like=True, tag="x"):
    """A signed document raised to a level. appended: all that follows what was sent; empty when it had the level.

    timestamp_time, field_name: of the last document timestamp added; None and empty when none was. sha256: of the whole raised file.
    """

    appended: bytes
    timestamp_time: datetime | None
    field_name: str
    sha256: bytes


Material: TypeAlias = Finished | Parked | Stamped | Extended
_decoder: msgspec.msgpack.Decoder[Material] = msgspec.msgpack.Decoder(Material)
encode = msgspec.msgpack.Encoder().encode


def decode(raw: bytes) -> Material:
    """Material as stored; InternalError when the journal holds something else."""
    try:
        return _decoder.decode(raw)
    except (msgspec.MsgspecError, ValueError) as error:  # ValueError: text that is no UTF-8
        raise InternalError(f"stored signature material can't be read: {error}") from error


def stored_material(stored: Stored, document_id: str, fingerprint: bytes) -> Material | None:
    """Step 1: what is stored under ids that came again; None where no signature exists and another attempt is right.

    Raises RequestIdReused when they came with other content or plan, or when the material is past its retention.
    """
    if stored.fingerprint != fingerprint:
        raise RequestIdReused(
            f"document {document_id!r} of this request came before with other content or another plan; use a new request_id",
            documentId=document_id,
        )
    if stored.state not in (SignatureState.RELEASED, SignatureState.PARKED):
        return None
    if not stored.material:
        raise RequestIdReused(
            f"document {document_id!r} of this request was signed, and its signature is past its retention; use the copy you received, "
            "or a new request_id to sign anew",
            documentId=document_id,
        )
    return decode(stored.material)
