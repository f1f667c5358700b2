"""Revocation lists of the CAs whose client certificates are let in (RFC 5280 §5). Pure: bytes in, verdicts out.

gRPC's TLS knows none, so they are asked where a certificate becomes a client, at each RPC. Lists come as files, are believed when a CA of
`tls_client_ca` signed them, and speak for the certificates of that CA's name. Asked about is the client's own certificate: an intermediate
CA is revoked by taking it, or its root, out of `tls_client_ca`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from signer.errors import ConfigError

_PEM = b"-----BEGIN"


@dataclass(frozen=True, slots=True)
class RevokedOf:
    """What one CA revoked. next_update: of its list; the latest, where several are given. file: which, for people."""

    serials: frozenset[int]
    next_update: datetime
    file: Path


@dataclass(frozen=True, slots=True)
class ClientCrls:
    """All lists, by the name of their CA. accepts_expired: whether certificates still count when their CA's list has run out."""

    by_issuer: Mapping[x509.Name, RevokedOf] = field(default_factory=dict)
    accepts_expired: bool = False

    def refusal(self, certificate: x509.Certificate, now: datetime) -> str:
        """Why the certificate does not count; empty when it does, as one does whose CA has no list here."""
        found = self.by_issuer.get(certificate.issuer) if self.by_issuer else None
        if found is None:
            return ""
        if certificate.serial_number in found.serials:
            return "this TLS client certificate was revoked by its CA"
        if now >= found.next_update and not self.accepts_expired:
            return f"the revocation list {found.file.name} of this TLS certificate's CA ended on {found.next_update:%Y-%m-%d %H:%M} UTC"
        return ""

    @property
    def next_update(self) -> datetime | None:
        """When the first of them runs out."""
        return min((each.next_update for each in self.by_issuer.values()), default=None)


def read_client_crls(files: Iterable[Path], authorities: Iterable[x509.Certificate], *, accepts_expired: bool) -> ClientCrls:
    """PEM or DER, one list a file.

    ConfigError names a file that can't be read, is no list or not a complete one, has no end, or that none of the CAs signed.
    """
    cas = list(authorities)
    found: dict[x509.Name, RevokedOf] = {}
    for file in files:
        crl = _read(file)
        if not any(ca.subject == crl.issuer and _is_signed_by(crl, ca) for ca in cas):
            raise ConfigError(f"server.tls_client_crls: {file} was signed by no CA of server.tls_client_ca")
        if not _is_complete(crl):
            raise ConfigError(f"server.tls_client_crls: {file} is a delta, indirect or partial list: give the CA's complete one")
        if crl.next_update_utc is None:
            raise ConfigError(f"server.tls_client_crls: {file} does not say when the next one comes (nextUpdate)")
        name = crl.issuer
        of = RevokedOf(frozenset(entry.serial_number for entry in crl), crl.next_update_utc, file)
        before = found.get(name)
        found[name] = of if before is None else _both(before, of)
    return ClientCrls(found, accepts_expired)


def _both(one: RevokedOf, other: RevokedOf) -> RevokedOf:
    last = max(one, other, key=lambda each: each.next_update)
    return RevokedOf(one.serials | other.serials, last.next_update, last.file)


def _is_signed_by(crl: x509.CertificateRevocationList, ca: x509.Certificate) -> bool:
    try:
        return crl.is_signature_valid(ca.public_key())  # type: ignore[arg-type]  # a key that signs nothing is a TypeError
    except (TypeError, UnsupportedAlgorithm):
        return False


def _is_complete(crl: x509.CertificateRevocationList) -> bool:
    """Whether it speaks for all certificates of its CA and for no other's: what says otherwise is critical (RFC 5280 §5.2, §5.3)."""
    return not any(extension.critical for extension in [*crl.extensions, *(each for entry in crl for each in entry.extensions)])


def _read(file: Path) -> x509.CertificateRevocationList:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"server.tls_client_crls: {file} can't be read: {error.strerror}") from error
    try:
        crl = x509.load_pem_x509_crl(content) if content.lstrip().startswith(_PEM) else x509.load_der_x509_crl(content)
        crl.extensions  # noqa: B018 - read here, where a malformed one is told
        return crl  # noqa: TRY300
    except ValueError as error:
        raise ConfigError(f"server.tls_client_crls: {file} is no certificate revocation list") from error
