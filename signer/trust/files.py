"""Certificates in PEM (RFC 7468), each with what it is believed for in the explanatory text before it.

    CN=RootCA (DEMO),C=VN
    SHA-256: 5e…
    Purposes: signing, validation
    -----BEGIN CERTIFICATE-----

A certificate without a `Purposes:` line serves every purpose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signer.errors import ConfigError
from signer.trust.anchor import EVERY_PURPOSE, Anchor, TrustPurpose

_BLOCK: Final = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----.*?-----END (?:X509 |TRUSTED )?CERTIFICATE-----", re.DOTALL)
_PURPOSES: Final = re.compile(rb"^[ \t]*Purposes:(.*)$", re.MULTILINE)


def read_anchors(file: Path) -> list[Anchor]:
    """Every certificate of a PEM file with its purposes; ConfigError for a file that can't be read, or holds none."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: can't be read: {error.strerror}", file=str(file)) from error
    found = list(_anchors(content, file))
    if not found:
        raise ConfigError(f"{file}: holds no PEM certificate", file=str(file))
    return found


def read_certificate(content: bytes) -> x509.Certificate:
    """One certificate, PEM or DER; ConfigError for anything else."""
    block = _BLOCK.search(content)
    try:
        return x509.load_pem_x509_certificate(block.group()) if block else x509.load_der_x509_certificate(content)
    except ValueError as error:
        raise ConfigError("not a certificate in PEM or DER") from error


def render(anchor: Anchor) -> bytes:
    """What `read_anchors` reads."""
    purposes = ", ".join(purpose.value for purpose in TrustPurpose if purpose in anchor.purposes)
    head = f"{anchor.subject}\nSHA-256: {anchor.anchor_id}\nPurposes: {purposes}\n"
    return head.encode() + anchor.certificate.public_bytes(Encoding.PEM)


def _anchors(content: bytes, file: Path) -> Iterator[Anchor]:
    before = 0
    for block in _BLOCK.finditer(content):
        try:
            certificate = x509.load_pem_x509_certificate(block.group())
        except ValueError as error:
            raise ConfigError(f"{file}: a certificate in it can't be read", file=str(file)) from error
        yield Anchor(certificate, _purposes(content[before : block.start()], file), file)
        before = block.end()


def _purposes(head: bytes, file: Path) -> frozenset[TrustPurpose]:
    said = _PURPOSES.findall(head)
    if not said:
        return EVERY_PURPOSE
    words = said[-1].decode("ascii", "replace").replace(",", " ").split()
    try:
        return frozenset(TrustPurpose(word) for word in words)
    except ValueError as error:
        known = ", ".join(purpose.value for purpose in TrustPurpose)
        raise ConfigError(f"{file}: 'Purposes: {' '.join(words)}': known are {known}", file=str(file)) from error
