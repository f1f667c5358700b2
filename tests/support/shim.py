"""The PKCS#11 module that breaks on command (tests/support/shim/shim.c): how tests build it, command it and read what it saw.

Rules are written into a file that every worker maps, so they hold from the next call on, in all processes.
"""

from __future__ import annotations

import mmap
import struct
import subprocess
from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from signer.demo.softhsm import DemoToken

SOURCE = Path(__file__).parent / "shim" / "shim.c"
FOREVER = 2**63
_DOOR = struct.Struct("=7Q8x")
_DOORS_AT = 64
_RULE = struct.Struct("=5Q")
_RULE_AT = 8
_KEY_USE = struct.Struct("=2Q32s")
_KEY_USES_MAX = 65_536


class Door(IntEnum):
    """Where the shim stands; the number is its place in the file."""

    INITIALIZE = 0
    OPEN_SESSION = 1
    LOGIN = 2
    SIGN_INIT = 3
    SIGN = 4
    GENERATE_RANDOM = 5


class Action(IntEnum):
    """What a struck call does. *_AFTER: once the real module has done its work, as when a reply is lost."""

    NONE = 0
    FAIL_BEFORE = 1
    FAIL_AFTER = 2
    HANG_BEFORE = 3
    HANG_AFTER = 4
    CRASH_BEFORE = 5
    CRASH_AFTER = 6
    SPOIL = 7


_LOG_AT = _DOORS_AT + len(Door) * _DOOR.size
STATE_BYTES = _LOG_AT + _KEY_USES_MAX * _KEY_USE.size


class Ckr(IntEnum):
    """PKCS#11 return values, by their names in the standard without CKR_."""

    OK = 0x000
    HOST_MEMORY = 0x002
    GENERAL_ERROR = 0x005
    FUNCTION_FAILED = 0x006
    DATA_INVALID = 0x020
    DATA_LEN_RANGE = 0x021
    DEVICE_ERROR = 0x030
    DEVICE_MEMORY = 0x031
    DEVICE_REMOVED = 0x032
    FUNCTION_CANCELED = 0x050
    KEY_HANDLE_INVALID = 0x060
    MECHANISM_INVALID = 0x070
    OPERATION_NOT_INITIALIZED = 0x091
    PIN_INCORRECT = 0x0A0
    PIN_LOCKED = 0x0A4
    SESSION_CLOSED = 0x0B0
    SESSION_COUNT = 0x0B1
    SESSION_HANDLE_INVALID = 0x0B3
    TOKEN_NOT_PRESENT = 0x0E0
    USER_NOT_LOGGED_IN = 0x101
    VENDOR_DEFINED = 0x8000_0042


@dataclass(frozen=True, slots=True)
class KeyUse:
    """One C_Sign that reached the real token. at_ns: time.monotonic_ns(). digest: what was signed, its last 32 bytes."""

    at_ns: int
    pid: int
    digest: bytes


def build(folder: Path) -> Path:
    """Compiles the module; its path."""
    module = folder / "shim.so"
    subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", str(SOURCE), "-o", str(module), "-ldl"], check=True)
    return module


class Shim:
    """One shim in front of one token. state: its file, made here."""

    def __init__(self, module: Path, token: DemoToken, state: Path) -> None:
        self.module = module
        self.token = token
        self._path = state
        with state.open("wb") as file:
            file.truncate(STATE_BYTES)
        with state.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), STATE_BYTES)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs that loads the shim."""
        own = {"SIGNER_SHIM_MODULE": str(self.token.module_path), "SIGNER_SHIM_STATE": str(self._path)}
        return {**self.token.environment, **own}

    def strike(self, door: Door, action: Action, ckr: Ckr = Ckr.OK, *, after: int = 0, count: int = FOREVER) -> None:
        """Let `after` more calls pass, then strike `count` of them. Replaces the door's earlier rule; its delay stays."""
        at, (calls, _first, _end, _action, _ckr, delay_us, _pid) = self._door(door)
        first = calls + after
        self._map[at + 16 : at + 24] = struct.pack("=Q", 0)  # disarmed while the rule is half-written
        _RULE.pack_into(self._map, at + _RULE_AT, first, 0, action, ckr, delay_us)
        self._map[at + 16 : at + 24] = struct.pack("=Q", first + count)

    def delay(self, door: Door, seconds: float) -> None:
        """Every call takes so much longer, half before and half after the real one, until told otherwise."""
        at, _ = self._door(door)
        self._map[at + 40 : at + 48] = struct.pack("=Q", round(seconds * 1e6))

    def expire(self, idle_s: float) -> None:
        """Sessions that were idle for longer are given up; 0: none."""
        self._map[8:16] = struct.pack("=Q", round(idle_s * 1e9))

    @property
    def given_up(self) -> int:
        """How often a session was used that had been given up."""
        return int.from_bytes(self._map[16:24], "little")

    def calm(self) -> None:
        """No fault, no delay and no expiry any more; counters stay."""
        self.expire(0)
        for door in Door:
            at, _ = self._door(door)
            _RULE.pack_into(self._map, at + _RULE_AT, 0, 0, Action.NONE, Ckr.OK, 0)

    def calls(self, door: Door) -> int:
        """How often the door was called, struck calls included."""
        _at, (calls, *_rule) = self._door(door)
        return int(calls)

    def last_caller(self, door: Door) -> int:
        """The process that called it last."""
        _at, (*_rule, pid) = self._door(door)
        return int(pid)

    def key_uses(self) -> list[KeyUse]:
        """Every C_Sign that reached the real token, in order. One that its process did not live to forward has no time, and is none."""
        numbers = range(int.from_bytes(self._map[0:8], "little"))
        found = [_KEY_USE.unpack_from(self._map, _LOG_AT + number * _KEY_USE.size) for number in numbers]
        return [KeyUse(at_ns, pid, digest) for at_ns, pid, digest in found if at_ns]

    def digests(self) -> Counter[bytes]:
        """How often each digest was signed."""
        return Counter(use.digest for use in self.key_uses())

    def _door(self, door: Door) -> tuple[int, tuple[int, ...]]:
        at = _DOORS_AT + door * _DOOR.size
        return at, _DOOR.unpack_from(self._map, at)
