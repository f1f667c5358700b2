from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding


class TrustPurpose(Enum):
    """What a CA is believed for; the value is its name in files and on the command line."""

    SIGNING = "signing"
    """Certificates below it may sign here."""
    VALIDATION = "validation"
    """Signatures of documents that come to be validated or archived."""
    TIMESTAMP = "timestamp"
    """Time-stamping authorities."""


EVERY_PURPOSE = frozenset(TrustPurpose)


@dataclass(frozen=True)
class Anchor:
    """A believed CA. purposes: of one that is not self-signed, whose chains it completes. file: where it stands."""

    certificate: x509.Certificate
    purposes: frozenset[TrustPurpose] = EVERY_PURPOSE
    file: Path | None = None

    @property
    def anchor_id(self) -> str:
        """Lower-case hexadecimal SHA-256 of the certificate."""
        return self.certificate.fingerprint(SHA256()).hex()

    @cached_property
    def is_root(self) -> bool:
        """Self-signed: chains end here."""
        return self.certificate.issuer == self.certificate.subject

    @property
    def subject(self) -> str:
        """RFC 4514."""
        return self.certificate.subject.rfc4514_string()

    @cached_property
    def der(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.DER)
