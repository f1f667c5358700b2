"""Certificates for mutual TLS between the demo's daemon and its clients: one CA, one server, clients by common name.

RFC 5280 and RFC 9525 (the server is named in subjectAltName only). ECDSA P-256 throughout: handshakes stay cheap and files small. This
CA has nothing to do with the one that signers' certificates come from.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.demo.certificate_profiles import Subject, Usage, Validity
from signer.demo.pem import write_certificates, write_private_key

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_ORGANISATION = "DEMO - Sở Giáo dục và Đào tạo"


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: EllipticCurvePrivateKey

    def write_pem(self, directory: Path, name: str) -> tuple[Path, Path]:
        """Write `NAME.crt` and, with mode 0600, `NAME.key`; return both paths in this order."""
        return write_certificates(directory / f"{name}.crt", self.certificate), write_private_key(directory / f"{name}.key", self.key)


@dataclass(frozen=True, slots=True)
class TlsPki:
    """The TLS CA, and what it issues."""

    now: dt.datetime
    authority: TlsIdentity

    @classmethod
    def create(cls, now: dt.datetime | None = None) -> TlsPki:
        """Generate the CA; milliseconds."""
        now = now or dt.datetime.now(dt.UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = Subject("DEMO TLS CA", _ORGANISATION)
        builder = _builder(subject, key, Validity.current(now)).issuer_name(subject.name())
        certificate = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(Usage.AUTHORITY.extension(), critical=True)
            .sign(key, SHA256())
        )
        return cls(now, TlsIdentity(certificate, key))

    @property
    def certificate(self) -> x509.Certificate:
        """The CA's certificate: what both sides trust."""
        return self.authority.certificate

    def server(self, hosts: tuple[str, ...] = LOCAL_HOSTS, *, validity: Validity | None = None) -> TlsIdentity:
        """A server certificate for these DNS names and IP addresses."""
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        return self._issue(Subject(hosts[0], _ORGANISATION), ExtendedKeyUsageOID.SERVER_AUTH, names, validity)

    def client(self, common_name: str, *, validity: Validity | None = None) -> TlsIdentity:
        """A client certificate, such as the school software's or an operator's; its common name is also its DNS name."""
        names = x509.SubjectAlternativeName([x509.DNSName(common_name)])
        return self._issue(Subject(common_name, _ORGANISATION), ExtendedKeyUsageOID.CLIENT_AUTH, names, validity)

    def _issue(
        self, subject: Subject, purpose: x509.ObjectIdentifier, names: x509.SubjectAlternativeName, validity: Validity | None
    ) -> TlsIdentity:
        key = ec.generate_private_key(ec.SECP256R1())
        issuer_key_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.key.public_key())
        certificate = (
            _builder(subject, key, validity or Validity.current(self.now))
            .issuer_name(self.authority.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(issuer_key_id, critical=False)
            .add_extension(Usage.AUTHENTICATION.extension(), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(names, critical=False)
            .sign(self.authority.key, SHA256())
        )
        return TlsIdentity(certificate, key)


def _builder(subject: Subject, key: EllipticCurvePrivateKey, validity: Validity) -> x509.CertificateBuilder:
    public_key = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject.name())
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.not_before)
        .not_valid_after(validity.not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
