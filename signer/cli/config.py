"""`signer config`: look a daemon's configuration over before it is used; print its reference."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import sys
from pathlib import Path

import click

from signer.cli.daemon_config import daemon_config_option
from signer.cli.exits import ExitCode, epilog
from signer.cli.language import Text, language_option, say
from signer.cli.output import is_json, json_option, note, print_json

_FINE = Text("{file}: fine", "{file}: hợp lệ")
_ADVICE = Text("{file}: advice: {problem}", "{file}: nên xem lại: {problem}")


@click.group()
def config() -> None:
    """Check the daemon's configuration, or print its reference."""


@config.command(epilog=epilog(ExitCode.OK) + "\n  1    the configuration is refused")
@daemon_config_option("The configuration file.")
@json_option
@language_option
def check(config_path: Path) -> None:
    """Tell everything that is wrong with a configuration, and what is allowed but probably not meant.

    Opens no token, binds no port and reads no PIN.

    \b
    Example:
      signer config check --config /etc/signer/signer.toml
    """  # noqa: D301  # click reads \b
    from signer.config import advise, load
    from signer.errors import ConfigError

    problems: list[str] = []
    advice: list[str] = []
    try:
        advice = [str(problem) for problem in advise(load(config_path))]
    except ConfigError as error:
        problems = error.message.splitlines()
    if is_json():
        print_json({"file": str(config_path), "valid": not problems, "problems": problems, "advice": advice})
    for problem in () if is_json() else problems:
        note(problem)
    for item in () if is_json() else advice:
        note(say(_ADVICE, file=config_path, problem=item))
    if not (problems or is_json()):
        click.echo(say(_FINE, file=config_path))
    sys.exit(ExitCode.SOME_FAILED if problems else ExitCode.OK)


@config.command()
def reference() -> None:
    """Print every key of the configuration with its unit, default and meaning, as Markdown."""
    from signer.config import reference as render

    click.echo(render(), nl=False)
