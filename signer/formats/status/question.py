from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import AuthorityInformationAccessOID

UNREADABLE: Final = (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError)
"""What reading a certificate's extension raises where it is not there, or not well-formed."""
_URLS_MAX: Final = 4
_URL_LENGTH_MAX: Final = 1024


@dataclass(frozen=True)
class Question:
    """Is this certificate revoked? issuer: whose key signed it; a `path.Path` vouches for that."""

    certificate: x509.Certificate
    issuer: x509.Certificate

    @cached_property
    def key(self) -> tuple[bytes, bytes]:
        """What makes two questions the same: SHA-256 of both certificates."""
        return self.certificate.fingerprint(SHA256()), self.issuer.fingerprint(SHA256())

    @property
    def serial(self) -> str:
        """The certificate's serial number, lower-case hexadecimal."""
        return f"{self.certificate.serial_number:x}"

    @cached_property
    def ocsp_urls(self) -> tuple[str, ...]:
        """Where OCSP is asked (RFC 5280 §4.2.2.1); http alone, a few at most."""
        try:
            access = self.certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        except UNREADABLE:
            return ()
        places = [each.access_location for each in access if each.access_method == AuthorityInformationAccessOID.OCSP]
        return _http(places)

    @cached_property
    def crl_urls(self) -> tuple[str, ...]:
        """Where complete CRLs of its issuer lie (RFC 5280 §4.2.1.13); http alone, a few at most."""
        places = [name for point in self._points() if point.reasons is None and not point.crl_issuer for name in point.full_name or ()]
        return _http(places)

    def _points(self) -> Iterator[x509.DistributionPoint]:
        try:
            yield from self.certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        except UNREADABLE:
            return


def _http(names: list[x509.GeneralName]) -> tuple[str, ...]:
    urls = [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]
    return tuple(dict.fromkeys(url for url in urls if _is_http(url)))[:_URLS_MAX]


def _is_http(url: str) -> bool:
    """Plain http: status answers are signed, and https would need a status of its own (RFC 5280 §8)."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and bool(parts.hostname) and parts.username is None and len(url) <= _URL_LENGTH_MAX
    except ValueError:
        return False
