"""--config of the verbs that read a daemon's configuration file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def daemon_config_option(text: str) -> Callable[[_Command], _Command]:
    """Gives a command its `config_path`. text: the option's help. Whether the file is there is seen when it is read."""
    return click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        default=Path("/etc/signer/signer.toml"),
        show_default=True,
        metavar="FILE",
        help=text,
    )
