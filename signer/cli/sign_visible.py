"""The options of `signer sign` that make signatures visible."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from signer.model import Appearance

_Command = TypeVar("_Command", bound=Callable[..., Any])
_STYLES = ("person", "organisation", "annex", "certified-copy")
_Rectangle = tuple[int, float, float, float, float]
_Box = tuple[float, float, float, float]


class _Numbers(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2 only
    """Numbers with commas between them, as a tuple; the daemon judges them."""

    def __init__(self, name: str, example: str, *kinds: type[int | float]) -> None:
        self.name = name
        self._example = example
        self._kinds = kinds

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """One number of each kind."""
        try:
            return tuple(kind(part) for kind, part in zip(self._kinds, str(value).split(","), strict=True))
        except ValueError:
            self.fail(f"{value!r} is not {self.name}, such as {self._example}", param, ctx)


def visible_options(command: _Command) -> _Command:
    """The options that `appearance` reads."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option(
        "--visible-style",
        type=click.Choice(_STYLES),
        help="Show the signature on the page: a person's signature image, an organisation's seal, or text alone.",
    ),
    click.option(
        "--visible-rectangle",
        type=_Numbers("PAGE,X,Y,WIDTH,HEIGHT", "1,320,90,180,70", int, float, float, float, float),
        metavar="PAGE,X,Y,W,H",
        help="Where: page (from 1; -1 is the last), lower left corner and size in points. Default: in the --field that is there already; "
        "annexes and copies at the top right of page 1.",
    ),
    click.option("--visible-beside", default="", metavar="TEXT", help="Where: beside this text of the document, with --visible-offset."),
    click.option(
        "--visible-offset",
        type=_Numbers("DX,DY,WIDTH,HEIGHT", "0,-80,180,70", float, float, float, float),
        metavar="DX,DY,W,H",
        help="Its lower left corner, to the right of and above the text's, and its size in points.",
    ),
    click.option(
        "--visible-occurrence",
        type=click.IntRange(min=0),
        default=1,
        show_default=True,
        metavar="N",
        help="Beside which occurrence of the text; 0 is the last.",
    ),
    click.option("--visible-line", "visible_lines", multiple=True, metavar="TEXT", help="A line of its text; give one for each line."),
    click.option("--visible-image", metavar="ID", default="", help="Its image, as the daemon knows it. Default: the credential's."),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options said."""

    visible_style: str | None
    visible_rectangle: _Rectangle | None
    visible_beside: str
    visible_offset: _Box | None
    visible_occurrence: int
    visible_lines: tuple[str, ...]
    visible_image: str

    @classmethod
    def taken_from(cls, options: dict[str, Any]) -> Asked:
        """Takes the options of `visible_options` out of a command's."""
        return cls(**{field.name: options.pop(field.name) for field in fields(cls)})


def appearance(asked: Asked) -> Appearance | None:
    """What is asked for; None for an invisible signature. UsageError for options that don't go together."""
    from signer.model import Appearance, AppearanceStyle, PageRectangle, TextAnchor  # noqa: PLC0415  # loaded where needed

    rectangle, beside, offset = asked.visible_rectangle, asked.visible_beside, asked.visible_offset
    if asked.visible_style is None:
        if rectangle or beside or offset or asked.visible_lines or asked.visible_image:
            raise click.UsageError("the other --visible options need --visible-style")
        return None
    if bool(beside) != bool(offset):
        raise click.UsageError("--visible-beside and --visible-offset go together")
    if rectangle and beside:
        raise click.UsageError("give --visible-rectangle or --visible-beside")
    return Appearance(
        AppearanceStyle(asked.visible_style),
        asked.visible_lines,
        asked.visible_image,
        PageRectangle(*rectangle) if rectangle else None,
        TextAnchor(beside, *offset, asked.visible_occurrence) if offset else None,
    )


def as_text(wanted: Appearance | None) -> str:
    """The same for the request's state, which compares texts; empty for None."""
    if wanted is None:
        return ""
    return json.dumps(asdict(wanted) | {"style": wanted.style.value}, ensure_ascii=False, sort_keys=True)
