"""Namespaces and algorithm identifiers: XMLDSig 1.1 §6, RFC 6931 and RFC 9231 (PSS, SHA-384), ETSI EN 319 132-1 annex D."""

from __future__ import annotations

from enum import Enum
from typing import Final

from signer.algorithms import DigestAlgorithm, SignatureAlgorithm

DS: Final = "http://www.w3.org/2000/09/xmldsig#"
XADES: Final = "http://uri.etsi.org/01903/v1.3.2#"
XML: Final = "http://www.w3.org/XML/1998/namespace"

TYPE_SIGNED_PROPERTIES: Final = "http://uri.etsi.org/01903#SignedProperties"
TYPE_SIGNATURE_PROPERTIES: Final = f"{DS}SignatureProperties"
TYPE_OBJECT: Final = f"{DS}Object"
ENVELOPED_SIGNATURE: Final = f"{DS}enveloped-signature"


class Canonicalization(Enum):
    """How XML becomes octets; the value is the algorithm's URI without its `WithComments`."""

    C14N_10 = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
    C14N_11 = "http://www.w3.org/2006/12/xml-c14n11"
    EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"

    @property
    def is_exclusive(self) -> bool:
        """Renders the namespaces that are used, and inherits nothing."""
        return self is Canonicalization.EXCLUSIVE


WITH_COMMENTS: Final = {
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments": Canonicalization.C14N_10,
    "http://www.w3.org/2006/12/xml-c14n11#WithComments": Canonicalization.C14N_11,
    "http://www.w3.org/2001/10/xml-exc-c14n#WithComments": Canonicalization.EXCLUSIVE,
}
CANONICALIZATIONS: Final = {**{each.value: each for each in Canonicalization}, **WITH_COMMENTS}
"""By URI. A reference by Id or to the whole document has no comments whichever is named (XMLDSig 4.4.3.3)."""

DIGEST_URIS: Final = {
    DigestAlgorithm.SHA256: "http://www.w3.org/2001/04/xmlenc#sha256",
    DigestAlgorithm.SHA384: "http://www.w3.org/2001/04/xmldsig-more#sha384",
    DigestAlgorithm.SHA512: "http://www.w3.org/2001/04/xmlenc#sha512",
}
DIGESTS: Final = {uri: digest for digest, uri in DIGEST_URIS.items()}

_MORE: Final = "http://www.w3.org/2001/04/xmldsig-more#"
_MORE_2007: Final = "http://www.w3.org/2007/05/xmldsig-more#"
SIGNATURE_URIS: Final = {
    SignatureAlgorithm.RSA_PKCS1_SHA256: f"{_MORE}rsa-sha256",
    SignatureAlgorithm.RSA_PKCS1_SHA384: f"{_MORE}rsa-sha384",
    SignatureAlgorithm.RSA_PKCS1_SHA512: f"{_MORE}rsa-sha512",
    SignatureAlgorithm.RSA_PSS_SHA256: f"{_MORE_2007}sha256-rsa-MGF1",
    SignatureAlgorithm.RSA_PSS_SHA384: f"{_MORE_2007}sha384-rsa-MGF1",
    SignatureAlgorithm.RSA_PSS_SHA512: f"{_MORE_2007}sha512-rsa-MGF1",
    SignatureAlgorithm.ECDSA_SHA256: f"{_MORE}ecdsa-sha256",
    SignatureAlgorithm.ECDSA_SHA384: f"{_MORE}ecdsa-sha384",
    SignatureAlgorithm.ECDSA_SHA512: f"{_MORE}ecdsa-sha512",
}
SIGNATURES: Final = {uri: algorithm for algorithm, uri in SIGNATURE_URIS.items()}
