from __future__ import annotations

from signer.formats import der, der_reader

_CERTIFICATES = 0xA0
_CONTENT = 0xA0


def without_certificates(signed: bytes) -> bytes:
    """A ContentInfo with SignedData, DER, without the certificates beside the signature, which nothing signs (RFC 5652 §5.1).

    Raises DerError for anything else.
    """
    content_info = der_reader.read(signed, der.SEQUENCE).children()
    content_type = content_info.take(der.OBJECT_IDENTIFIER)
    fields = der_reader.read(content_info.take(_CONTENT).content, der.SEQUENCE).children().rest()
    kept = [field.encoded for field in fields if field.tag != _CERTIFICATES]
    return der.sequence(content_type.encoded, der.explicit(0, der.sequence(*kept)))
