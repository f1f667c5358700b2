"""Object identifiers and algorithm identifiers of CMS, encoded once: RFC 5652, RFC 5754 (SHA-2), RFC 4055/4056 (PSS), RFC 5758 (ECDSA).

Digests carry NULL parameters, as RFC 4055 §2.1 demands inside PSS and every CMS reader accepts elsewhere (RFC 5754 §2). RSA PKCS#1 v1.5
is named with its digest (sha256WithRSAEncryption), so that a signature can't be read under another one.
"""

from __future__ import annotations

from typing import Final

from signer.algorithms import DigestAlgorithm, KeyFamily, Padding, SignatureAlgorithm
from signer.formats import der

ID_DATA: Final = "1.2.840.113549.1.7.1"
ID_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
ID_CT_TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"

ID_CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
ID_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
ID_SIGNING_TIME: Final = "1.2.840.113549.1.9.5"
ID_SIGNING_CERTIFICATE: Final = "1.2.840.113549.1.9.16.2.12"
ID_SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"
ID_CONTENT_HINTS: Final = "1.2.840.113549.1.9.16.2.4"
ID_TIME_STAMP_TOKEN: Final = "1.2.840.113549.1.9.16.2.14"

_ID_RSASSA_PSS = "1.2.840.113549.1.1.10"
_ID_MGF1 = "1.2.840.113549.1.1.8"

DIGEST_OIDS: Final = {
    DigestAlgorithm.SHA256: "2.16.840.1.101.3.4.2.1",
    DigestAlgorithm.SHA384: "2.16.840.1.101.3.4.2.2",
    DigestAlgorithm.SHA512: "2.16.840.1.101.3.4.2.3",
}
DIGESTS_BY_OID: Final = {dotted: digest for digest, dotted in DIGEST_OIDS.items()}
DIGEST_IDENTIFIERS: Final = {digest: der.sequence(der.oid(dotted), der.NULL) for digest, dotted in DIGEST_OIDS.items()}
"""AlgorithmIdentifier of each digest, DER."""

_PKCS1_OIDS = {
    DigestAlgorithm.SHA256: "1.2.840.113549.1.1.11",
    DigestAlgorithm.SHA384: "1.2.840.113549.1.1.12",
    DigestAlgorithm.SHA512: "1.2.840.113549.1.1.13",
}
_ECDSA_OIDS = {
    DigestAlgorithm.SHA256: "1.2.840.10045.4.3.2",
    DigestAlgorithm.SHA384: "1.2.840.10045.4.3.3",
    DigestAlgorithm.SHA512: "1.2.840.10045.4.3.4",
}


def _pkcs1(digest: DigestAlgorithm) -> bytes:
    return der.sequence(der.oid(_PKCS1_OIDS[digest]), der.NULL)


def _ecdsa(digest: DigestAlgorithm) -> bytes:
    return der.sequence(der.oid(_ECDSA_OIDS[digest]))


def _pss(digest: DigestAlgorithm) -> bytes:
    """RSASSA-PSS-params: MGF1 with the same digest, a salt of its length, trailer 1 by default (RFC 4055 §3.1)."""
    hashed = DIGEST_IDENTIFIERS[digest]
    parameters = der.sequence(
        der.explicit(0, hashed),
        der.explicit(1, der.sequence(der.oid(_ID_MGF1), hashed)),
        der.explicit(2, der.integer(digest.size_bytes)),
    )
    return der.sequence(der.oid(_ID_RSASSA_PSS), parameters)


_WRITERS = {Padding.PKCS1_V15: _pkcs1, Padding.PSS: _pss, Padding.NONE: _ecdsa}

SIGNATURE_IDENTIFIERS: Final = {algorithm: _WRITERS[algorithm.padding](algorithm.digest) for algorithm in SignatureAlgorithm}
"""AlgorithmIdentifier of each signature algorithm, DER."""

SIGNATURE_FAMILIES: Final = {
    "1.2.840.113549.1.1.1": KeyFamily.RSA,
    **dict.fromkeys(_PKCS1_OIDS.values(), KeyFamily.RSA),
    **dict.fromkeys(_ECDSA_OIDS.values(), KeyFamily.EC),
}
"""Key family by dotted signature algorithm, for reading PKCS#1 v1.5 and ECDSA signatures; the digest is named beside it in SignerInfo."""
SIGNATURE_DIGESTS: Final = {dotted: digest for table in (_PKCS1_OIDS, _ECDSA_OIDS) for digest, dotted in table.items()}
"""The digest that a signature algorithm names itself, by dotted algorithm."""
