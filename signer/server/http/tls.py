from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from signer.errors import ConfigError


@dataclass(frozen=True, slots=True)
class HttpTls:
    """What a door proves itself with and whom it believes, and when its certificate ends."""

    context: ssl.SSLContext
    not_after: datetime

    @classmethod
    def read(cls, section: str, certificate: Path, private_key: Path | None, client_ca: Path | None = None) -> HttpTls:
        """ConfigError, naming the section, for files that can't be used. client_ca: None asks nobody for a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(certificate, private_key, password=_no_passphrase)
            if client_ca is not None:
                context.load_verify_locations(cafile=client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
            leaf = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
        except (OSError, ValueError) as error:
            raise ConfigError(f"[{section}]: its TLS files can't be used: {error}") from error
        return cls(context, leaf.not_valid_after_utc)


def _no_passphrase() -> str:
    message = "tls_private_key has a passphrase; give one without"
    raise ValueError(message)
