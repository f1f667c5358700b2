"""Reads the file, validates it section by section, and raises every problem as one ConfigError."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import fields, is_dataclass, make_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol, get_type_hints, runtime_checkable

from pydantic import ConfigDict, TypeAdapter, ValidationError

from signer.config.checks import SectionsFound, check
from signer.config.problems import Problem, did_you_mean, from_pydantic
from signer.config.shape import keys_of
from signer.config.tree import Config
from signer.errors import ConfigError

_TOML_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


def load(path: Path | str) -> Config:
    """The configuration in a TOML file, with absolute paths; ConfigError with every problem, one a line as `file: key: what is wrong`."""
    file = Path(path)
    raw = _parse(file)
    folder = file.absolute().parent
    found, problems = _validated(raw)
    anchored: SectionsFound = {name: _anchored(section, folder) for name, section in found.items()}
    problems += check(anchored)
    if problems:
        raise ConfigError("\n".join(f"{file}: {problem}" for problem in problems), file=str(file), problems=len(problems))
    return Config(**anchored)


def _parse(file: Path) -> dict[str, Any]:
    try:
        text = file.read_bytes().decode()
    except OSError as error:
        raise ConfigError(f"{file}: can't be read: {error.strerror}", file=str(file)) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: byte {error.start}: TOML is UTF-8, this is not", file=str(file)) from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _TOML_PLACE.search(message)
        line, column = (place["line"], place["column"]) if place and place["line"] else _end(text)
        raise ConfigError(f"{file}:{line}:{column}: {_TOML_PLACE.sub('', message)}", file=str(file)) from None


def _end(text: str) -> tuple[int, int]:
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def _validated(raw: dict[str, Any]) -> tuple[SectionsFound, list[Problem]]:
    """The sections that are well-formed, and the problems of the others: one bad section does not hide the next one's problems."""
    sections = keys_of(Config)
    problems = [Problem(name, f"unknown section{did_you_mean(name, sections)}") for name in raw if name not in sections]
    found: SectionsFound = {}
    for name, key in sections.items():
        if name not in raw and not key.required:
            found[name] = key.default
            continue
        section = {name: raw.get(name, {})}
        try:
            # Strict JSON is exactly TOML's view of the values: paths and enums are strings, tuples are arrays, and nothing else converts.
            found[name] = getattr(_adapter(name).validate_json(json.dumps(section, default=_no_kind_of_ours), strict=True), name)
        except ValidationError as error:
            problems += from_pydantic(error.errors(include_url=False), section, Config)
    return found, problems


def _no_kind_of_ours(value: Any) -> dict[str, str]:
    """TOML's dates and times, which no key takes: shaped so that no key accepts them."""
    return {type(value).__name__: ""}


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    """Validator of a table that holds this one section. Settings are stdlib dataclasses, so they inherit its strictness."""
    one_section = make_dataclass("Section", [(name, get_type_hints(Config, include_extras=True)[name])])
    one_section.__pydantic_config__ = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)  # type: ignore[attr-defined]
    return TypeAdapter(one_section)


@runtime_checkable
class _Anchored(Protocol):
    """A value with a relative path inside, which it can make absolute."""

    def anchored(self, folder: Path) -> Any: ...


def _anchored(value: Any, folder: Path) -> Any:
    """The same value with every relative path in it read from `folder`."""
    if isinstance(value, Path):
        return folder / value
    if isinstance(value, _Anchored):
        return value.anchored(folder)
    if isinstance(value, tuple):
        return tuple(_anchored(each, folder) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _anchored(getattr(value, each.name), folder) for each in fields(value)})
    return value
