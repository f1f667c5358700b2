"""The kernel's calls that Python does not wrap."""

from __future__ import annotations

import ctypes
import os
from enum import IntEnum

_LIBC = ctypes.CDLL(None, use_errno=True)


class Prctl(IntEnum):
    """Options of prctl(2)."""

    SET_DUMPABLE = 4
    SET_SECCOMP = 22
    SET_NO_NEW_PRIVS = 38


def prctl(option: Prctl, argument: int = 0, pointer: object = None) -> None:
    """One operation on this process; raises OSError."""
    if _LIBC.prctl(ctypes.c_int(option), ctypes.c_ulong(argument), pointer or ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)):
        raise _failure("prctl")


def mlockall(flags: int) -> None:
    """Keeps pages of this process out of swap; raises OSError."""
    if _LIBC.mlockall(ctypes.c_int(flags)):
        raise _failure("mlockall")


def syscall(number: int, *arguments: object) -> int:
    """A system call by its number; raises OSError. Arguments: ctypes values."""
    found: int = _LIBC.syscall(ctypes.c_long(number), *arguments)
    if found < 0:
        raise _failure(f"system call {number}")
    return found


def _failure(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
