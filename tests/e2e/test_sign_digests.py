"""SignDigests: every algorithm, verified with the public key by an independent library; each digest with a status of its own."""

from __future__ import annotations

import hashlib
from typing import Any

import grpc
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from signer.algorithms import KeyFamily, Padding, SignatureAlgorithm
from signer.errors import BatchTooLarge, CertificateUnusable, InvalidArgument, NotServedYet
from signer.v1 import common_pb2, signing_pb2
from tests.support.calls import fresh_id, intents, reason_of, refused, sign_digests
from tests.support.daemon import World
from tests.support.pki import HASHES

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
CREDENTIALS = {KeyFamily.RSA: ("gvcn", "seal"), KeyFamily.EC: ("ec", "ec384")}
CASES = [(algorithm, credential) for algorithm in SignatureAlgorithm for credential in CREDENTIALS[algorithm.family]]


def number(algorithm: SignatureAlgorithm) -> Any:
    return common_pb2.SignatureAlgorithm.Value(f"SIGNATURE_ALGORITHM_{algorithm.name}")


def verify(
    public_key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey, algorithm: SignatureAlgorithm, signature: bytes, digest: bytes
) -> None:
    """Raises InvalidSignature."""
    hashed = HASHES[algorithm.digest]()
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        public_key.verify(signature, digest, ec.ECDSA(Prehashed(hashed)))
    elif algorithm.padding is Padding.PSS:
        scheme = padding.PSS(padding.MGF1(HASHES[algorithm.digest]()), hashed.digest_size)
        public_key.verify(signature, digest, scheme, Prehashed(hashed))
    else:
        public_key.verify(signature, digest, padding.PKCS1v15(), Prehashed(hashed))


@pytest.mark.parametrize(("algorithm", "credential"), CASES, ids=lambda value: value if isinstance(value, str) else value.value)
def test_every_algorithm_makes_signatures_that_verify(
    algorithm: SignatureAlgorithm, credential: str, school: grpc.Channel, world: World
) -> None:
    digests = {f"d{index}": hashlib.new(algorithm.digest.value, b"%d" % index).digest() for index in range(5)}
    answer = sign_digests(school, digests, credential_id=credential, algorithm=number(algorithm))
    public_key = world.token.key(credential).public_key
    assert [result.document_id for result in answer.results] == list(digests), "in the order of the request"
    for result in answer.results:
        assert result.status.code == 0
        verify(public_key, algorithm, result.signature, digests[result.document_id])
        with pytest.raises(InvalidSignature):
            verify(public_key, algorithm, result.signature, bytes(len(digests["d0"])))
        assert (result.info.credential_id, result.info.algorithm) == (credential, number(algorithm))
    assert answer.certificate_chain[0] == world.token.key(credential).certificate_der
    assert len(answer.certificate_chain) == 2


def test_bare_digests_claim_neither_profile_nor_level_nor_a_document(school: grpc.Channel) -> None:
    (result,) = sign_digests(school, {"d": bytes(32)}).results
    assert (result.info.profile, result.info.level) == (common_pb2.PROFILE_UNSPECIFIED, common_pb2.LEVEL_UNSPECIFIED)
    assert (result.info.source_sha256, result.info.signed_sha256, result.info.field_name) == (b"", b"", "")
    assert result.times.token.ToNanoseconds() > 0


def test_many_digests_of_one_call_are_all_signed_once(school: grpc.Channel, world: World) -> None:
    request_id = fresh_id()
    digests = {f"d{index}": hashlib.sha256(b"%d" % index).digest() for index in range(1500)}
    answer = sign_digests(school, digests, credential_id="ec", request_id=request_id)
    assert [result.status.code for result in answer.results] == [0] * len(digests)
    assert len({result.signature for result in answer.results}) == len(digests)
    assert sorted(intents(world.folder / "shared.db", request_id)) == sorted(digests)


def test_a_digest_of_the_wrong_length_fails_alone_and_uses_no_key(school: grpc.Channel, world: World) -> None:
    request_id = fresh_id()
    answer = sign_digests(school, {"good": bytes(32), "short": bytes(31), "long": bytes(48), "empty": b""}, request_id=request_id)
    assert [reason_of(result.status) if result.status.code else "OK" for result in answer.results] == ["OK", *["INVALID_ARGUMENT"] * 3]
    assert [bool(result.signature) for result in answer.results] == [True, False, False, False]
    assert intents(world.folder / "shared.db", request_id) == ["good"]


def test_a_document_id_that_comes_twice_fails_in_its_later_item(school: grpc.Channel, world: World) -> None:
    request_id = fresh_id()
    items = [signing_pb2.DigestItem(document_id=name, digest=bytes([index]) * 32) for index, name in enumerate(("a", "b", "a"))]
    answer = sign_digests(school, {}, items=items, request_id=request_id)
    assert [result.document_id for result in answer.results] == ["a", "b", "a"]
    assert [result.status.code for result in answer.results[:2]] == [0, 0]
    assert reason_of(answer.results[2].status) == "DUPLICATE_DOCUMENT_ID"
    assert answer.results[2].signature == b""
    verify(world.token.key("gvcn").public_key, SignatureAlgorithm.RSA_PKCS1_SHA256, answer.results[0].signature, bytes(32))
    assert sorted(intents(world.folder / "shared.db", request_id)) == ["a", "b"]


@pytest.mark.parametrize(
    ("changes", "kind", "field"),
    [
        ({"items": []}, InvalidArgument, "items"),
        ({"algorithm": 99}, InvalidArgument, "algorithm"),
        ({"output": 99}, InvalidArgument, "output"),
        ({"level": common_pb2.LEVEL_B_B}, InvalidArgument, "level"),
        ({"output": signing_pb2.DIGEST_OUTPUT_CMS_DETACHED, "level": common_pb2.LEVEL_B_LT}, NotServedYet, None),
        ({"approval_ids": ["a"]}, NotServedYet, None),
        ({"credential_id": "expired!"}, InvalidArgument, "credential_id"),
        ({"credential_id": "bare"}, CertificateUnusable, None),
        ({"credential_id": "wrong-usage"}, CertificateUnusable, None),
    ],
    ids=str,
)
def test_a_wrong_call_is_refused_as_a_whole_and_uses_no_key(
    changes: dict[str, Any], kind: type, field: str | None, school: grpc.Channel, world: World
) -> None:
    request_id = fresh_id()
    with refused(kind, **({"field": field} if field else {})):
        sign_digests(school, {"d": bytes(32)}, **({"request_id": request_id} | changes))
    assert intents(world.folder / "shared.db", request_id) == []


def test_more_digests_than_an_answer_can_hold_are_refused_before_the_key_is_used(school: grpc.Channel, world: World) -> None:
    """10,000 RSA signatures would not fit the default message: the call would fail after the key was used, and each repeat as well."""
    request_id = fresh_id()
    with refused(BatchTooLarge) as caught:
        sign_digests(school, {f"d{index}": bytes(32) for index in range(10_000)}, request_id=request_id)
    assert caught.value.metadata["limitCount"] == "4000"
    assert intents(world.folder / "shared.db", request_id) == []


def test_as_many_digests_as_the_limit_says_can_be_answered(school: grpc.Channel) -> None:
    answer = sign_digests(school, {f"{index:0128}": bytes(32) for index in range(4000)}, credential_id="ec")
    assert [result.status.code for result in answer.results] == [0] * 4000
