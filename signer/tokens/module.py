"""Loading a PKCS#11 module, and finding the one token we were told to use.

python-pkcs11 calls C_Initialize(NULL), which promises the module a single thread. With several sessions in one process we keep the
opposite promise: C_Initialize with CKF_OS_LOCKING_OK (PKCS#11 v3.0 §5.4), through ctypes, because the library offers no argument for it.
"""

from __future__ import annotations

import contextlib
import ctypes
from typing import Any

from pkcs11 import Slot, Token, TokenFlag
from pkcs11 import _pkcs11 as binding
from pkcs11.exceptions import PKCS11Error

from signer.errors import TokenRemoved, TokenUnavailable
from signer.tokens.uri import TokenAttribute, TokenUri

_CKF_OS_LOCKING_OK = 2
_CKR_OK = 0


class _InitializeArguments(ctypes.Structure):
    _fields_ = (
        ("create_mutex", ctypes.c_void_p),
        ("destroy_mutex", ctypes.c_void_p),
        ("lock_mutex", ctypes.c_void_p),
        ("unlock_mutex", ctypes.c_void_p),
        ("flags", ctypes.c_ulong),
        ("reserved", ctypes.c_void_p),
    )


class _ThreadSafeLibrary(binding.lib):
    """The library's class, with the one call replaced that tells the module how many threads will come."""

    def initialize(self) -> None:
        _check(ctypes.CDLL(self.so).C_Initialize(ctypes.byref(_InitializeArguments(flags=_CKF_OS_LOCKING_OK))), "C_Initialize")

    def finalize(self) -> None:
        _check(ctypes.CDLL(self.so).C_Finalize(None), "C_Finalize")


class Module:
    """A module; one per process. `close` before the process ends: exit-time crashes are known.

    TokenUnavailable when there is no such library. It stays loaded while it is closed: sessions that were left still point into it.
    """

    def __init__(self, path: str, *, threads: bool) -> None:
        self._path = path
        self._kind: type = _ThreadSafeLibrary if threads else binding.lib
        self._library: Any = None
        try:
            ctypes.CDLL(path)
        except OSError as error:
            raise TokenUnavailable(
                f"the module {path} can't be loaded: {error}; mend its installation, it is tried again by itself"
            ) from error

    def open(self) -> None:
        """C_Initialize. Raises PKCS11Error."""
        if self._library is None:
            self._library = self._kind(self._path)
        else:
            self._library.initialize()

    def close(self) -> None:
        """C_Finalize, whatever it answers: all sessions of the process end with it."""
        if self._library is not None:
            with contextlib.suppress(PKCS11Error):
                self._library.finalize()

    def slots(self) -> list[Slot]:
        """Slots with a token in them."""
        found: list[Slot] = self._library.get_slots(token_present=True)
        return found

    def describe(self, token: Token) -> dict[TokenAttribute, str]:
        """What a PKCS#11 URI can name a token by."""
        slot, library = token.slot, self._library
        return {
            TokenAttribute.TOKEN: token.label,
            TokenAttribute.SERIAL: serial_of(token),
            TokenAttribute.MANUFACTURER: _text(token.manufacturer_id),
            TokenAttribute.MODEL: _text(token.model),
            TokenAttribute.SLOT_ID: str(slot.slot_id),
            TokenAttribute.SLOT_DESCRIPTION: _text(slot.slot_description),
            TokenAttribute.SLOT_MANUFACTURER: _text(slot.manufacturer_id),
            TokenAttribute.LIBRARY_DESCRIPTION: _text(library.library_description),
            TokenAttribute.LIBRARY_MANUFACTURER: _text(library.manufacturer_id),
            TokenAttribute.LIBRARY_VERSION: ".".join(map(str, library.library_version)),
        }


def _check(code: int, function: str) -> None:
    if code != _CKR_OK:
        raise PKCS11Error(f"{function} answered 0x{code:08x}")


def find_token(module: Module, *, name: str, label: str = "", serial: str = "", uri: str = "") -> Token:
    """The one initialised token that matches what is given of label, serial and PKCS#11 URI.

    TokenRemoved when there is none or more than one.

    More than one is refused rather than guessed: a PIN sent to the wrong token costs it a try.
    """
    tokens = [slot.get_token() for slot in module.slots()]
    initialised = [token for token in tokens if TokenFlag.TOKEN_INITIALIZED in token.flags]
    wanted_uri = TokenUri.parse(uri) if uri else TokenUri()
    matches = [
        token
        for token in initialised
        if (not label or token.label == label) and (not serial or serial_of(token) == serial) and wanted_uri.matches(module.describe(token))
    ]
    if len(matches) == 1:
        return matches[0]
    wanted = " and ".join(part for part in (label and f"label {label!r}", serial and f"serial {serial!r}", uri and str(wanted_uri)) if part)
    seen = ", ".join(f"{token.label!r} (serial {serial_of(token)})" for token in initialised) or "none"
    count = "no token" if not matches else f"{len(matches)} tokens"
    raise TokenRemoved(f"token {name}: {count} with {wanted}; the module shows: {seen}", token=name)


def serial_of(token: Token) -> str:
    """CK_TOKEN_INFO.serialNumber without its padding."""
    return _text(token.serial)


def _text(raw: object) -> str:
    return (raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)).strip()
