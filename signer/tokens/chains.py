"""Completing certificate chains from configured CA files (RFC 5280 §6.1 name chaining, checked by signature).

Government tokens often hold the leaf alone (design: domain §5), so the issuers come from configuration.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from signer.errors import ConfigError

_CHAIN_LENGTH_MAX = 8


class Issuers:
    """The CA certificates of the configuration, by subject."""

    def __init__(self, certificates: Iterable[x509.Certificate]) -> None:
        self._by_subject: dict[x509.Name, list[x509.Certificate]] = {}
        for certificate in certificates:
            self._by_subject.setdefault(certificate.subject, []).append(certificate)

    @classmethod
    def load(cls, files: Iterable[Path]) -> Issuers:
        """Reads PEM files; ConfigError names the file that can't be read."""
        certificates: list[x509.Certificate] = []
        for file in files:
            try:
                certificates += x509.load_pem_x509_certificates(file.read_bytes())
            except (OSError, ValueError) as error:
                raise ConfigError(f"trust.ca_files: {file} is no readable PEM file of certificates: {error}") from error
        return cls(certificates)

    def chain_of(self, leaf: x509.Certificate) -> tuple[bytes, ...]:
        """DER of the issuers, nearest first, without the self-signed root (a verifier must know that one itself); as far as known."""
        chain: list[bytes] = []
        current = leaf
        while len(chain) < _CHAIN_LENGTH_MAX and current.issuer != current.subject:
            issuer = self._issuer_of(current)
            if issuer is None or issuer.issuer == issuer.subject:
                break
            chain.append(issuer.public_bytes(Encoding.DER))
            current = issuer
        return tuple(chain)

    def _issuer_of(self, certificate: x509.Certificate) -> x509.Certificate | None:
        for candidate in self._by_subject.get(certificate.issuer, []):
            try:
                certificate.verify_directly_issued_by(candidate)
            except (InvalidSignature, ValueError, TypeError):
                continue
            return candidate
        return None
