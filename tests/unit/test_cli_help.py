"""Help: quick, complete, and the same as docs/cli.md."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from signer.cli import VERBS, main
from signer.cli.help import page

ROOT = Path(__file__).parents[2]
HEAVY = ("rich", "grpc", "cryptography", "pydantic", "sqlalchemy", "pyhanko", "pkcs11")


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from commands(found, f"{path} {name}")


ALL = dict(commands(main, "signer"))


def test_docs_cli_is_current() -> None:
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == page(), "make docs"


def test_help_loads_nothing_that_it_does_not_need() -> None:
    code = f"import sys; from signer.cli import main; main(['--help'], standalone_mode=False); print(set({HEAVY!r}) & set(sys.modules))"
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env={**os.environ, "COLUMNS": "200"}
    ).stdout
    assert told.splitlines()[-1] == "set()"
    assert all(text in " ".join(told.split()) for text in VERBS.values()), "wrapped or not"


@pytest.mark.parametrize("verb", VERBS)
def test_a_verbs_line_in_the_overview_is_its_helps_first(verb: str) -> None:
    assert (ALL[f"signer {verb}"].help or "").splitlines()[0] == VERBS[verb]


@pytest.mark.parametrize("path", ALL)
def test_every_option_is_explained_and_none_takes_a_secret(path: str) -> None:
    for parameter in ALL[path].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.opts
            assert not {"--pin", "--password", "--passphrase", "--secret"} & set(parameter.opts)


def test_an_unknown_verb_is_a_usage_error() -> None:
    done = subprocess.run([sys.executable, "-m", "signer", "sgin"], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 2
    assert "sgin" in done.stderr
