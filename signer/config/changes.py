"""What differs between two configurations, as the keys of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from signer.config.tree import Config


def changed_keys(old: Config, new: Config) -> list[str]:
    """Dotted paths, as problems name them: `server.listen`, `tokens[hsm].processes`; a table that came or went: `clients[vnedu]`."""
    return sorted(_changes("", old, new))


def _changes(path: str, old: Any, new: Any) -> Iterator[str]:
    if old == new:
        return
    if is_dataclass(old) and type(old) is type(new):
        for each in fields(old):
            yield from _changes(f"{path}.{each.name}".lstrip("."), getattr(old, each.name), getattr(new, each.name))
    elif (before := _tables(old)) is not None and (after := _tables(new)) is not None:
        for name in before.keys() | after.keys():
            yield from _changes(f"{path}[{name}]", before.get(name), after.get(name))
    else:
        yield path


def _tables(value: Any) -> Mapping[str, Any] | None:
    """An array of tables by their names; None for anything else."""
    if not isinstance(value, tuple) or not all(is_dataclass(each) for each in value):
        return None
    names = [str(getattr(each, "name", "") or getattr(each, "id", "")) for each in value]
    return dict(zip(names, value, strict=True)) if len(set(names)) == len(names) else None
