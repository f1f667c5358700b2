"""Reads layouts: the ones that come with the appliance, and those of a configured folder. ConfigError with every problem of every file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import ClassVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from signer.errors import ConfigError
from signer.records.layout import Layout
from signer.records.layout_checks import problems_of

_FILE_BYTES_MAX = 256 * 1024


@dataclass(frozen=True)
class _File:
    """What a file holds. Stdlib dataclasses inherit the rules of the outermost: nothing converts, and no key is unknown."""

    layout: Layout

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)


_adapter = TypeAdapter(_File)


def load_layouts(folder: Path | None = None) -> tuple[Layout, ...]:
    """Every layout known, by id. folder: of further `*.toml` files; one of them replaces the appliance's own of the same id.

    Raises:
        ConfigError: a file can't be read or is no layout, or the folder holds two of one id; every problem, one a line.
    """
    problems: list[str] = []
    own = list(_layouts(files(__package__) / "layouts", problems))
    further = [] if folder is None else list(_layouts(_existing(folder), problems))
    names: dict[str, str] = {}
    for name, layout in further:
        if layout.id in names:
            problems.append(f"{name}: id: '{layout.id}' is the layout of {names[layout.id]} already")
        names.setdefault(layout.id, name)
    if problems:
        raise ConfigError("\n".join(problems), problems=len(problems))
    known = {layout.id: layout for _name, layout in [*own, *further]}
    return tuple(known[layout_id] for layout_id in sorted(known))


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; records.layouts_folder names one with further layouts, or is left out")
    return folder


def _layouts(folder: Traversable, problems: list[str]) -> Iterator[tuple[str, Layout]]:
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        if file.name.endswith(".toml"):
            try:
                layout = parse_layout(file.read_bytes())
            except OSError as error:
                problems.append(f"{file}: can't be read: {error.strerror}")
            except ConfigError as error:
                problems += [f"{file}: {line}" for line in error.message.splitlines()]
            else:
                yield str(file), layout


def parse_layout(content: bytes) -> Layout:
    """The layout in a TOML file; ConfigError with every problem, one a line as `key: what is wrong`."""
    if len(content) > _FILE_BYTES_MAX:
        raise ConfigError(f"has {len(content)} bytes; a layout has {_FILE_BYTES_MAX} at most")
    try:
        raw = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"is no TOML: {error}") from error
    try:
        # Strict JSON is exactly TOML's view of the values (see signer.config.load); dates are the one kind it writes as text.
        layout = _adapter.validate_json(json.dumps({"layout": raw}, default=str), strict=True).layout
    except ValidationError as error:
        raise ConfigError("\n".join(_said(error.errors(include_url=False)))) from None
    if problems := [f"{key}: {text}" for key, text in problems_of(layout)]:
        raise ConfigError("\n".join(problems))
    return layout


def _said(errors: Iterable[ErrorDetails]) -> Iterator[str]:
    for error in errors:
        if error["type"] == "too_short" and error["input"]:
            continue  # it is not empty, its elements are wrong, and they are told
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"][1:]).removeprefix(".")
        message = "unknown key" if error["type"] == "unexpected_keyword_argument" else error["msg"]
        yield f"{key}: {message[:1].lower()}{message[1:]}"
