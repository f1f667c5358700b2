"""SignDigests: bare signatures, or each in a CMS of its own over a document that stays with the caller."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from google.rpc import status_pb2

from signer.config.server import ServerSettings
from signer.errors import InvalidArgument, SignerError
from signer.model import Level, Profile
from signer.pipeline.digests import NO_FIELD, IncomingDigest, SignedDigest, sign_digests
from signer.pipeline.document import sign_documents
from signer.pipeline.engine import Engine
from signer.pipeline.item import SignedDocument
from signer.pipeline.lot import IncomingDocument
from signer.pipeline.material import Finished
from signer.pipeline.observe import Observer
from signer.pipeline.plan import ReadyPlan, make_ready
from signer.pipeline.request import Request
from signer.rpc_status import to_rpc_status
from signer.server import convert
from signer.server.activating import activated, list_proof
from signer.server.limits import duplicate, require_digest_count
from signer.server.served import require_all_served, require_served
from signer.v1 import signing_pb2

_Signed: TypeAlias = SignedDigest | SignedDocument
_Sign: TypeAlias = Callable[[Engine, Request, ReadyPlan, Sequence[IncomingDigest]], Awaitable[Sequence[_Signed | SignerError]]]


async def answer_digests(
    engine: Engine, budget: Request, request: signing_pb2.SignDigestsRequest, settings: ServerSettings
) -> signing_pb2.SignDigestsResponse:
    """One result an item, in order; raises what refuses the whole call. Never cancelled: its task belongs to the engine."""
    require_served(request)
    if not request.items:
        raise InvalidArgument("items must not be empty", field="items")
    profile = Profile.CADES_DIGEST if request.output == signing_pb2.DIGEST_OUTPUT_CMS_DETACHED else Profile.DIGEST
    plan = await make_ready(
        engine,
        budget,
        profile=profile,
        level=_level(request, profile),
        credential_id=convert.identifier(request.credential_id, "credential_id"),
        algorithm=convert.algorithm(request.algorithm),
        placement=NO_FIELD,
    )
    plan = await activated(engine, budget, plan, request.activation)
    require_digest_count(len(request.items), _signature_bytes_max(engine, plan), settings)
    require_all_served(request.items, "items.")
    items = [_incoming(item) for item in request.items]
    unique: dict[str, IncomingDigest] = {}
    for item in items:
        unique.setdefault(item.document_id, item)
    signed = await _SIGN[profile](engine, budget, plan, list(unique.values()))
    by_id = dict(zip(unique, signed, strict=True))
    response = signing_pb2.SignDigestsResponse(certificate_chain=[plan.credential.certificate, *plan.credential.chain])
    results = [by_id[item.document_id] if unique[item.document_id] is item else duplicate(item.document_id) for item in items]
    Observer(engine, plan).observe_all(results)
    told = _Results(plan)
    for item, result in zip(items, results, strict=True):
        response.results.append(told.result(item, result))
    return response


def _incoming(item: signing_pb2.DigestItem) -> IncomingDigest:
    proof = list_proof(item.list_proof, "items.list_proof") if item.HasField("list_proof") else None
    return IncomingDigest(convert.identifier(item.document_id, "items.document_id"), item.digest, proof)


def _level(request: signing_pb2.SignDigestsRequest, profile: Profile) -> Level:
    if profile is Profile.CADES_DIGEST:
        return convert.level(request.level, "level")
    if request.level:
        raise InvalidArgument("level must not be set for bare signatures", field="level")
    return Level.B_B


def _signature_bytes_max(engine: Engine, plan: ReadyPlan) -> int:
    """The longest answer to a digest."""
    template = engine.templates.cades(plan.signer)
    if plan.profile is Profile.DIGEST:
        return template.signature_bytes_max
    return template.size_max(engine.require_timestamper().timestamp_bytes_max if plan.level is not Level.B_B else 0)


async def _sign_cms(
    engine: Engine, budget: Request, plan: ReadyPlan, items: Sequence[IncomingDigest]
) -> Sequence[SignedDocument | SignerError]:
    """The path of documents, each of which is its digest."""
    return await sign_documents(
        engine, budget, plan, [IncomingDocument(item.document_id, item.digest, NO_FIELD, proof=item.proof) for item in items]
    )


_SIGN: Mapping[Profile, _Sign] = {Profile.DIGEST: sign_digests, Profile.CADES_DIGEST: _sign_cms}


class _Results:
    """The results of one call. Bare signatures made together differ in three fields only: one message is filled anew for each."""

    def __init__(self, plan: ReadyPlan) -> None:
        self._plan = plan
        self._made: Finished | None = None
        self._message = signing_pb2.DigestResult(status=status_pb2.Status())

    def result(self, item: IncomingDigest, result: _Signed | SignerError) -> signing_pb2.DigestResult:
        """The result of an item. Good until the next one is asked for: to be copied, as `append` does."""
        if isinstance(result, SignerError):
            return signing_pb2.DigestResult(document_id=item.document_id, status=to_rpc_status(result))
        message, material = self._message, result.material
        if self._made is None or not _is_alike(self._made, material):
            message.info.CopyFrom(convert.signature_info(self._plan, material, "", b""))
            self._made = material
        message.document_id = item.document_id
        message.signature = material.additions.appended
        message.replayed = result.replayed
        convert.fill_stage_times(message.times, result.times)
        return message


def _is_alike(one: Finished, other: Finished) -> bool:
    """Whether the same is said of both: all but the signature, and of digests nothing is said of that."""
    return (
        one.signing_time == other.signing_time
        and one.timestamp_time == other.timestamp_time
        and one.certificate_serial == other.certificate_serial
        and one.algorithm is other.algorithm
    )
