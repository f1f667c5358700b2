"""Reads the dataclasses: what each key is called, takes, defaults to and means. Messages and reference are made from this alone."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic.fields import FieldInfo

from signer.secrets import PinReference

_UNITS = {"s": "seconds", "ms": "milliseconds", "bytes": "bytes", "mib": "MiB", "days": "days"}
_KINDS: dict[Any, str] = {bool: "boolean", int: "integer", float: "number", str: "string", Path: "path", PinReference: "reference"}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table.

    kind: in words. element_kind: that of a list's elements, else empty. unit: empty if it has none. default: `MISSING` if it must be
    given. bounds: in words, empty if there are none. table: the dataclass, if the key is itself a table or (listed) an array of tables.
    """

    name: str
    kind: str
    element_kind: str
    unit: str
    default: Any
    bounds: str
    description: str
    table: type | None
    listed: bool

    @property
    def required(self) -> bool:
        """Whether the file must give it."""
        return self.default is MISSING


@cache
def keys_of(table: type) -> Mapping[str, Key]:
    """The keys of a table, in the order they are declared."""
    hints = get_type_hints(table, include_extras=True)
    return {each.name: _key(each.name, hints[each.name], _default(each)) for each in fields(table)}


def _default(declared: Any) -> Any:
    return declared.default if declared.default_factory is MISSING else declared.default_factory()


def _key(name: str, hint: Any, default: Any) -> Key:
    base, infos = _unwrap(hint)
    listed = get_origin(base) is tuple
    element, _ = _unwrap(get_args(base)[0]) if listed else (base, ())
    return Key(
        name=name,
        kind=_kind(base),
        element_kind=_kind(element) if listed else "",
        unit=next((_UNITS[word] for word in name.split("_") if word in _UNITS), ""),
        default=default,
        bounds=_bounds(infos),
        description=next((info.description for info in infos if info.description), ""),
        table=element if isinstance(element, type) and is_dataclass(element) and element is not PinReference else None,
        listed=listed,
    )


def _unwrap(hint: Any) -> tuple[Any, tuple[FieldInfo, ...]]:
    """The type inside Annotated and `| None`, with the FieldInfo that stood around it."""
    infos: tuple[FieldInfo, ...] = ()
    while True:
        if hasattr(hint, "__metadata__"):
            infos += tuple(each for each in hint.__metadata__ if isinstance(each, FieldInfo))
            hint = hint.__origin__
        elif get_origin(hint) in {Union, types.UnionType}:
            hint = next(each for each in get_args(hint) if each is not type(None))
        else:
            return hint, infos


def _kind(base: Any) -> str:
    origin = get_origin(base)
    if origin is tuple:
        element = _kind(_unwrap(get_args(base)[0])[0])
        return f"list of {element.removeprefix('one of ')}{'' if element.startswith('one of') else 's'}"
    if origin is not None and issubclass(origin, Mapping):
        return "table of strings"
    if isinstance(base, type) and issubclass(base, Enum):
        return "one of " + ", ".join(f'"{each.value}"' for each in base)
    return _KINDS.get(base, "table")


_BOUND_WORDS = {"ge": "at least {}", "gt": "above {}", "le": "at most {}", "lt": "below {}", "max_length": "at most {} long"}


def _bounds(infos: tuple[FieldInfo, ...]) -> str:
    limits = {word: getattr(rule, word) for info in infos for rule in info.metadata for word in _BOUND_WORDS if hasattr(rule, word)}
    if {"ge", "le"} <= limits.keys():
        return f"{_number(limits['ge'])} to {_number(limits['le'])}"
    return ", ".join(_BOUND_WORDS[word].format(_number(limit)) for word, limit in limits.items())


def _number(limit: Any) -> str:
    return f"{limit:g}" if isinstance(limit, float) else str(limit)
