"""All help texts as one page: `python -m signer.cli.help > docs/cli.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from signer.cli import main
from signer.cli.exits import MEANINGS

_WIDTH = 110
_HEAD = """\
# Command line

This page is made from the program: `python -m signer.cli.help > docs/cli.md`.

- Results go to standard output, messages and progress to standard error. `--json` prints one JSON document whose keys are stable.
- Messages are English or Vietnamese: `--lang`, `SIGNER_LANG`, else the locale's language.
- No secret is ever an argument: TLS keys stay in their files, PINs with the daemon.

## Exit codes

| code | meaning |
|---|---|
"""
_CONFIGURATION = """
## Client configuration

`sign`, `timestamp`, `credentials` and `tokens` find the daemon by options, else by `SIGNER_*` environment variables, else by a TOML file:
the one that `--client-config` or `SIGNER_CLIENT_CONFIG` names, or `~/.config/signer/client.toml`. Relative paths are read from the file's
folder.

```toml
server = "signer.example:8443"
ca = "ca.crt"                  # the CA of the daemon's TLS certificate
certificate = "client.crt"     # this client's TLS certificate
key = "client.key"             # its private key, mode 0600
school = "79000001"
credential = "principal"
level = "b-t"
```
"""


def page() -> str:
    """The page, as Markdown."""
    codes = "".join(f"| {code.value} | {meaning} |\n" for code, meaning in MEANINGS.items())
    sections = "".join(f"\n## `{path}`\n\n```text\n{text}\n```\n" for path, text in _texts(main, None, "signer"))
    return _HEAD + codes + _CONFIGURATION + sections


def _texts(command: click.Command, parent: click.Context | None, name: str) -> Iterator[tuple[str, str]]:
    settings = {**command.context_settings, "terminal_width": _WIDTH, "max_content_width": _WIDTH}
    context = click.Context(command, parent=parent, info_name=name, **settings)
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None:
                yield from _texts(found, context, child)


if __name__ == "__main__":
    sys.stdout.write(page())
