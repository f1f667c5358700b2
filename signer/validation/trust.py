"""Whom the caller believes: anchors for signers and for timestamps, and the intermediates that leaf-only signatures lack."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from asn1crypto.x509 import Certificate

from signer.errors import ConfigError


@dataclass(frozen=True)
class TrustAnchors:
    """DER certificates. A SHA-1 signature is accepted on the certificates named here (the government's first generation), on no other.

    signing: roots (or CAs) whose certificates may sign documents. timestamping: the same for timestamp authorities. intermediates: CAs
    that complete a chain without being believed for themselves. Raises ConfigError for what is no certificate.
    """

    signing: tuple[bytes, ...]
    timestamping: tuple[bytes, ...]
    intermediates: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Parse everything now: a wrong anchor is refused where it is configured, not at the first document."""
        _ = self.signing_certificates, self.timestamping_certificates, self.intermediate_certificates

    @cached_property
    def signing_certificates(self) -> tuple[Certificate, ...]:
        """`signing`, parsed."""
        return _parse(self.signing)

    @cached_property
    def timestamping_certificates(self) -> tuple[Certificate, ...]:
        """`timestamping`, parsed."""
        return _parse(self.timestamping)

    @cached_property
    def intermediate_certificates(self) -> tuple[Certificate, ...]:
        """`intermediates`, parsed."""
        return _parse(self.intermediates)

    def names(self, certificate: Certificate) -> bool:
        """Whether the caller configured this very certificate."""
        return certificate.dump() in {*self.signing, *self.timestamping, *self.intermediates}


def _parse(certificates: tuple[bytes, ...]) -> tuple[Certificate, ...]:
    try:
        parsed = tuple(Certificate.load(der, strict=True) for der in certificates)
        for certificate in parsed:
            certificate.native  # noqa: B018  # asn1crypto parses when asked
    except (ValueError, TypeError) as error:
        raise ConfigError("a trust anchor or intermediate is not a DER certificate; check the configured files") from error
    return parsed
