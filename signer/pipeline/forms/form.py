"""What the path asks of every form."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import msgspec

from signer.algorithms import SignatureAlgorithm
from signer.errors import SignerError
from signer.formats.insertions import Additions
from signer.records.register import SignedSlot

if TYPE_CHECKING:
    from signer.pipeline.forms.templates import Templates
    from signer.pipeline.lot import IncomingDocument, Lot


class Signer(msgspec.Struct, frozen=True, array_like=True):
    """Who signs and how, as it was at signing. certificate, chain: DER."""

    certificate: bytes
    chain: tuple[bytes, ...]
    algorithm: SignatureAlgorithm


class Prepared(Protocol):
    """A signed file but for its signature and timestamp."""

    @property
    def to_be_signed(self) -> bytes:
        """The bytes whose digest the key signs."""

    def stamped_bytes(self, signature: bytes) -> bytes:
        """The bytes whose digest a timestamp over the signature covers."""

    def additions(self, templates: Templates, signer: Signer, signature: bytes, timestamp: bytes | None) -> Additions:
        """What makes the signed file. timestamp: a TimeStampToken, DER. InternalError when there is no room for it."""


PreparedT_co = TypeVar("PreparedT_co", bound=Prepared, covariant=True)


class Arrived(Protocol):
    """A document at step 3."""

    @property
    def document(self) -> IncomingDocument:
        """As it came."""

    @property
    def source(self) -> hashlib._Hash:
        """SHA-256 after all of it; to be copied, never updated."""


@dataclass(frozen=True, slots=True)
class Preparation(Generic[PreparedT_co]):
    """prepared, and how long a document worker took. slot: of a record, for its register; None for what is none."""

    prepared: PreparedT_co
    document_s: float = 0.0
    slot: SignedSlot | None = None


class Form(Protocol[PreparedT_co]):
    """How documents of one profile are prepared."""

    async def prepare(self, lot: Lot, arrived: Sequence[Arrived]) -> Sequence[Preparation[PreparedT_co] | SignerError]:
        """Steps 3 and 4: a preparation or an error for each, in order. May be cancelled: no key is near."""
