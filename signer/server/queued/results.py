"""A document's outcome as it is kept, and as it is handed out again."""

from __future__ import annotations

from typing import Final

import msgspec

from signer.errors import InternalError, ResultExpired, SignerError
from signer.formats.insertions import Additions
from signer.pipeline.batch import ItemOutcome
from signer.pipeline.item import SignedDocument
from signer.pipeline.plan import ReadyPlan
from signer.queue.model import EndedDocument, Ending, Made, QueuedDocument
from signer.rpc_status import to_rpc_status
from signer.server import convert
from signer.v1 import batch_pb2, plan_pb2

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Additions).decode


def ended(outcome: ItemOutcome[SignedDocument], plan: ReadyPlan, portion: int, field_name: str) -> EndedDocument:
    """What is kept of a document that went its way. field_name: the document's own, or the plan's."""
    done = outcome.result
    if isinstance(done, SignerError):
        return failed(outcome.index, outcome.document_id, portion, done)
    result = batch_pb2.DocumentResult(
        document_id=outcome.document_id,
        index=outcome.index,
        replayed=done.replayed,
        info=convert.document_info(plan, done, field_name),
        times=convert.stage_times(done.times),
    )
    made = Made(result.SerializeToString(), _encode(done.additions))
    return EndedDocument(outcome.index, outcome.document_id, portion, Ending.REPLAYED if done.replayed else Ending.SIGNED, "", made)


def failed(index: int, document_id: str, portion: int, error: SignerError) -> EndedDocument:
    """What is kept of a document that failed."""
    shown = document_id[: convert.IDENTIFIER_MAX]
    result = batch_pb2.DocumentResult(document_id=shown, index=index, status=to_rpc_status(error))
    return EndedDocument(index, shown, portion, Ending.FAILED, error.reason.value, Made(result.SerializeToString(), b""))


def handed_out(item: EndedDocument) -> batch_pb2.DocumentResult:
    """The result without its content."""
    if item.made is not None:
        return batch_pb2.DocumentResult.FromString(item.made.result)
    gone = batch_pb2.DocumentResult(document_id=item.document_id, index=item.index)
    gone.status.CopyFrom(to_rpc_status(ResultExpired("the result was acknowledged, or kept too long, and is deleted")))
    return gone


def content(item: EndedDocument, document: QueuedDocument | None, form: int) -> bytes:
    """What is sent of a signed document, in the form asked for."""
    if item.made is None or not item.made.additions:
        return b""
    additions = _decode(item.made.additions)
    if form == plan_pb2.RESULT_FORM_APPENDED_BYTES:
        return additions.appended
    if document is None and not additions.is_alone:
        raise InternalError("a queued document is gone before its result was acknowledged")
    return additions.merge(document.content if document else b"")
