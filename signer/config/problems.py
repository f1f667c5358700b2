"""What is wrong with a configuration, in words that say what to do. Values are repeated only where they can't be a secret."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from signer.config.shape import Key, keys_of

Location = tuple[int | str, ...]

_NEVER_REPEATED = {"pin", "environment", "url", "basic_password", "bearer_token"}
_SHOWN_LENGTH_MAX = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right. key: dotted path in the file, as `tokens[school-1].pin`; empty when it is the file as a whole."""

    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.key}: {self.text}" if self.key else self.text


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """`— did you mean 'x'?` for the nearest known name, else the known names, else nothing."""
    names = list(known)
    nearest = difflib.get_close_matches(given, names, n=1)
    if nearest:
        return f" — did you mean '{nearest[0]}'?"
    return f"; known: {', '.join(names)}" if names else ""


def from_pydantic(errors: Iterable[Mapping[str, Any]], raw: Mapping[str, Any], root: type) -> list[Problem]:
    """Pydantic's error dictionaries about `raw`, read as the table `root`, in our words."""
    return [_problem(error, raw, root) for error in errors]


def key_path(location: Location, raw: Any) -> str:
    """The dotted path of a location; a table in an array is called by its name or id where it has one."""
    path = ""
    for step in location:
        raw = _inside(raw, step)
        if isinstance(step, str):
            path += f".{step}" if path else step
            continue
        name = next((raw[key] for key in ("name", "id") if isinstance(raw.get(key), str)), step) if isinstance(raw, Mapping) else step
        path += f"[{name}]"
    return path


def _inside(raw: Any, step: int | str) -> Any:
    try:
        return raw[step]
    except (KeyError, IndexError, TypeError):
        return None


def _problem(error: Mapping[str, Any], raw: Mapping[str, Any], root: type) -> Problem:
    location: Location = error["loc"]
    key = _key_at(location, root)
    render = _RENDERERS.get(error["type"], _wrong_kind)
    return Problem(key_path(location, raw), render(error, key, location, root))


def _key_at(location: Location, root: type) -> Key | None:
    """The declared key that a location is about; None for one that is not declared."""
    table: type | None = root
    key: Key | None = None
    for step in location:
        if isinstance(step, str) and table is not None:
            key = keys_of(table).get(step)
            table = key.table if key else None
    return key


def _siblings(location: Location, root: type) -> list[str]:
    parent = _key_at(location[:-1], root) if len(location) > 1 else None
    table = parent.table if parent and parent.table else root
    return list(keys_of(table))


def _missing(_error: Mapping[str, Any], key: Key | None, _location: Location, _root: type) -> str:
    return f"is required. {key.description}" if key else "is required"


def _unknown(_error: Mapping[str, Any], _key: Key | None, location: Location, root: type) -> str:
    name = str(location[-1])
    home = next(_homes(name, root), None)
    return f"unknown key here; it belongs to {home}" if home else f"unknown key{did_you_mean(name, _siblings(location, root))}"


def _homes(name: str, table: type, path: str = "") -> Iterator[str]:
    """The tables, as they are headed in the file, that do have a key of this name."""
    for key in keys_of(table).values():
        if key.table is None:
            continue
        inner = f"{path}.{key.name}".lstrip(".")
        if name in keys_of(key.table):
            yield f"[[{inner}]]" if key.listed else f"[{inner}]"
        yield from _homes(name, key.table, inner)


def _own_words(error: Mapping[str, Any], _key: Key | None, location: Location, _root: type) -> str:
    return str(error["msg"]).removeprefix("Value error, ") + _shown(error, location)


def _pattern(error: Mapping[str, Any], key: Key | None, location: Location, _root: type) -> str:
    wanted = error["ctx"]["pattern"]
    return f"does not match {wanted}{_shown(error, location)}" + (f". {key.description}" if key else "")


def _out_of_bounds(error: Mapping[str, Any], key: Key | None, location: Location, _root: type) -> str:
    if key is None or not key.bounds:
        return _own_words(error, key, location, _root)
    return f"must be {key.bounds}{f' {key.unit}' if key.unit else ''}{_shown(error, location)}"


def _wrong_kind(error: Mapping[str, Any], key: Key | None, location: Location, _root: type) -> str:
    if key is None:
        return str(error["msg"])
    if key.table is not None:
        head = ".".join(step for step in location if isinstance(step, str))
        return f"expected an array of tables: write [[{head}]]" if key.listed else f"expected a table: write [{head}]"
    kind = key.element_kind if isinstance(location[-1], int) else key.kind
    return f"expected {_article(kind)}{f' of {key.unit}' if key.unit else ''}{_example(key)}{_shown(error, location)}"


def _article(kind: str) -> str:
    return kind if kind.startswith("one of") else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _example(key: Key) -> str:
    return f", as in {key.name} = {key.default}" if key.unit and not key.required else ""


def _shown(error: Mapping[str, Any], location: Location) -> str:
    value = error.get("input")
    if _NEVER_REPEATED.intersection(location) or not isinstance(value, (str, int, float, bool)):
        return ""
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return f"; got {text if len(text) <= _SHOWN_LENGTH_MAX else text[:_SHOWN_LENGTH_MAX] + '…'}"


_RENDERERS: dict[str, Callable[[Mapping[str, Any], Key | None, Location, type], str]] = {
    "missing": _missing,
    "unexpected_keyword_argument": _unknown,
    "value_error": _own_words,
    "string_pattern_mismatch": _pattern,
    **dict.fromkeys(
        ("greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number", "string_too_long"), _out_of_bounds
    ),
}
