"""What one document is on its path: values of `document` and `finishing`, and the few moves they share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from signer.errors import InternalError, SignerError
from signer.formats.insertions import Additions
from signer.model import SOURCE_DIGEST, SignatureKey, StageTimes
from signer.pipeline.doors import Stamp
from signer.pipeline.forms.table import AnyPrepared
from signer.pipeline.key_use import KeyUse
from signer.pipeline.lot import IncomingDocument, Lot
from signer.pipeline.material import Finished, Parked
from signer.pipeline.plan import fingerprint
from signer.records.register import SignedSlot

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """A released signature. replayed: a stored outcome was returned, no key was used."""

    source_sha256: bytes
    material: Finished
    times: StageTimes
    replayed: bool

    @property
    def additions(self) -> Additions:
        """What makes the signed file of the document that was sent."""
        return self.material.additions


@dataclass(slots=True, eq=False)
class Item:
    """One document on its path; each step fills its part.

    source: hash state after the whole original, so that no step hashes it again. result: set as soon as the item has ended; an ended item
    takes no further step. is_admitted: it counts against the quotas. slot: of a record. attempt: the intent's number.
    is_parked: whether the journal holds what a repeat can complete. used: None when an earlier run signed it.
    """

    document: IncomingDocument
    key: SignatureKey
    source: hashlib._Hash
    fingerprint: bytes
    result: SignedDocument | SignerError | None = None
    is_admitted: bool = False
    prepared: AnyPrepared | None = None
    slot: SignedSlot | None = None
    digest: bytes = b""
    document_s: float = 0.0
    used: KeyUse | None = None
    attempt: int = 0
    is_parked: bool = False
    parked: Parked | None = None
    stamp: Stamp | None = None
    stamp_s: float = 0.0
    finished: Finished | None = None

    def require_prepared(self) -> AnyPrepared:
        """As `known`, which would forget that it is one of several kinds."""
        if self.prepared is None:
            raise too_early()
        return self.prepared


def new_item(lot: Lot, document: IncomingDocument) -> Item:
    """A document at the beginning of its path."""
    source = hashlib.sha256(document.content)
    key = SignatureKey(lot.request.school_id, lot.request.request_id, document.document_id)
    name = document.name if lot.plan.signs_names else ""
    return Item(document, key, source, fingerprint(lot.plan, document.placement, source.digest(), name))


def still_going(items: Sequence[Item]) -> list[Item]:
    """Those that have not ended."""
    return [item for item in items if item.result is None]


def take_step(items: Sequence[Item], step: Callable[[Item], None]) -> list[Item]:
    """Takes a step with each item; one that fails ends alone. Returns those that go on."""
    for item in items:
        try:
            step(item)
        except SignerError as error:
            item.result = error
    return still_going(items)


def with_digests(lot: Lot, item: Item, finished: Finished) -> Finished:
    """The same with the digests of the whole signed file, which can't be known where the document is not."""
    original, added = item.document.content, finished.additions
    if not finished.signed_sha256:
        finished = msgspec.structs.replace(finished, signed_sha256=added.digest(original, SOURCE_DIGEST, item.source))
    wanted = lot.plan.evidence
    if wanted is not None and not finished.digest(wanted):
        finished = msgspec.structs.replace(finished, other_digest=added.digest(original, wanted))
    return finished


def known(value: _T | None) -> _T:
    """A part that an earlier step has filled; InternalError when it has not."""
    if value is None:
        raise too_early()
    return value


def too_early() -> InternalError:
    """For a step that needs what is not there yet."""
    return InternalError("a step was taken before the one it needs")
