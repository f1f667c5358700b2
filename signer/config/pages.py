"""The page for people: where it listens, under which name browsers know it, and what it lets one do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from signer.settings import ListenAddress


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "https" or not parts.hostname or value != f"https://{parts.netloc}" or "@" in parts.netloc or value != value.lower():
        message = "expected 'https://name' or 'https://name:port' in lower case, as people's browsers show it"
        raise ValueError(message)
    return value


@dataclass(frozen=True, slots=True)
class PagesSettings:
    """`[pages]`: the web page on which people set their factors and decide what is signed in their name. Left out: there is none.

    TLS always, without client certificates: people prove themselves with their factors.
    """

    listen: Annotated[ListenAddress, Field(description="Address and port; port 0 takes a free one and logs it.")]
    origin: Annotated[
        str,
        AfterValidator(_origin),
        Field(
            description="How browsers reach it, as `https://name:port`. Requests under another name are refused; passkeys are bound to the "
            "name for good."
        ),
    ]
    tls_certificate: Annotated[
        Path, Field(description="PEM: the server's certificate, then its intermediates; of a CA that people's browsers know.")
    ]
    tls_private_key: Annotated[Path, Field(description="PEM: the private key of tls_certificate, without a passphrase; mode 0600.")]
    idle_minutes: Annotated[int, Field(ge=1, le=60, description="Who does nothing for so long is signed out.")] = 15
    session_hours: Annotated[int, Field(ge=1, le=12, description="Who has been signed in for so long signs in anew, whatever they do.")] = 4
    sessions_max: Annotated[
        int, Field(ge=1, le=1_000_000, description="People signed in at once; beyond it whoever has been idle longest is signed out.")
    ] = 20_000
    address_tries_per_minute_max: Annotated[
        int,
        Field(
            ge=1,
            le=10_000,
            description="Tries of codes and factors a minute from one address; beyond it 429. A school is usually one address. Tries of "
            "one person are limited by `[activation]`.",
        ),
    ] = 60
    address_per_second_max: Annotated[
        float, Field(ge=0, le=100_000, description="Requests a second from one address; beyond it 429 with Retry-After; 0: no limit.")
    ] = 50.0
    connections_max: Annotated[int, Field(ge=1, le=100_000, description="Connections open at once; one more is closed at once.")] = 2048
    address_connections_max: Annotated[
        int,
        Field(ge=1, le=100_000, description="Connections of one client address, and new ones a second. Raise it for a proxy in front."),
    ] = 256
    request_bytes_max: Annotated[
        int, Field(ge=4096, le=1_048_576, description="Longest request; a longer one is answered with 413 and its connection closed.")
    ] = 65_536
    idle_s: Annotated[
        float,
        Field(ge=0.1, le=3600, description="How long a connection may wait for its client, at any point; then it is closed."),
    ] = 30.0

    @property
    def name(self) -> str:
        """The host's name in the origin: WebAuthn's relying party."""
        return urlsplit(self.origin).hostname or ""
