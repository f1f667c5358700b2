"""PKCS#11 URIs that name a token (RFC 7512), such as `pkcs11:token=school-1;manufacturer=SoftHSM%20project`.

Rules of the file: pure. Attributes of the token, its slot and its library are matched, each that is given exactly (RFC 7512 §2.4). Those of
objects are refused, because keys are named by their credentials; so are a PIN in the URI, which would stand in logs and process lists, and
a module, which has a key of its own in the configuration. Vendor attributes (`x-…`) say nothing that is known here, and are refused too:
a URI that is more precise than what is matched could find another token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import unquote

from signer.errors import ConfigError
from signer.secrets import PinReference, PinSource

_SCHEME = "pkcs11:"
_ESCAPES = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PATH_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~%:\[\]@!$'()*+,=&]*")
"""pk11-pchar (RFC 7512 §2.3): what need not be percent-encoded in a path value."""
_QUERY_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~%:\[\]@!$'()*+,=/?|;]*")
_VERSION = re.compile(r"\d{1,3}(\.\d{1,3})?")


class TokenAttribute(Enum):
    """What a token is matched by; the value is RFC 7512's name."""

    TOKEN = "token"
    MANUFACTURER = "manufacturer"
    SERIAL = "serial"
    MODEL = "model"
    SLOT_DESCRIPTION = "slot-description"
    SLOT_MANUFACTURER = "slot-manufacturer"
    SLOT_ID = "slot-id"
    LIBRARY_DESCRIPTION = "library-description"
    LIBRARY_MANUFACTURER = "library-manufacturer"
    LIBRARY_VERSION = "library-version"


_OF_OBJECTS = frozenset({"object", "type", "id"})
_OF_QUERY = frozenset({"pin-source", "pin-value", "module-name", "module-path"})


@dataclass(frozen=True, slots=True)
class TokenUri:
    """Attributes as text, decoded; versions as `major.minor`. pin: where the PIN is, None when the URI does not say."""

    attributes: Mapping[TokenAttribute, str] = field(default_factory=dict)
    pin: PinReference | None = None

    @classmethod
    def parse(cls, text: str) -> TokenUri:
        """Reads a URI; ConfigError says what is wrong, without the value of a PIN."""
        if not text.startswith(_SCHEME):
            raise ConfigError("a PKCS#11 URI begins with 'pkcs11:' (RFC 7512), as p11tool --list-tokens prints it")
        path, _mark, query = text.removeprefix(_SCHEME).partition("?")
        named = _pairs(path, ";", _PATH_CHARACTERS)
        asked = _pairs(query, "&", _QUERY_CHARACTERS)
        if not named:
            raise ConfigError("the PKCS#11 URI names no token: give at least token= or serial=")
        return cls(_token_attributes(named), _pin(asked))

    def matches(self, found: Mapping[TokenAttribute, str]) -> bool:
        """Whether every attribute of the URI is what was found."""
        return all(found.get(attribute) == value for attribute, value in self.attributes.items())

    def __str__(self) -> str:
        """The URI without its query, decoded values encoded again."""
        return _SCHEME + ";".join(f"{attribute.value}={_encode(value)}" for attribute, value in self.attributes.items())


def _pairs(part: str, separator: str, allowed: re.Pattern[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in part.split(separator) if part else ():
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ConfigError(f"a part of the PKCS#11 URI is no NAME=VALUE{_shown(name)}")
        if name in found:
            raise ConfigError(f"the PKCS#11 URI gives {name!r} twice")
        if _ESCAPES.search(value) or allowed.fullmatch(value) is None:
            raise ConfigError(f"the PKCS#11 URI's {name!r} has a character that must be percent-encoded, or a wrong percent sign")
        try:
            found[name] = unquote(value, errors="strict")
        except UnicodeDecodeError:
            raise ConfigError(f"the PKCS#11 URI's {name!r} is not UTF-8") from None
    return found


def _shown(name: str) -> str:
    """The name of a part without a value, unless it could be a PIN that was put there."""
    known = {attribute.value for attribute in TokenAttribute} | _OF_OBJECTS | _OF_QUERY
    return f": {name}" if name in known else ""


def _token_attributes(named: Mapping[str, str]) -> dict[TokenAttribute, str]:
    known = {attribute.value: attribute for attribute in TokenAttribute}
    for name in named:
        if name in _OF_OBJECTS:
            raise ConfigError(f"the PKCS#11 URI names an object ({name}); tokens are named here, keys by [[credentials]]")
        if name in _OF_QUERY:
            raise ConfigError(f"the PKCS#11 URI gives {name} before its '?': it stands behind it (RFC 7512 section 2.3)")
        if name not in known:
            raise ConfigError(f"the PKCS#11 URI has the attribute {name!r}, which is not known here; known: {', '.join(known)}")
    found = {known[name]: value for name, value in named.items()}
    if TokenAttribute.SLOT_ID in found:
        slot = found[TokenAttribute.SLOT_ID]
        if not slot.isascii() or not slot.isdecimal():
            raise ConfigError("the PKCS#11 URI's slot-id is no decimal number")
        found[TokenAttribute.SLOT_ID] = str(int(slot))
    if TokenAttribute.LIBRARY_VERSION in found:
        found[TokenAttribute.LIBRARY_VERSION] = _version(found[TokenAttribute.LIBRARY_VERSION])
    return found


def _version(text: str) -> str:
    """`3` means 3.0 (RFC 7512 §2.3)."""
    if _VERSION.fullmatch(text) is None:
        raise ConfigError("the PKCS#11 URI's library-version is no MAJOR or MAJOR.MINOR")
    major, _point, minor = text.partition(".")
    return f"{int(major)}.{int(minor or 0)}"


def _pin(asked: Mapping[str, str]) -> PinReference | None:
    for name in asked:
        if name == "pin-value":
            raise ConfigError("a PIN never stands in a PKCS#11 URI: give pin-source, or `pin` beside it")
        if name.startswith("module-"):
            raise ConfigError(f"the module is given by `module`, not by {name} in the PKCS#11 URI")
        if name != "pin-source":
            raise ConfigError(f"the PKCS#11 URI asks for {name!r}, which is not known here")
    source = asked.get("pin-source")
    if source is None:
        return None
    if source.startswith("|"):
        raise ConfigError("pin-source may not be a command: put the PIN into a file of mode 0600, or use systemd's LoadCredential=")
    found = PinReference.parse(f"file:{source}" if source.startswith("/") else _without_authority(source))
    if found.source is PinSource.FILE and not found.name.startswith("/"):
        raise ConfigError("the PKCS#11 URI's pin-source must be an absolute path")
    return found


def _without_authority(source: str) -> str:
    """`file:///path` and `file:/path` are the same file (RFC 8089)."""
    return f"file:{source.removeprefix('file://')}" if source.startswith("file:///") else source


def _encode(value: str) -> str:
    allowed = re.compile(r"[A-Za-z0-9\-._~:\[\]@!$'()*+,=&]")
    return "".join(each if allowed.fullmatch(each) else "".join(f"%{octet:02X}" for octet in each.encode()) for each in value)
