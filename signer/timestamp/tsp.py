"""The messages of the Time-Stamp Protocol: TimeStampReq (RFC 3161 §2.4.1) and TimeStampResp (§2.4.2), written and strictly read. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from signer.algorithms import DigestAlgorithm
from signer.errors import TimestampInvalid
from signer.formats import der, der_reader
from signer.formats.cms.identifiers import DIGEST_IDENTIFIERS, DIGESTS_BY_OID

_VERSION = 1
_EXTENSIONS = 0xA0
_INTEGER_BYTES_MAX = 64
"""Of nonces: RFC 3161 suggests 64 bits, openssl takes 160; more than this is no nonce but a payload."""


class PkiStatus(Enum):
    """PKIStatus."""

    GRANTED = 0
    GRANTED_WITH_MODS = 1
    REJECTION = 2
    WAITING = 3
    REVOCATION_WARNING = 4
    REVOCATION_NOTIFICATION = 5


class PkiFailure(Enum):
    """PKIFailureInfo: the number of the bit."""

    BAD_ALGORITHM = 0
    BAD_REQUEST = 2
    BAD_DATA_FORMAT = 5
    TIME_NOT_AVAILABLE = 14
    UNACCEPTED_POLICY = 15
    UNACCEPTED_EXTENSION = 16
    ADDITIONAL_INFORMATION_NOT_AVAILABLE = 17
    SYSTEM_FAILURE = 25


class RequestRefused(Exception):
    """A request that gets no timestamp: a regular answer of the protocol. Each door says it in its own words: `rejected` over HTTP."""

    def __init__(self, failure: PkiFailure, text: str) -> None:
        super().__init__(text)
        self.failure = failure
        self.text = text


@dataclass(frozen=True, slots=True)
class TimestampRequest:
    """What is to be stamped, and how.

    imprint: digest of the data by `digest_algorithm`. nonce: any integer, None for none. policy_oid: the policy asked for, None to leave
    it to the authority. with_certificates: certReq, whether the answer shall embed the authority's certificates.
    """

    imprint: bytes
    digest_algorithm: DigestAlgorithm
    nonce: int | None = None
    policy_oid: str | None = None
    with_certificates: bool = False


def build_request(request: TimestampRequest) -> bytes:
    """TimeStampReq, DER."""
    return der.sequence(
        der.integer(_VERSION),
        message_imprint(request.imprint, request.digest_algorithm),
        b"" if request.policy_oid is None else der.oid(request.policy_oid),
        b"" if request.nonce is None else der.integer(request.nonce),
        der.TRUE if request.with_certificates else b"",
    )


def message_imprint(imprint: bytes, digest_algorithm: DigestAlgorithm) -> bytes:
    """MessageImprint, DER."""
    return der.sequence(DIGEST_IDENTIFIERS[digest_algorithm], der.octet_string(imprint))


def parse_request(encoded: bytes) -> TimestampRequest:
    """Read a TimeStampReq; RequestRefused says with which PKIFailureInfo any other bytes are answered.

    Extensions are refused, critical or not: none is known here (RFC 3161 §2.4.1).
    """
    try:
        fields = der_reader.read(encoded, der.SEQUENCE).children()
        version = der_reader.integer(fields.take(der.INTEGER))
        imprint, digest_oid = _read_imprint(fields.take(der.SEQUENCE))
        policy = fields.take_if(der.OBJECT_IDENTIFIER)
        nonce = fields.take_if(der.INTEGER)
        cert_req = fields.take_if(der.BOOLEAN)
        extensions = fields.take_if(_EXTENSIONS)
        fields.end()
        request = TimestampRequest(
            imprint,
            _known_digest(digest_oid, imprint),
            read_nonce(nonce),
            None if policy is None else der_reader.oid(policy),
            cert_req is not None and read_non_default(cert_req),
        )
    except der_reader.DerError as malformed:
        raise RequestRefused(PkiFailure.BAD_DATA_FORMAT, f"not a TimeStampReq in DER: {malformed}") from malformed
    if version != _VERSION:
        raise RequestRefused(PkiFailure.BAD_REQUEST, f"version {version} is not supported, only {_VERSION}")
    if extensions is not None:
        raise RequestRefused(PkiFailure.UNACCEPTED_EXTENSION, "extensions are not supported")
    return request


def _known_digest(digest_oid: str, imprint: bytes) -> DigestAlgorithm:
    digest = DIGESTS_BY_OID.get(digest_oid)
    if digest is None:
        raise RequestRefused(PkiFailure.BAD_ALGORITHM, f"digest algorithm {digest_oid} is not accepted")
    if len(imprint) != digest.size_bytes:
        raise RequestRefused(PkiFailure.BAD_DATA_FORMAT, f"a {digest.value} digest has {digest.size_bytes} bytes, not {len(imprint)}")
    return digest


def _read_imprint(element: der_reader.Element) -> tuple[bytes, str]:
    fields = element.children()
    digest_oid = read_digest_oid(fields.take(der.SEQUENCE))
    imprint = fields.take(der.OCTET_STRING).content
    fields.end()
    return imprint, digest_oid


def read_message_imprint(element: der_reader.Element) -> tuple[bytes, DigestAlgorithm | None]:
    """The digest of a MessageImprint and its algorithm, None for one that is not in our table. Raises DerError."""
    imprint, digest_oid = _read_imprint(element)
    return imprint, DIGESTS_BY_OID.get(digest_oid)


def read_digest_oid(element: der_reader.Element) -> str:
    """The algorithm of an AlgorithmIdentifier whose parameters must be absent or NULL (RFC 5754 §2). Raises DerError."""
    return _read_digest_oid(element.content)


@lru_cache(maxsize=64)
def _read_digest_oid(content: bytes) -> str:
    fields = der_reader.Reader(content)
    algorithm = der_reader.oid(fields.take(der.OBJECT_IDENTIFIER))
    parameters = fields.take_if(der.NULL_TAG)
    if parameters is not None and parameters.content:
        raise der_reader.DerError("NULL with content")
    fields.end()
    return algorithm


def read_nonce(element: der_reader.Element | None) -> int | None:
    """Value of an optional nonce. Raises DerError for one of absurd length."""
    if element is None:
        return None
    if len(element.content) > _INTEGER_BYTES_MAX:
        raise der_reader.DerError(f"nonce of {len(element.content)} bytes")
    return der_reader.integer(element)


def read_non_default(element: der_reader.Element) -> bool:
    """A BOOLEAN DEFAULT FALSE that is there: DER then has it TRUE (X.690 §11.5). Raises DerError."""
    if not der_reader.boolean(element):
        raise der_reader.DerError("FALSE encoded although it is the default")
    return True


_STATUS_GRANTED: Final = der.sequence(der.integer(PkiStatus.GRANTED.value))


def granted(timestamp: bytes) -> bytes:
    """TimeStampResp that carries a TimeStampToken, DER."""
    return der.sequence(_STATUS_GRANTED, timestamp)


def rejected(failure: PkiFailure, text: str) -> bytes:
    """TimeStampResp that refuses, DER. text: for people, without secrets."""
    status = der.integer(PkiStatus.REJECTION.value)
    return der.sequence(der.sequence(status, der.sequence(der.utf8_string(text)), der.named_bits(failure.value)))


def parse_response(encoded: bytes) -> bytes:
    """The TimeStampToken of a granted TimeStampResp, DER as it came and not yet verified.

    Raises TimestampInvalid when the bytes are none (`metadata["check"]` "response"), or naming status, failure and text when nothing was
    granted ("status"). `granted_with_mods`
    passes: what was modified shows when the timestamp is verified against the request.
    """
    try:
        fields = der_reader.read(encoded, der.SEQUENCE).children()
        status = fields.take(der.SEQUENCE)
        if status.encoded != _STATUS_GRANTED:
            _require_granted(status.children())
        timestamp = fields.take(der.SEQUENCE).encoded
        fields.end()
    except der_reader.DerError as malformed:
        raise TimestampInvalid(f"response: not a TimeStampResp in DER: {malformed}", check="response") from malformed
    return timestamp


def _require_granted(status: der_reader.Reader) -> None:
    number = der_reader.integer(status.take(der.INTEGER))
    texts = status.take_if(der.SEQUENCE)
    failures = status.take_if(der.BIT_STRING)
    status.end()
    if number not in (PkiStatus.GRANTED.value, PkiStatus.GRANTED_WITH_MODS.value):
        raise TimestampInvalid(f"status: {_explain(number, texts, failures)}", check="status")


def _explain(number: int, texts: der_reader.Element | None, failures: der_reader.Element | None) -> str:
    known = {status.value: status.name for status in PkiStatus}
    words = [known.get(number, f"unknown status {number}").lower()]
    if failures is not None:
        bits = int.from_bytes(failures.content[1:5].ljust(4, b"\x00"))
        words += [failure.name.lower() for failure in PkiFailure if bits >> 31 - failure.value & 1]
    if texts is not None:
        words += [text.content[:200].decode(errors="replace") for text in texts.children().rest()[:3]]
    return ", ".join(words)
