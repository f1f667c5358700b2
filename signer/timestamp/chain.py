"""Does a timestamp's certificate chain to a trust anchor? Judged by rfc3161-client (OpenSSL's PKCS7_verify), asked once per chain.

One judgement costs over a millisecond, more than a token's signature, and all timestamps of an authority ask the same question. So a
chain that stood is remembered together with the time in which every certificate concerned is valid; inside it the answer can't differ.
What does not stand is never remembered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

from signer.errors import TimestampInvalid
from signer.formats import der, der_reader
from signer.timestamp.tsp import granted

_REMEMBERED = 64
_CONTEXT_0 = 0xA0


@dataclass(frozen=True, slots=True)
class ChainQuestion:
    """signer: the certificate that signed. embedded: all that came with the timestamp. roots: trust anchors. All DER.

    timestamp and imprint are there to be judged by, and no part of what is remembered.
    """

    signer: bytes
    embedded: tuple[bytes, ...]
    roots: tuple[bytes, ...]
    timestamp: bytes = field(compare=False)
    imprint: bytes = field(compare=False)


def check_chain(question: ChainQuestion, gen_time: datetime) -> None:
    """TimestampInvalid unless the signer's certificate chained to a root at gen time."""
    not_before, not_after = _stood(question)
    if not not_before <= gen_time <= not_after:
        _judge(question)


@lru_cache(maxsize=_REMEMBERED)
def _stood(question: ChainQuestion) -> tuple[datetime, datetime]:
    """Judge a chain not seen before: since when and until when all certificates of the question are valid together."""
    _judge(question)
    certificates = [x509.load_der_x509_certificate(encoded) for encoded in {*question.embedded, *question.roots}]
    return (
        max(certificate.not_valid_before_utc for certificate in certificates),
        min(certificate.not_valid_after_utc for certificate in certificates),
    )


def _judge(question: ChainQuestion) -> None:
    try:
        roots = [x509.load_der_x509_certificate(root) for root in question.roots]
        response = decode_timestamp_response(granted(_in_der_order(question.timestamp)))
        VerifierBuilder(roots=roots).build().verify(response, question.imprint)
    except (VerificationError, ValueError) as refused:
        raise TimestampInvalid(f"chain: its certificate does not chain to a trust anchor: {refused}", check="chain") from refused


def _in_der_order(timestamp: bytes) -> bytes:
    """The same timestamp with the embedded certificates in DER's order, which rfc3161-client demands.

    OpenSSL and many an authority send them as they come: nothing signs that part, and CMS itself asks for BER only (RFC 5652 §5.1).
    """
    content_info = der_reader.read(timestamp, der.SEQUENCE).children()
    content_type = content_info.take(der.OBJECT_IDENTIFIER)
    fields = der_reader.read(content_info.take(_CONTEXT_0).content, der.SEQUENCE).children().rest()
    ordered = [_sorted(field) if field.tag == _CONTEXT_0 else field.encoded for field in fields]
    return der.sequence(content_type.encoded, der.explicit(0, der.sequence(*ordered)))


def _sorted(certificates: der_reader.Element) -> bytes:
    return der.tlv(_CONTEXT_0, b"".join(sorted(certificate.encoded for certificate in certificates.children().rest())))
