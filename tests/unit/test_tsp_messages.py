from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
import rfc3161_client
from asn1crypto import tsp as asn1_tsp
from hypothesis import given
from hypothesis import strategies as st

from signer.algorithms import DigestAlgorithm
from signer.errors import TimestampInvalid
from signer.formats import der
from signer.timestamp import tsp
from signer.timestamp.tsp import PkiFailure, RequestRefused, TimestampRequest

IMPRINT = hashlib.sha256(b"document").digest()
REQUEST = TimestampRequest(IMPRINT, DigestAlgorithm.SHA256, nonce=42, with_certificates=True)
SHA1_IDENTIFIER = der.sequence(der.oid("1.3.14.3.2.26"), der.NULL)
ONE = der.integer(1)
SHA256_IMPRINT = tsp.message_imprint(IMPRINT, DigestAlgorithm.SHA256)


@st.composite
def requests(draw: st.DrawFn) -> TimestampRequest:
    digest_algorithm = draw(st.sampled_from(DigestAlgorithm))
    return TimestampRequest(
        draw(st.binary(min_size=digest_algorithm.size_bytes, max_size=digest_algorithm.size_bytes)),
        digest_algorithm,
        draw(st.none() | st.integers(-(2**64), 2**200)),
        draw(st.none() | st.just("2.999.1.2")),
        draw(st.booleans()),
    )


@given(requests())
def test_requests_are_asn1cryptos_and_read_back(request: TimestampRequest) -> None:
    fields = {
        "version": "v1",
        "message_imprint": {"hash_algorithm": {"algorithm": request.digest_algorithm.value}, "hashed_message": request.imprint},
        "cert_req": request.with_certificates,
    }
    if request.nonce is not None:
        fields["nonce"] = request.nonce
    if request.policy_oid is not None:
        fields["req_policy"] = request.policy_oid
    encoded = tsp.build_request(request)
    assert encoded == asn1_tsp.TimeStampReq(fields).dump(force=True)
    assert tsp.parse_request(encoded) == request


def test_a_request_of_rfc3161_client_is_read() -> None:
    asked = rfc3161_client.TimestampRequestBuilder().data(b"document").hash_algorithm(rfc3161_client.HashAlgorithm.SHA256).build()
    assert tsp.parse_request(asked.as_bytes()) == replace(REQUEST, nonce=asked.nonce)


BROKEN_REQUESTS = {
    "version": (der.sequence(der.integer(2), SHA256_IMPRINT), PkiFailure.BAD_REQUEST, "version 2"),
    "sha-1": (
        der.sequence(ONE, der.sequence(SHA1_IDENTIFIER, der.octet_string(bytes(20)))),
        PkiFailure.BAD_ALGORITHM,
        "1.3.14.3.2.26 is not accepted",
    ),
    "imprint length": (
        der.sequence(ONE, tsp.message_imprint(IMPRINT[:-1], DigestAlgorithm.SHA256)),
        PkiFailure.BAD_DATA_FORMAT,
        "32 bytes, not 31",
    ),
    "extension": (
        der.sequence(ONE, SHA256_IMPRINT, der.explicit(0, der.sequence(der.oid("2.999.1"), der.octet_string(b"")))),
        PkiFailure.UNACCEPTED_EXTENSION,
        "extensions",
    ),
    "default encoded": (der.sequence(ONE, SHA256_IMPRINT, b"\x01\x01\x00"), PkiFailure.BAD_DATA_FORMAT, "FALSE encoded"),
    "trailing bytes": (tsp.build_request(REQUEST) + b"\x00", PkiFailure.BAD_DATA_FORMAT, "left over"),
    "cut short": (tsp.build_request(REQUEST)[:-1], PkiFailure.BAD_DATA_FORMAT, "cut short"),
    "huge nonce": (der.sequence(ONE, SHA256_IMPRINT, der.integer(1 << 600)), PkiFailure.BAD_DATA_FORMAT, "nonce of 76 bytes"),
}


@pytest.mark.parametrize(("encoded", "failure", "complaint"), BROKEN_REQUESTS.values(), ids=BROKEN_REQUESTS)
def test_each_wrong_request_is_refused_with_its_own_failure(encoded: bytes, failure: PkiFailure, complaint: str) -> None:
    with pytest.raises(RequestRefused, match=complaint) as refused:
        tsp.parse_request(encoded)
    assert refused.value.failure is failure


@given(st.binary(max_size=100) | st.tuples(requests(), st.integers(0, 60), st.integers(0, 255)))
def test_any_bytes_are_a_request_or_refused(data: bytes | tuple[TimestampRequest, int, int]) -> None:
    if isinstance(data, tuple):
        request, position, octet = data
        flipped = bytearray(tsp.build_request(request))
        flipped[position % len(flipped)] = octet
        data = bytes(flipped)
    try:
        request = tsp.parse_request(data)
    except RequestRefused:
        return
    assert tsp.parse_request(tsp.build_request(request)) == request


def test_a_granted_response_carries_the_timestamp_as_it_is() -> None:
    timestamp = der.sequence(der.octet_string(b"timestamp"))
    assert tsp.parse_response(tsp.granted(timestamp)) == timestamp


@pytest.mark.parametrize("failure", list(PkiFailure))
def test_a_rejection_names_status_failure_and_text(failure: PkiFailure) -> None:
    with pytest.raises(TimestampInvalid) as refused:
        tsp.parse_response(tsp.rejected(failure, "vì lý do"))
    assert refused.value.message == f"status: rejection, {failure.name.lower()}, vì lý do"


@pytest.mark.parametrize("encoded", [b"", b"<html>", der.sequence(), tsp.granted(b""), tsp.granted(der.sequence()) + b"\x00"])
def test_what_is_no_response_is_refused(encoded: bytes) -> None:
    with pytest.raises(TimestampInvalid, match="response: not a TimeStampResp"):
        tsp.parse_response(encoded)
