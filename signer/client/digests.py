"""SignDigests, many digests a call, until each has its outcome."""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import islice

from signer.client import convert
from signer.client.authorization_values import Sad
from signer.client.authorizations import activation
from signer.client.retries import RetryPolicy, is_passing
from signer.client.unary import call_patiently
from signer.client.values import DigestResult, Plan, SignedDigests
from signer.model import Profile
from signer.v1 import common_pb2, signing_pb2, signing_pb2_grpc

_PER_CALL = {Profile.DIGEST: 1000, Profile.CADES_DIGEST: 150}
"""What fits an answer of 4 MiB: a CMS with its timestamp has some 12 KB."""


def sign_digests(
    stub: signing_pb2_grpc.SigningServiceStub,
    digests: Mapping[str, bytes],
    plan: Plan,
    request_id: str,
    *,
    sad: Sad | None,
    policy: RetryPolicy,
    timeout_s: float,
) -> SignedDigests:
    """Signs raw digests by their ids; results in the order of `digests`. Raises what ends the whole call; repeat it with the same ids."""
    deadline_s = time.monotonic() + timeout_s
    settled: dict[str, DigestResult] = {}
    chain: tuple[bytes, ...] = ()
    for attempt in range(1, policy.attempts_max + 1):
        is_last = attempt == policy.attempts_max
        pending = [document_id for document_id in digests if document_id not in settled]
        passing: list[DigestResult] = []
        while portion := list(islice(pending, _PER_CALL[plan.profile])):
            del pending[: len(portion)]
            request = _request(plan, request_id, {document_id: digests[document_id] for document_id in portion})
            if sad is not None:
                request.activation.CopyFrom(activation(sad))
            response = call_patiently(stub.SignDigests, request, policy=policy, deadline_s=deadline_s)
            chain = tuple(response.certificate_chain) or chain
            for result in map(_result, response.results):
                if result.error is not None and is_passing(result.error) and not is_last and time.monotonic() < deadline_s:
                    passing.append(result)
                else:
                    settled[result.document_id] = result
        if not passing:
            break
        waits_s = [policy.backoff_s(attempt, result.error) for result in passing if result.error is not None]
        time.sleep(max(0.0, min(max(waits_s), deadline_s - time.monotonic())))
    return SignedDigests(tuple(settled[document_id] for document_id in digests), chain)


def _request(plan: Plan, request_id: str, digests: Mapping[str, bytes]) -> signing_pb2.SignDigestsRequest:
    is_cms = plan.profile is Profile.CADES_DIGEST
    return signing_pb2.SignDigestsRequest(
        request_id=request_id,
        school_id=plan.school_id,
        credential_id=plan.credential_id,
        algorithm=convert.ALGORITHM_NUMBERS[plan.algorithm] if plan.algorithm else common_pb2.SIGNATURE_ALGORITHM_UNSPECIFIED,
        output=signing_pb2.DIGEST_OUTPUT_CMS_DETACHED if is_cms else signing_pb2.DIGEST_OUTPUT_SIGNATURE,
        level=convert.LEVEL_NUMBERS[plan.level] if is_cms else common_pb2.LEVEL_UNSPECIFIED,
        items=[signing_pb2.DigestItem(document_id=document_id, digest=digest) for document_id, digest in digests.items()],
    )


def _result(message: signing_pb2.DigestResult) -> DigestResult:
    error = convert.item_error(message.status)
    if error is not None:
        return DigestResult(message.document_id, error)
    return DigestResult(
        message.document_id,
        signature=message.signature,
        info=convert.signature_info(message.info),
        replayed=message.replayed,
        times=convert.stage_times(message.times),
    )
