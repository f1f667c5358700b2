"""The options of `signer sign` that make signatures visible."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from signer.model import Appearance

_Command = TypeVar("_Command", bound=Callable[..., Any])
_STYLES = ("person", "organisation", "annex", "certified-copy")
_NUMBERS = 5


class _Rectangle(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.2 only
    """PAGE,X,Y,W,H as a tuple of numbers; the daemon judges them."""

    name = "rectangle"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, float, float, float, float]:
        """The five numbers."""
        parts = str(value).split(",")
        try:
            if len(parts) != _NUMBERS:
                raise ValueError(value)  # noqa: TRY301  # told below like any other
            x, y, width, height = (float(part) for part in parts[1:])
            return int(parts[0]), x, y, width, height
        except ValueError:
            self.fail(f"{value!r} is not PAGE,X,Y,WIDTH,HEIGHT, such as 1,320,90,180,70", param, ctx)


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
        type=_Rectangle(),
        metavar="PAGE,X,Y,W,H",
        help="Where: page (from 1; -1 is the last), lower left corner and size in points. Default: in the --field that is there already; "
        "annexes and copies at the top right of page 1.",
    ),
    click.option("--visible-line", "visible_lines", multiple=True, metavar="TEXT", help="A line of its text; give one for each line."),
    click.option("--visible-image", metavar="ID", default="", help="Its image, as the daemon knows it. Default: the credential's."),
)


def appearance(
    style: str | None, rectangle: tuple[int, float, float, float, float] | None, lines: tuple[str, ...], image: str
) -> Appearance | None:
    """What is asked for; None for an invisible signature. UsageError for options without a style."""
    from signer.model import Appearance, AppearanceStyle, PageRectangle  # noqa: PLC0415  # loaded where needed

    if style is None:
        if rectangle or lines or image:
            raise click.UsageError("--visible-rectangle, --visible-line and --visible-image need --visible-style")
        return None
    return Appearance(AppearanceStyle(style), lines, image, PageRectangle(*rectangle) if rectangle else None)


def as_text(wanted: Appearance | None) -> str:
    """The same for the request's state, which compares texts; empty for None."""
    if wanted is None:
        return ""
    return json.dumps(asdict(wanted) | {"style": wanted.style.value}, ensure_ascii=False, sort_keys=True)
