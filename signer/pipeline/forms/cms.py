from __future__ import annotations

import msgspec


class CmsPrepared(msgspec.Struct, frozen=True, array_like=True):
    """What every CMS signature has of `form.Prepared`. signed_attributes: DER, with the digest of what is signed in them."""

    signed_attributes: bytes

    @property
    def to_be_signed(self) -> bytes:
        """The signed attributes (RFC 5652 5.4)."""
        return self.signed_attributes

    def stamped_bytes(self, signature: bytes) -> bytes:
        """The signature value (EN 319 122-1 5.3)."""
        return signature
