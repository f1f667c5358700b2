"""What reaches the terminal: results on standard output, everything else on standard error.

Names come from strangers: file names, certificates, the daemon's messages. Characters that steer a terminal (C0, C1, escape sequences,
bidirectional overrides, lone surrogates of undecodable file names) are replaced in text and escaped in JSON; rich markup is never read from
them.
"""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text as RichText

_META_KEY = "signer.json"
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_WIDTH_WITHOUT_TERMINAL = 200
_Command = TypeVar("_Command", bound=Callable[..., Any])


def clean(text: str) -> str:
    """The text on one line, with � for each character that would steer a terminal."""
    return _STEERING.sub("�", text)


def cell(text: str, style: str = "") -> RichText:
    """A cleaned table cell, in which brackets are just brackets."""
    from rich.text import Text as RichText

    return RichText(clean(text), style=style)


def to_json(value: Any) -> str:
    """Readable JSON that is safe to print: Vietnamese as it is, steering characters as JSON escapes."""
    return "\n".join(_escaped(line) for line in json.dumps(value, ensure_ascii=False, indent=2).split("\n"))


def _escaped(line: str) -> str:
    return _STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", line)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(to_json(value))


def note(text: str) -> None:
    """A line for people, on standard error."""
    click.echo(clean(text), err=True)


def is_json() -> bool:
    """Whether --json was given."""
    context = click.get_current_context(silent=True)
    return bool(context and context.meta.get(_META_KEY))


def json_option(command: _Command) -> _Command:
    """--json; its value is asked for with `is_json`."""
    return click.option(
        "--json", is_flag=True, expose_value=False, is_eager=True, callback=_remember, help="Print JSON with stable keys instead of text."
    )(command)


def _remember(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.meta[_META_KEY] = True


def console(*, error: bool = False) -> Console:
    """A rich console; without a terminal it is wide and plain."""
    from rich.console import Console

    made = Console(stderr=error, highlight=False, markup=False, emoji=False)
    if not made.is_terminal:
        made = Console(stderr=error, highlight=False, markup=False, emoji=False, width=_WIDTH_WITHOUT_TERMINAL)
    return made


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str | RichText]], *, title: str = "") -> None:
    """A table on standard output; strings are cleaned, nothing is cut off."""
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(cell(value) if isinstance(value, str) else value for value in row))
    console().print(table)
