"""From a TLS client certificate to the client it belongs to, and what that client may name.

The TLS layer has verified the chain to `server.tls_client_ca` by then; here the certificate becomes somebody. A certificate of that CA
that no `[[clients]]` entry matches is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from signer.access.settings import ClientSettings
from signer.errors import CallerUnknown, SchoolNotFound

_KNOWN_MAX = 4096


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever is at the other end of the connection."""

    client_id: str
    schools: frozenset[str]
    is_operator: bool

    def require_school(self, school_id: str) -> None:
        """SchoolNotFound unless the caller speaks for this school: unknown and foreign schools look alike."""
        if school_id not in self.schools:
            raise SchoolNotFound(
                f"no school {school_id!r} for this client; the operator lists a client's schools under [[clients]] in the configuration",
                school=school_id,
            )


class CallerTable:
    """The configured clients; identified certificates are remembered, since every RPC asks."""

    def __init__(self, clients: Iterable[ClientSettings]) -> None:
        self._clients = tuple(clients)
        self._known: dict[bytes, Caller] = {}

    def identify(self, certificate_pem: bytes) -> Caller:
        """The client that a certificate belongs to; CallerUnknown when none matches."""
        caller = self._known.get(certificate_pem)
        if caller is None:
            caller = self._match(certificate_pem)
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            self._known[certificate_pem] = caller
        return caller

    def _match(self, certificate_pem: bytes) -> Caller:
        try:
            certificate = x509.load_pem_x509_certificate(certificate_pem)
        except ValueError as error:
            raise CallerUnknown("the TLS client certificate can't be parsed") from error
        sha256 = certificate.fingerprint(hashes.SHA256()).hex()
        names = {str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)}
        for client in self._clients:
            names_somebody = bool(client.common_name or client.certificate_sha256)
            by_name = not client.common_name or client.common_name in names
            by_print = not client.certificate_sha256 or sha256 in {
                str(known).replace(":", "").lower() for known in client.certificate_sha256
            }
            if names_somebody and by_name and by_print:
                return Caller(client.id, frozenset(client.schools), client.operator)
        raise CallerUnknown(
            "this TLS client certificate is of no configured client; the operator adds its common name or SHA-256 under [[clients]]",
            certificateSha256=sha256,
        )
