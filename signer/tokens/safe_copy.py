"""A copy of each SoftHSM token's `token.object`, because SoftHSM 2 can lose every key of a token by itself.

Each C_Login rewrites `token.object` in place (truncate, lock, write): a process that dies inside leaves it empty or cut short, and with it
the token and all its keys are gone from view. The files of the keys themselves are not touched. So, under the start-up lock (no login of
ours runs): a `token.object` that is no longer whole is replaced from the copy before the module is loaded, and before and after the login
the copy is brought up to date.

The copy holds the token's label, serial and wrapped master keys, as the original does. It has the same owner and mode 0600.

Format of an object file (SoftHSM 2.6 ObjectFile.cpp): u64 generation, then attributes of u64 type, u64 kind and a value whose length the
kind tells. Whole means: the walk ends exactly at the end of the file, and no attribute of the copy is missing.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

_TOKEN_OBJECT = "token.object"
_U64 = struct.Struct(">Q")
_BOOLEAN, _UNSIGNED, _BYTES, _ATTRIBUTES, _MECHANISMS = 1, 2, 3, 4, 5


class SafeCopy:
    """The copies for one directory of tokens. Both calls need the start-up lock."""

    def __init__(self, token_directory: Path, copy_directory: Path) -> None:
        self._tokens = token_directory
        self._copies = copy_directory

    def restore(self) -> list[str]:
        """Replaces each spoiled `token.object` that the copy knows; returns the files restored, relative to the token directory.

        A token whose whole folder is gone was removed by somebody, and is left alone. A copy that is itself spoiled is not believed.
        """
        restored = []
        for good in sorted(self._copies.glob(f"*/{_TOKEN_OBJECT}")):
            relative = good.relative_to(self._copies)
            live = self._tokens / relative
            if not (live.parent.is_dir() and _is_whole(good)):
                continue
            if not (_is_whole(live) and _attribute_types(good) <= _attribute_types(live)):
                _replace(live, good.read_bytes())
                restored.append(str(relative))
        return restored

    def refresh(self) -> None:
        """Brings the copy up to date with every whole token."""
        for live in sorted(self._tokens.glob(f"*/{_TOKEN_OBJECT}")):
            content = live.read_bytes()
            target = self._copies / live.relative_to(self._tokens)
            if _is_whole(live) and not (target.exists() and target.read_bytes() == content):
                _replace(target, content)


def _replace(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(target)


def _is_whole(path: Path) -> bool:
    try:
        return bool(_attribute_types(path))
    except (OSError, ValueError):
        return False


def _attribute_types(path: Path) -> frozenset[int]:
    """The types of an object file's attributes; ValueError where the file is cut short."""
    raw = path.read_bytes()
    offset, types = _U64.size, set()
    while offset < len(raw):
        kind_of, kind = _u64(raw, offset), _u64(raw, offset + 8)
        types.add(kind_of)
        offset = _skip(raw, offset + 16, kind)
    if offset != len(raw):
        raise ValueError(f"{path.name} ends inside an attribute")
    return frozenset(types)


def _skip(raw: bytes, offset: int, kind: int) -> int:
    if kind == _BOOLEAN:
        return offset + 1
    if kind == _UNSIGNED:
        return offset + 8
    if kind in (_BYTES, _ATTRIBUTES):
        return offset + 8 + _u64(raw, offset)
    if kind == _MECHANISMS:
        return offset + 8 + 8 * _u64(raw, offset)
    raise ValueError(f"unknown attribute kind {kind}")


def _u64(raw: bytes, offset: int) -> int:
    if offset + _U64.size > len(raw):
        raise ValueError("the file ends inside a number")
    (value,) = _U64.unpack_from(raw, offset)
    return int(value)
