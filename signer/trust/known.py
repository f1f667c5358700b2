from __future__ import annotations

import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib import resources

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class KnownCa:
    """A row of `government_cas.toml`. sha256: lower-case hexadecimal."""

    known_as: str
    subject: str
    common_name: str
    sha256: str


@cache
def known_cas() -> tuple[KnownCa, ...]:
    """The table that the appliance ships."""
    text = resources.files(__package__).joinpath("government_cas.toml").read_text(encoding="utf-8")
    return tuple(KnownCa(**row) for row in tomllib.loads(text)["ca"])


def recognise(certificate: x509.Certificate) -> KnownCa | None:
    """The row of this very certificate."""
    sha256 = certificate.fingerprint(SHA256()).hex()
    return next((known for known in known_cas() if known.sha256 == sha256), None)


def known_name(certificate: x509.Certificate) -> KnownCa | None:
    """The first row whose name this certificate bears, as people read names: letter case, accents, signs and spaces apart."""
    subject = _plain(certificate.subject.rfc4514_string())
    names = {_plain(str(each.value)) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)}
    return next((known for known in known_cas() if _plain(known.subject) == subject or _plain(known.common_name) in names), None)


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.casefold().replace("đ", "d"))
    return "".join(letter for letter in letters if letter.isalnum())
