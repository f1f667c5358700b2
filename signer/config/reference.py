"""Renders docs/config.md from the dataclasses, so that it can't disagree with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from signer.config.shape import Key, keys_of
from signer.config.tree import Config

_MIB = 1024 * 1024
_HEAD = """# Configuration

One TOML file, given as `signer serve --config FILE`. This page is made from the code: `python -m signer.config > docs/config.md`.

- Every key has the default shown, unless it is *required*. Unknown keys and wrong kinds are refused, all at once, with their place.
- Relative paths are read from the folder the file lies in. A key's suffix is its unit: `_s`, `_ms`, `_bytes_max`, `_mib_max`, `_days`.
- A PIN is never in this file, only where to read it from: `file:PATH` (mode 0600), `env:NAME`, `credential:NAME` (systemd).
- `deploy/signer.example.toml` is a whole file to start from; `signer config check` tells what is wrong with yours.
"""


def reference() -> str:
    """docs/config.md: every section and key with kind, default, bounds, unit and description."""
    return "\n".join([_HEAD, *_sections(Config, "")])


def _sections(table: type, path: str) -> Iterator[str]:
    for key in keys_of(table).values():
        if key.table is None:
            continue
        name = f"{path}{key.name}"
        yield f"## `{f'[[{name}]]' if key.listed else f'[{name}]'}`\n"
        yield f"{_introduction(key)}\n"
        yield "| key | kind | default | range | what it does |\n|---|---|---|---|---|"
        yield from (_row(each) for each in keys_of(key.table).values() if each.table is None)
        yield ""
        yield from _sections(key.table, f"{name}.")


def _introduction(key: Key) -> str:
    text = (key.table.__doc__ or key.description) if key.table else key.description
    _, colon, said = " ".join(text.split()).partition("`: ")
    said = said if colon else " ".join(text.split())
    presence = " Required." if key.required else " One table each." if key.listed else " May be left out." if key.default is None else ""
    return f"{said[:1].upper()}{said[1:]}{presence}"


def _row(key: Key) -> str:
    kind = f"{key.kind}, {key.unit}" if key.unit else key.kind
    cells = (f"`{key.name}`", kind, _default(key), key.bounds, key.description)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(key: Key) -> str:
    if key.required:
        return "*required*"
    if key.default is None:
        return "*none*"
    whole_mib, rest = divmod(key.default, _MIB) if key.unit == "bytes" else (0, 0)
    return f"`{_toml(key.default)}`{f' ({whole_mib} MiB)' if whole_mib and not rest else ''}"


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(each) for each in value)}]"
    if isinstance(value, Enum):
        return _toml(value.value)
    if isinstance(value, dict):
        return "{}"
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)
