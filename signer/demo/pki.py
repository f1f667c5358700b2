"""A PKI that imitates the government's second generation (design: domain §5, §6): root → CA for state agencies → leaves.

RFC 5280. CA profiles follow the real G2 certificates: RSA-4096, SHA-256, path length 0 in the lower one, critical basic constraints and
key usage, the same certificate policy, long Vietnamese UTF-8 names.

Rules of the room: every name says DEMO and every URL is under `.invalid`; `now` is an argument; CA keys live in memory only; leaf keys
may live in a token, so a leaf is issued to a public key.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import AuthorityInformationAccessOID

from signer.demo.certificate_profiles import PROFILES, LeafKind, Subject, Usage, Validity

CA_KEY_BITS = 4096
_PUBLIC_EXPONENT = 65537
_CA_SINCE = dt.timedelta(days=365 * 8)
_CA_TERM = dt.timedelta(days=365 * 30)
_CRL_TERM = dt.timedelta(days=7)
_CLOCK_SLACK = dt.timedelta(minutes=5)
_PUBLICATION = "http://ca.demo.invalid/pki/pub"
_OCSP = "http://ocsp.demo.invalid/"
_POLICY = x509.PolicyInformation(x509.ObjectIdentifier("2.16.704.1.1.1.1.1"), [f"{_PUBLICATION}/policies/CP"])
_AUTHORITY = "DEMO - Ban Cơ yếu Chính phủ (không có thật)"
_ROOT = Subject("DEMO RootCA chuyên dùng Chính phủ G2", _AUTHORITY)
_SUBORDINATE = Subject("DEMO CA phục vụ các cơ quan Nhà nước G2", _AUTHORITY)

LeafPublicKey = RSAPublicKey | EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class _Authority:
    """A CA: its name in URLs, its key and its certificate."""

    slug: str
    key: RSAPrivateKey
    certificate: x509.Certificate

    def endpoints(self, builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
        """What a certificate that this CA issues says of where to find its issuer, status and policy."""
        access = (
            (AuthorityInformationAccessOID.CA_ISSUERS, f"{_PUBLICATION}/crt/{self.slug}.crt"),
            (AuthorityInformationAccessOID.OCSP, _OCSP),
        )
        places = [x509.AccessDescription(method, x509.UniformResourceIdentifier(url)) for method, url in access]
        crl_url = x509.UniformResourceIdentifier(f"{_PUBLICATION}/crl/{self.slug}.crl")
        crl_place = x509.DistributionPoint(full_name=[crl_url], relative_name=None, reasons=None, crl_issuer=None)
        return (
            builder.add_extension(x509.AuthorityInformationAccess(places), critical=False)
            .add_extension(x509.CRLDistributionPoints([crl_place]), critical=False)
            .add_extension(x509.CertificatePolicies([_POLICY]), critical=False)
        )

    def crl(self, now: dt.datetime, revoked: Iterable[x509.Certificate]) -> x509.CertificateRevocationList:
        """A complete CRL (RFC 5280 §5), good for a week; its number is the time it was made."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - _CLOCK_SLACK)
            .next_update(now + _CRL_TERM)
            .add_extension(x509.CRLNumber(int(now.timestamp())), critical=False)
            .add_extension(_issuer_key_id(self.key), critical=False)
        )
        for certificate in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number).revocation_date(now - _CLOCK_SLACK)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, SHA256())


@dataclass(frozen=True, slots=True)
class DemoPki:
    """Both CAs with their keys, and the moment the PKI counts as now."""

    now: dt.datetime
    root: _Authority
    subordinate: _Authority

    @classmethod
    def create(cls, now: dt.datetime | None = None, key_bits: int = CA_KEY_BITS) -> DemoPki:
        """Generate both CAs; about a second with RSA-4096 on two cores. Tests take `key_bits=2048`."""
        now = now or dt.datetime.now(dt.UTC)
        with ThreadPoolExecutor(2) as pool:
            root_key, subordinate_key = pool.map(lambda bits: rsa.generate_private_key(_PUBLIC_EXPONENT, bits), (key_bits, key_bits))
        root_builder = _authority_builder(_ROOT, root_key, path_length=None, now=now).issuer_name(_ROOT.name())
        root_certificate = root_builder.add_extension(_issuer_key_id(root_key), critical=False).sign(root_key, SHA256())
        root = _Authority("demo-rootcag2", root_key, root_certificate)
        builder = _authority_builder(_SUBORDINATE, subordinate_key, path_length=0, now=now).issuer_name(root_certificate.subject)
        builder = root.endpoints(builder.add_extension(_issuer_key_id(root_key), critical=False))
        return cls(now, root, _Authority("demo-cacoquannhanuocg2", subordinate_key, builder.sign(root_key, SHA256())))

    @property
    def root_certificate(self) -> x509.Certificate:
        """The trust anchor."""
        return self.root.certificate

    @property
    def subordinate_certificate(self) -> x509.Certificate:
        """The CA that issues the leaves."""
        return self.subordinate.certificate

    @property
    def chain(self) -> tuple[x509.Certificate, x509.Certificate]:
        """A leaf's issuers, nearest first."""
        return self.subordinate.certificate, self.root.certificate

    def issue_leaf(
        self,
        kind: LeafKind,
        subject: Subject,
        public_key: LeafPublicKey,
        *,
        validity: Validity | None = None,
        usage: Usage | None = None,
    ) -> x509.Certificate:
        """Issue a leaf for a key that may live in a token; give validity or usage only where a defect is wanted."""
        profile = PROFILES[kind]
        validity = validity or Validity.current(self.now)
        builder = (
            _builder(subject, public_key, validity)
            .issuer_name(self.subordinate.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_issuer_key_id(self.subordinate.key), critical=False)
            .add_extension((usage or profile.usage).extension(), critical=True)
            .add_extension(x509.ExtendedKeyUsage(profile.extended), critical=profile.extended_critical)
        )
        if profile.ocsp_no_check:
            builder = builder.add_extension(x509.OCSPNoCheck(), critical=False)
        return self.subordinate.endpoints(builder).sign(self.subordinate.key, SHA256())

    def crl(self, revoked: Iterable[x509.Certificate] = ()) -> x509.CertificateRevocationList:
        """The issuing CA's CRL."""
        return self.subordinate.crl(self.now, revoked)

    def root_crl(self) -> x509.CertificateRevocationList:
        """The root's CRL: the issuing CA is not revoked."""
        return self.root.crl(self.now, ())


def _builder(subject: Subject, public_key: LeafPublicKey, validity: Validity) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject.name())
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.not_before)
        .not_valid_after(validity.not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _authority_builder(subject: Subject, key: RSAPrivateKey, *, path_length: int | None, now: dt.datetime) -> x509.CertificateBuilder:
    return (
        _builder(subject, key.public_key(), Validity(now - _CA_SINCE, now - _CA_SINCE + _CA_TERM))
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(Usage.AUTHORITY.extension(), critical=True)
    )


def _issuer_key_id(key: RSAPrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
