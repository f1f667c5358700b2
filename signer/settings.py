"""Annotated types that the rooms' settings share: what a name, an address, a PIN reference or a fingerprint may look like.

Rules of the room:
- A room's settings are a frozen dataclass of `Annotated[type, Field(description=…)]` in `<room>/settings.py`: the description says
  the edge behaviour, the key's suffix says the unit (`_s`, `_ms`, `_bytes_max`, `_mib_max`, `_days`).
- `signer.config` validates them (strictly: a string is never a number) and renders their reference; a room made in a test by its
  constructor is not validated.
- Validators raise ValueError with what is wanted; `signer.config` adds file and key.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, PlainValidator

from signer.errors import ConfigError
from signer.secrets import PinReference

_PORT_MAX = 65_535
_SHA256_HEX = re.compile(r"[0-9a-f]{64}")
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):(\d{1,5})")


def _identifier(value: str) -> str:
    if _IDENTIFIER.fullmatch(value) is None:
        message = "expected 1 to 64 of A-Z a-z 0-9 . _ -, starting with a letter or digit"
        raise ValueError(message)
    return value


def _listen_address(value: str) -> str:
    match = _LISTEN.fullmatch(value)
    if match is None or int(match[2]) > _PORT_MAX:
        message = "expected 'host:port' or '[IPv6]:port' with a port of 0 to 65535"
        raise ValueError(message)
    return value


def split_listen(listen: str) -> tuple[str, int]:
    """Host (IPv6 without its brackets) and port of a `ListenAddress`."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def is_loopback(listen: str) -> bool:
    """Whether nobody outside this machine reaches a `ListenAddress`."""
    host, _port = split_listen(listen)
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _certificate_sha256(value: str) -> str:
    plain = value.replace(":", "").lower()
    if _SHA256_HEX.fullmatch(plain) is None:
        message = "expected 64 hex digits (colons allowed), as `openssl x509 -noout -fingerprint -sha256` prints"
        raise ValueError(message)
    return plain


def _key_id(value: str) -> str:
    try:
        return bytes.fromhex(value.replace(":", "")).hex()
    except ValueError:
        message = "expected CKA_ID in hex digits, as `pkcs11-tool -O` prints"
        raise ValueError(message) from None


def _pin_reference(value: object) -> PinReference:
    try:
        return PinReference.parse(value)
    except ConfigError as error:
        raise ValueError(error.message) from None


Identifier = Annotated[str, AfterValidator(_identifier)]
"""A name that is safe in logs, metrics, file names and resource names: 1 to 64 of A-Z a-z 0-9 . _ -, starting with a letter or digit."""

OptionalIdentifier = Annotated[str, AfterValidator(lambda value: _identifier(value) if value else value)]
"""An `Identifier`, or empty for none."""

ListenAddress = Annotated[str, AfterValidator(_listen_address)]
"""host:port to listen on; port 0 takes a free one."""

CertificateSha256 = Annotated[str, AfterValidator(_certificate_sha256)]
"""SHA-256 of a certificate's DER: 64 lower-case hex digits, without colons."""

KeyId = Annotated[str, AfterValidator(_key_id)]
"""CKA_ID as lower-case hex; empty for none."""

PinReferenceText = Annotated[PinReference, PlainValidator(_pin_reference)]
"""A `PinReference` read from its text."""
