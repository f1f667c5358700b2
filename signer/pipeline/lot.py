"""What a lot of documents is while it takes its steps together: values of `document` and `finishing`, and the few moves they share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import msgspec

from signer.errors import InternalError, SignerError
from signer.formats.pades.update import PreparedUpdate
from signer.model import FieldPlacement, SignatureKey, StageTimes
from signer.pipeline.doors import KeyDoor, Stamp
from signer.pipeline.engine import Engine
from signer.pipeline.key_use import KeyUse
from signer.pipeline.material import Finished, Parked
from signer.pipeline.plan import ReadyPlan, fingerprint
from signer.pipeline.request import Request

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class IncomingDocument:
    """One document as it came. placement: the plan's, or this document's own."""

    document_id: str
    content: bytes
    placement: FieldPlacement


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """A released signature. appended: what follows the original. replayed: a stored outcome was returned, no key was used."""

    source_sha256: bytes
    material: Finished
    times: StageTimes
    replayed: bool

    @property
    def appended(self) -> bytes:
        """The bytes to append to the document that was sent."""
        return self.material.appended


@dataclass(slots=True, eq=False)
class Item:
    """One document on its path; each step fills its part.

    source: hash state after the whole original, so that no step hashes it again. result: set as soon as the item has ended; an ended item
    takes no further step. attempt: the intent's number. is_parked: whether the journal holds what a repeat can complete. used: None when an
    earlier run signed it.
    """

    document: IncomingDocument
    key: SignatureKey
    source: hashlib._Hash
    fingerprint: bytes
    result: SignedDocument | SignerError | None = None
    update: PreparedUpdate | None = None
    signed_attributes: bytes = b""
    digest: bytes = b""
    document_s: float = 0.0
    used: KeyUse | None = None
    attempt: int = 0
    is_parked: bool = False
    parked: Parked | None = None
    stamp: Stamp | None = None
    stamp_s: float = 0.0
    finished: Finished | None = None


@dataclass(frozen=True, slots=True)
class Lot:
    """What the items of one call to `sign_documents` share. signing_time: claimed in /M."""

    engine: Engine
    request: Request
    plan: ReadyPlan
    signing_time: datetime

    @property
    def door(self) -> KeyDoor:
        """The token of the plan's credential."""
        return self.engine.keys[self.plan.credential.token_name]


def new_item(lot: Lot, document: IncomingDocument) -> Item:
    """A document at the beginning of its path."""
    source = hashlib.sha256(document.content)
    key = SignatureKey(lot.request.school_id, lot.request.request_id, document.document_id)
    return Item(document, key, source, fingerprint(lot.plan, document.placement, source.digest()))


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
    if not finished.signed_sha256:
        whole = item.source.copy()
        whole.update(finished.appended)
        finished = msgspec.structs.replace(finished, signed_sha256=whole.digest())
    wanted = lot.plan.evidence
    if wanted is not None and not finished.digest(wanted):
        other = hashlib.new(wanted.value, item.document.content)
        other.update(finished.appended)
        finished = msgspec.structs.replace(finished, other_digest=other.digest())
    return finished


def known(value: _T | None) -> _T:
    """A part that an earlier step has filled; InternalError when it has not."""
    if value is None:
        raise InternalError("a step was taken before the one it needs")
    return value
