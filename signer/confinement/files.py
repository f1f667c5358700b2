"""Landlock (landlock(7)): from now on this process opens only what lies below a few folders, and only to read.

Descriptors that are open already stay as they are: standard error, and the socket to the daemon.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

from signer.confinement.kernel import Prctl, prctl, syscall

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_BENEATH = 1
_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_ACCESSES_BY_VERSION = (13, 14, 15, 15, 16)
"""How many kinds of access to files a version knows; later ones know no more."""
_SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/dev/urandom")
_OURS = Path(__file__).parents[1]


def programs_own_files() -> tuple[Path, ...]:
    """What an interpreter reads while it works: its libraries, ours, the system's, the time zone. Nothing of a configuration."""
    paths = (Path(sys.prefix), Path(sys.base_prefix), _OURS, *map(Path, _SYSTEM))
    return tuple(path for path in paths if path.exists())


def read_only_below(paths: Iterable[Path]) -> bool:
    """False where this kernel has no Landlock (before 5.13, or switched off)."""
    try:
        version = _version()
        handled = (1 << _ACCESSES_BY_VERSION[min(version, len(_ACCESSES_BY_VERSION)) - 1]) - 1
        attributes = struct.pack("=Q", handled)
        rules = syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0))
    except OSError:
        return False
    try:
        for path in paths:
            _let_read(rules, path)
        prctl(Prctl.SET_NO_NEW_PRIVS, 1)
        syscall(_RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint(0))
    except OSError:
        return False
    finally:
        os.close(rules)
    return True


def is_known_to_the_kernel() -> bool:
    """Whether `read_only_below` can take effect here."""
    try:
        return _version() > 0
    except OSError:
        return False


def _version() -> int:
    return syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_ASK_VERSION))


def _let_read(rules: int, path: Path) -> None:
    access = _READ_FILE | _READ_FOLDER if path.is_dir() else _READ_FILE
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", access, descriptor)
        syscall(_ADD_RULE, ctypes.c_int(rules), ctypes.c_int(_BENEATH), rule, ctypes.c_uint(0))
    finally:
        os.close(descriptor)
