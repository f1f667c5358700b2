"""What the daemon and a document worker say to one another (bodies of `workers.frames`)."""

from __future__ import annotations

import msgspec

from signer.algorithms import DigestAlgorithm
from signer.formats.pades.fast.fallback import FallbackReason
from signer.model import FieldPlacement


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """START: the limits a worker puts on itself. memory_bytes_max: address space beyond the fresh interpreter's own."""

    name: str
    memory_bytes_max: int
    log_level: str


class PrepareCall(msgspec.Struct, frozen=True, kw_only=True):
    """CALL: prepare one PDF.

    contents_bytes: room for the CMS. signing_time: ISO 8601 with its offset, becomes /M; as text because msgpack's own times lose the zone.
    """

    document: bytes
    placement: FieldPlacement
    signing_time: str
    contents_bytes: int
    digest_algorithm: DigestAlgorithm


class PrepareCalls(msgspec.Struct, frozen=True):
    """CALL: prepare these, in order; a REPLY for each, as it is ready."""

    documents: list[PrepareCall]


class PreparedReply(msgspec.Struct, frozen=True, kw_only=True, tag="prepared"):
    """REPLY: the proposed update, see `formats.pades.update.PreparedUpdate`.

    fallback: why the fast path handed the document to the complete one; None when it did not. An enum, so that a worker that lies can't
    make a metric grow.
    """

    update: bytes
    contents_offset: int
    contents_digits: int
    fallback: FallbackReason | None
    document_s: float


class RefusedReply(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """REPLY: the document can't be signed. reason: of a DocumentError leaf or INVALID_ARGUMENT; any other is not believed."""

    reason: str
    message: str
    metadata: dict[str, str]
