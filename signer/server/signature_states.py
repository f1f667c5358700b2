"""SigningService.GetSignatureStates: what became of signatures, without a key and without their documents."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from signer.algorithms import SignatureAlgorithm
from signer.errors import BatchTooLarge, Reason, leaves
from signer.journal.log import JournalLog
from signer.journal.states import Becoming, KeptState
from signer.model import Level, Profile, Role
from signer.rpc_status import to_rpc_status
from signer.server import convert
from signer.server.door import current_visit
from signer.v1 import common_pb2, signature_pb2, signing_pb2

_PAGE_MAX: Final = 1_000
_IDS_MAX: Final = 10_000
_UNKNOWN: Final = signature_pb2.SIGNATURE_STATE_UNKNOWN_ID
_NUMBERS: Final[dict[Becoming, Any]] = {each: signature_pb2.SignatureState.Value(f"SIGNATURE_STATE_{each.name}") for each in Becoming}
_REASONS: Final = {reason.value: kind for reason, kind in leaves().items()}


async def answer_states(
    log: JournalLog, retention: timedelta, request: signing_pb2.GetSignatureStatesRequest
) -> signing_pb2.GetSignatureStatesResponse:
    """A page of states: of the ids asked for in their order, or of all that the request has, by id.

    Raises SchoolNotFound, BatchTooLarge (too many ids), InvalidArgument.
    """
    budget = current_visit().request(
        convert.identifier(request.school_id, "school_id"), convert.identifier(request.request_id, "request_id")
    )
    limit = min(request.page_size or _PAGE_MAX, _PAGE_MAX)
    after = convert.identifier(request.page_token, "page_token") if request.page_token else ""
    response = signing_pb2.GetSignatureStatesResponse()
    if not request.document_ids:
        found = await log.states(budget.school_id, budget.request_id, None, after=after, limit=limit)
        response.signatures.extend(_record(each, retention) for each in found)
        response.next_page_token = found[-1].document_id if len(found) == limit else ""
        return response
    if len(request.document_ids) > _IDS_MAX:
        raise BatchTooLarge(f"at most {_IDS_MAX} document_ids at once", limitCount=_IDS_MAX)
    wanted = [convert.identifier(each, "document_ids") for each in request.document_ids]
    start = wanted.index(after) + 1 if after in wanted else 0
    page = wanted[start : start + limit]
    by_id = {each.document_id: each for each in await log.states(budget.school_id, budget.request_id, page)}
    for document_id in page:
        kept = by_id.get(document_id)
        unknown = signature_pb2.SignatureRecord(document_id=document_id, state=_UNKNOWN)
        response.signatures.append(unknown if kept is None else _record(kept, retention))
    response.next_page_token = page[-1] if start + limit < len(wanted) else ""
    return response


def _record(kept: KeptState, retention: timedelta) -> signature_pb2.SignatureRecord:
    made = signature_pb2.SignatureRecord(
        document_id=kept.document_id,
        state=_NUMBERS[kept.becoming],
        accept_time=convert.timestamp(kept.accepted),
        update_time=convert.timestamp(kept.changed),
    )
    if kept.becoming in {Becoming.SIGNED, Becoming.TIMESTAMP_PENDING}:
        made.info.CopyFrom(_info(kept))
    if kept.reason:
        kind = _REASONS.get(kept.reason, _REASONS[Reason.SIGNATURE_OUTCOME_UNKNOWN.value])
        made.status.CopyFrom(to_rpc_status(kind(f"the attempt ended with {kept.reason}; repeat the ids to try anew")))
    if kept.stored is not None:
        made.material_expire_time.CopyFrom(convert.timestamp(kept.stored + retention))
    return made


def _info(kept: KeptState) -> signature_pb2.SignatureInfo:
    intent = kept.intent
    profile, _, level = str(intent["plan"]).partition("/")
    info = signature_pb2.SignatureInfo(
        credential_id=intent["credential"],
        certificate_serial=intent["certificate"],
        authorization_id=intent.get("authorization", ""),
        acting_for_person_id=intent.get("actingFor", ""),
    )
    if intent["algorithm"]:
        info.algorithm = convert.ALGORITHM_NUMBERS[SignatureAlgorithm(intent["algorithm"])]
    known = {each.value: each for each in Profile}.get(profile)
    if known is not None and known is not Profile.DIGEST:
        info.profile, info.level = convert.PROFILE_NUMBERS.get(known, 0), convert.LEVEL_NUMBERS[Level(level)]
    if intent.get("role"):
        info.role = common_pb2.Role.Value(f"ROLE_{Role(intent['role']).name}")
    return info
