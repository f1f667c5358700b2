"""Where PINs come from, and the wrapper that keeps them out of every text.

Rules of the room:
- Configuration, command lines and messages between processes carry a `PinReference`; only the token worker reads it.
- A `Secret` shows its value to `reveal()` alone: not to str, repr, format, pickle or JSON.
- No error here repeats what was read or what stood in place of a reference: that may be the PIN itself.
"""

from __future__ import annotations

import hmac
import os
import stat
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import NoReturn

from signer.errors import ConfigError, PinSourceUnreadable

SECRET_BYTES_MAX = 4096


class Secret:
    """A value that must not be shown; equal to another `Secret` of the same value (compared in constant time)."""

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]  # a hash of a short PIN gives the PIN away

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself: for the call that needs it, never for a variable that lives on."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __reduce__(self) -> NoReturn:
        message = "a Secret does not leave its process"
        raise TypeError(message)


class PinSource(Enum):
    """Who holds the PIN; the value is the scheme of the reference."""

    FILE = "file"
    ENVIRONMENT = "env"
    CREDENTIAL = "credential"


_FORBIDDEN_MODE_BITS = {
    PinSource.FILE: 0o077,
    # systemd gives a service with User= its credential by an ACL, whose mask shows as group-read; the folder itself is closed.
    PinSource.CREDENTIAL: 0o007,
}

_REFUSED = (
    "must be a reference, never the PIN itself: 'file:PATH' (mode 0600), 'env:NAME' (variable of the token worker) "
    "or 'credential:NAME' (systemd LoadCredential); what stands there is not repeated here, in case it is the PIN"
)


@dataclass(frozen=True, slots=True)
class PinReference:
    """Says where a PIN is, as in `file:/etc/signer/pin`, `env:TOKEN_PIN` or `credential:token-pin`; `str()` gives that text back.

    name: a path, a variable's name, or the name of a file in systemd's $CREDENTIALS_DIRECTORY.
    """

    source: PinSource
    name: str

    @classmethod
    def parse(cls, text: object) -> PinReference:
        """Read a reference; anything else is a ConfigError that does not repeat it."""
        scheme, colon, name = text.partition(":") if isinstance(text, str) else ("", "", "")
        by_scheme = {source.value: source for source in PinSource}
        if not colon or scheme not in by_scheme or not name.strip() or "\0" in name:
            raise ConfigError(_REFUSED)
        source = by_scheme[scheme]
        if source is PinSource.CREDENTIAL and ("/" in name or name.startswith(".")):
            raise ConfigError("'credential:NAME' takes the bare name given to LoadCredential=, without a folder")
        return cls(source, name)

    def __str__(self) -> str:
        return f"{self.source.value}:{self.name}"

    def anchored(self, folder: Path) -> PinReference:
        """The same reference with a relative file path read from `folder`."""
        return replace(self, name=str(folder / self.name)) if self.source is PinSource.FILE else self

    def read(self) -> Secret:
        """The PIN, without the newline that ends it; PinSourceUnreadable if it is missing, empty or open to others."""
        value = self._text()
        if not value:
            raise PinSourceUnreadable(f"{self} is empty: put the PIN there, and nothing else")
        return Secret(value)

    def _text(self) -> str:
        if self.source is PinSource.ENVIRONMENT:
            value = os.environ.get(self.name)
            if value is None:
                raise PinSourceUnreadable(f"{self}: the token worker's environment has no such variable")
            return value
        try:
            return _file_text(self._path(), _FORBIDDEN_MODE_BITS[self.source])
        except OSError as error:
            raise PinSourceUnreadable(f"{self} can't be read: {error.strerror}") from error

    def _path(self) -> Path:
        if self.source is PinSource.FILE:
            return Path(self.name)
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise PinSourceUnreadable(f"{self}: systemd gave no credentials; add LoadCredential={self.name}:PATH to the unit")
        return Path(folder) / self.name


def _file_text(path: Path, forbidden_mode_bits: int) -> str:
    """The file's text without its last newline; looked at through one descriptor, so that it can't be swapped in between."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise PinSourceUnreadable(f"{path} is not a regular file")
        if status.st_mode & forbidden_mode_bits:
            raise PinSourceUnreadable(f"{path} is open to others (mode {stat.S_IMODE(status.st_mode):04o}): chmod 600 {path}")
        content = file.read(SECRET_BYTES_MAX + 1)
    if len(content) > SECRET_BYTES_MAX:
        raise PinSourceUnreadable(f"{path} is longer than {SECRET_BYTES_MAX} bytes: it should hold the PIN alone")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        # The original error quotes the bytes, which may be the PIN.
        raise PinSourceUnreadable(f"{path} is not UTF-8 text") from None
    return text.removesuffix("\n").removesuffix("\r")
