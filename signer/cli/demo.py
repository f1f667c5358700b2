"""`signer demo`: the whole product on one machine, with made-up pupils and keys."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import sys
from pathlib import Path

import click

_MADE_BY_DEMO = "client.toml"


@click.command()
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("var/demo"),
    show_default=True,
    help="Where everything is made; replaced at each run.",
)
@click.option("--serve", "keep_serving", is_flag=True, help="Leave the daemon running afterwards, until Ctrl-C, to play with.")
def demo(folder: Path, keep_serving: bool) -> None:
    """Sign and verify a made-up class, all on this machine.

    Makes a SoftHSM token, certificates that imitate the government's, and the report cards of a class of 35; starts the daemon; has
    homeroom teacher, principal and school seal sign every one; verifies them. Everything stays below the folder.

    \b
    Examples:
      signer demo
      signer demo --serve
    """  # noqa: D301  # click reads \b
    if folder.is_dir() and any(folder.iterdir()) and not (folder / _MADE_BY_DEMO).is_file():
        raise click.UsageError(f"{folder} is not a demo's folder, and its content would be lost; choose another --folder")
    from rich.console import Console

    from signer.demo.run import run

    sys.exit(run(folder, keep_serving=keep_serving, console=Console()))
