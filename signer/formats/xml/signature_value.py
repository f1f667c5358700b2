"""A token's signature as XMLDSig writes it: RSA as it is, ECDSA as r and s side by side (XMLDSig 6.4.3, RFC 4050)."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from signer.errors import InternalError

_BITS = 8


def coordinate_bytes(certificate: bytes) -> int:
    """Of r and of s in signatures by the certificate's key; 0 for a key that is not on a curve."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    return (key.key_size + _BITS - 1) // _BITS if isinstance(key, ec.EllipticCurvePublicKey) else 0


def written(signature: bytes, coordinate_size_bytes: int) -> bytes:
    """From a token's answer, DER for ECDSA. coordinate_size_bytes: as `coordinate_bytes` says."""
    if not coordinate_size_bytes:
        return signature
    try:
        return b"".join(number.to_bytes(coordinate_size_bytes, "big") for number in decode_dss_signature(signature))
    except (ValueError, OverflowError) as error:
        raise InternalError("an ECDSA signature is no Ecdsa-Sig-Value of its key's curve") from error


def read(value: bytes, coordinate_size_bytes: int) -> bytes | None:
    """The other way: DER for ECDSA; None for a value that isn't of the key's length."""
    if not coordinate_size_bytes:
        return value
    if len(value) != 2 * coordinate_size_bytes:
        return None
    r, s = value[:coordinate_size_bytes], value[coordinate_size_bytes:]
    return encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
