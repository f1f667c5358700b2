"""What became of a request's signatures: asked for by their ids, without a key and without their documents."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from signer.client.channel import Connection
from signer.client.convert import item_error, moment, name_of, signature_info
from signer.client.retries import RetryPolicy
from signer.client.unary import call_patiently
from signer.client.values import SignatureInfo
from signer.errors import SignerError
from signer.v1 import signature_pb2, signing_pb2, signing_pb2_grpc

_IDS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class SignatureStanding:
    """Where a signature is. state: the contract's name without prefix, such as `SIGNED` or `UNKNOWN_ID`.

    error: why the last attempt failed. info: what was made, as far as the journal tells. accepted: when its last attempt was. expires:
    until when a repeat of the ids returns the signature.
    """

    document_id: str
    state: str
    error: SignerError | None
    info: SignatureInfo | None
    accepted: datetime | None
    changed: datetime | None
    expires: datetime | None


def read_states(
    connection: Connection,
    policy: RetryPolicy,
    request: signing_pb2.GetSignatureStatesRequest,
    document_ids: Sequence[str] | None,
    timeout_s: float,
) -> Iterator[SignatureStanding]:
    """Page by page; of these ids in their order, or of all that the request has. timeout_s: for each page."""
    stub = signing_pb2_grpc.SigningServiceStub(connection.channel)
    parts = [None] if document_ids is None else [document_ids[at : at + _IDS_AT_ONCE] for at in range(0, len(document_ids), _IDS_AT_ONCE)]
    for part in parts:
        asked = signing_pb2.GetSignatureStatesRequest(school_id=request.school_id, request_id=request.request_id, document_ids=part or ())
        while True:
            page = call_patiently(stub.GetSignatureStates, asked, policy=policy, deadline_s=time.monotonic() + timeout_s)
            yield from map(_standing, page.signatures)
            if not page.next_page_token:
                break
            asked.page_token = page.next_page_token


def _standing(message: signature_pb2.SignatureRecord) -> SignatureStanding:
    return SignatureStanding(
        document_id=message.document_id,
        state=name_of(signature_pb2.SignatureState, message.state, "SIGNATURE_STATE_"),
        error=item_error(message.status),
        info=signature_info(message.info) if message.HasField("info") else None,
        accepted=moment(message.accept_time) if message.HasField("accept_time") else None,
        changed=moment(message.update_time) if message.HasField("update_time") else None,
        expires=moment(message.material_expire_time) if message.HasField("material_expire_time") else None,
    )
