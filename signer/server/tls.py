"""The gRPC door's TLS identity, read from its files and changed without closing the door.

gRPC asks for the certificate at every handshake (`dynamic_ssl_server_credentials`): connections that are open stay as they are, the next
one sees what was taken last. What does not fit together is never taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from signer.access.client_crls import ClientCrls, read_client_crls
from signer.config.server import ExpiredCrl, ServerSettings
from signer.errors import ConfigError
from signer.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """PEM as gRPC wants it, when the server's certificate ends, and what gRPC does not look at: which client certificates were revoked."""

    private_key: bytes
    certificate: bytes
    client_ca: bytes
    not_after: datetime
    client_crls: ClientCrls

    @classmethod
    def read(cls, settings: ServerSettings) -> TlsIdentity:
        """ConfigError, naming the key, when a file can't be read or parsed, or files do not belong together."""
        certificate = _read(settings, "tls_certificate")
        private_key = _read(settings, "tls_private_key")
        client_ca = _read(settings, "tls_client_ca")
        try:
            leaf = x509.load_pem_x509_certificates(certificate)[0]
        except ValueError as error:
            raise ConfigError(f"server.tls_certificate: {settings.tls_certificate} holds no PEM certificate") from error
        try:
            public_key = load_pem_private_key(private_key, None).public_key()
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigError(f"server.tls_private_key: {settings.tls_private_key} holds no PEM key without a passphrase") from error
        encoding = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if public_key.public_bytes(*encoding) != leaf.public_key().public_bytes(*encoding):
            raise ConfigError("server.tls_private_key: is not the key of server.tls_certificate; give the two that were made together")
        try:
            authorities = x509.load_pem_x509_certificates(client_ca)
        except ValueError as error:
            raise ConfigError(f"server.tls_client_ca: {settings.tls_client_ca} holds no PEM certificate") from error
        accepts_expired = settings.tls_client_crl_expired is ExpiredCrl.ACCEPT
        crls = read_client_crls(settings.tls_client_crls, authorities, accepts_expired=accepts_expired)
        return cls(private_key, certificate, client_ca, leaf.not_valid_after_utc, crls)


class TlsDoor:
    """What handshakes are answered with now. `take` from the event loop; gRPC asks from threads of its own."""

    def __init__(self, identity: TlsIdentity, metrics: Metrics) -> None:
        self._ends = metrics.tls_certificate_not_after_seconds.labels(door="grpc")
        self._crl_ends = metrics.client_crl_next_update_seconds
        self._given: grpc.ServerCertificateConfiguration | None = None
        self.take(identity)

    def take(self, identity: TlsIdentity) -> None:
        """New connections are answered with this identity from now on."""
        self._configuration = _configuration(identity)
        self._ends.set(identity.not_after.timestamp())
        next_update = identity.client_crls.next_update
        self._crl_ends.set(next_update.timestamp() if next_update else 0.0)

    def credentials(self) -> grpc.ServerCredentials:
        """For the port: client certificates are required and verified."""
        self._given = self._configuration
        return grpc.dynamic_ssl_server_credentials(self._configuration, self._fetch, require_client_authentication=True)  # type: ignore[arg-type]  # None is allowed, the stubs forgot

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """None leaves what was given last."""
        wanted = self._configuration
        if wanted is self._given:
            return None
        self._given = wanted
        return wanted


def _configuration(identity: TlsIdentity) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(identity.private_key, identity.certificate)], root_certificates=identity.client_ca)


def _read(settings: ServerSettings, key: str) -> bytes:
    path = getattr(settings, key)
    try:
        content: bytes = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"server.{key}: {path} can't be read: {error.strerror}") from error
    return content
