"""How the verbs that need the daemon find it and prove who they are.

Each value comes from, in this order: the option, its SIGNER_* environment variable, the client configuration file, the default. The file is
TOML with the keys of `FILE_KEYS`; relative paths in it are read from its folder. It holds no secret: the private key stays in its own file.
"""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from signer.client import SignerClient

_Command = TypeVar("_Command", bound=Callable[..., Any])
_PATH_KEYS = ("ca", "certificate", "key")
FILE_KEYS = ("server", *_PATH_KEYS, "server_name", "school", "credential", "profile", "level", "algorithm")
"""What a client configuration file may hold; each is the option of the same name, `certificate` is --cert."""

_OPTION_NAMES = {"certificate": "cert"}
_FLAGS = {"server_name": "--server-name"}


@dataclass(frozen=True, slots=True)
class Given:
    """Values as the user gave them, wherever; empty strings for what was not given."""

    values: dict[str, str]

    def get(self, name: str, default: str = "") -> str:
        """The value, or the default."""
        return self.values.get(name) or default

    def require(self, *names: str) -> None:
        """UsageError that names every missing value and each way to give it."""
        missing = [name for name in names if not self.get(name)]
        if missing:
            ways = ", ".join(f"{_FLAGS.get(name, f'--{name}')} (SIGNER_{name.upper()})" for name in missing)
            raise click.UsageError(f"missing: {ways}; give the option, the variable, or the key in a client configuration file")

    def connect(self, *, connect_timeout_s: float) -> SignerClient:
        """A client for the daemon; UsageError for what is missing, ConfigError for files that don't fit."""
        from signer.client import RetryPolicy, SignerClient

        self.require("server", "ca", "cert", "key")
        return SignerClient(
            self.get("server"),
            ca=self.get("ca"),
            certificate=self.get("cert"),
            key=self.get("key"),
            server_name=self.get("server_name"),
            policy=RetryPolicy(connect_timeout_s=connect_timeout_s),
        )


def connection_options(command: _Command) -> _Command:
    """The options that `given` reads, and --connect-timeout."""
    for option in reversed((*_IDENTITY, _client_config("--client-config", "--config"), _PATIENCE)):
        command = option(command)
    return command


def connection_options_beside_config(command: _Command) -> _Command:
    """The same for a command whose --config is the daemon's."""
    for option in reversed((*_IDENTITY, _client_config("--client-config"), _PATIENCE)):
        command = option(command)
    return command


def _client_config(*names: str) -> Callable[[_Command], _Command]:
    return click.option(
        *names,
        "client_config",
        envvar="SIGNER_CLIENT_CONFIG",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="TOML with any of these options as keys. Default: ~/.config/signer/client.toml, if there is one.",
    )


_IDENTITY = (
    click.option("--server", envvar="SIGNER_SERVER", metavar="HOST:PORT", help="The daemon's address."),
    click.option("--ca", envvar="SIGNER_CA", type=click.Path(), metavar="FILE", help="PEM: the CA of the daemon's TLS certificate."),
    click.option("--cert", envvar="SIGNER_CERT", type=click.Path(), metavar="FILE", help="PEM: this client's TLS certificate."),
    click.option("--key", envvar="SIGNER_KEY", type=click.Path(), metavar="FILE", help="PEM: its private key; mode 0600."),
    click.option(
        "--server-name",
        envvar="SIGNER_SERVER_NAME",
        metavar="NAME",
        help="The name in the daemon's certificate, if not the host of --server.",
    ),
)
_PATIENCE = click.option(
    "--connect-timeout",
    "connect_timeout_s",
    type=click.FloatRange(min=0),
    default=15.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the daemon's first answer.",
)


def given(client_config: Path | None, **options: str | None) -> Given:
    """The options, completed by the client configuration file; ConfigError for a file that can't be used."""
    file = client_config or _default_file()
    from_file = read_client_config(file) if file is not None else {}
    return Given({**from_file, **{name: value for name, value in options.items() if value}})


def read_client_config(file: Path) -> dict[str, str]:
    """The file's values, paths made absolute. ConfigError names file and key."""
    from signer.errors import ConfigError

    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: can't be read: {error.strerror}", file=str(file)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: is no TOML: {error}", file=str(file)) from error
    for key, value in found.items():
        if key not in FILE_KEYS:
            nearest = difflib.get_close_matches(key, FILE_KEYS, n=1)
            hint = f"did you mean '{nearest[0]}'?" if nearest else f"known: {', '.join(FILE_KEYS)}"
            raise ConfigError(f"{file}: {key}: unknown key — {hint}", file=str(file))
        if not isinstance(value, str):
            raise ConfigError(f"{file}: {key}: expected a string", file=str(file))
    folder = file.absolute().parent
    return {_OPTION_NAMES.get(key, key): str(folder / value) if key in _PATH_KEYS else value for key, value in found.items()}


def _default_file() -> Path | None:
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    file = Path(base) / "signer" / "client.toml"
    return file if file.is_file() else None
