"""What `signer sign` and `signer extend` share on the command line: where files go, which request it is, and how it can end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from signer.cli.exits import ExitCode, epilog

_Command = TypeVar("_Command", bound=Callable[..., Any])

RUN_CODES = epilog(
    ExitCode.OK,
    ExitCode.SOME_FAILED,
    ExitCode.USAGE,
    ExitCode.UNREACHABLE,
    ExitCode.REFUSED,
    ExitCode.INCOMPLETE,
    ExitCode.DAEMON_FAILED,
    ExitCode.INTERRUPTED,
)


def run_options(kind: str, suffix: str) -> Callable[[_Command], _Command]:
    """--out, --request-id, --fresh and --timeout. kind: of files, as in "signed files go"; suffix: of outputs that nobody named."""

    def add(command: _Command) -> _Command:
        for option in reversed(_options(kind, suffix)):
            command = option(command)
        return command

    return add


def _options(kind: str, suffix: str) -> tuple[Callable[[Any], Any], ...]:
    out = f"Where {kind} files go. Default: the source's name with -{suffix}."
    return (
        click.option("--out", type=click.Path(path_type=Path), metavar="PATH", help=out),
        click.option(
            "--request-id", default="", metavar="ID", help="Names the request. Default: a new one, kept in the output folder to continue."
        ),
        click.option("--fresh", is_flag=True, help="Begin a new request, and replace outputs of an earlier one."),
        click.option(
            "--timeout",
            "timeout_s",
            type=click.FloatRange(min=1),
            default=3600.0,
            show_default=True,
            metavar="SECONDS",
            help="When to give up.",
        ),
    )
