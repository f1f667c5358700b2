# ruff: noqa: PLC0415  # what a command does not use is not loaded
from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from signer.server.serve import Daemon


@click.command()
@click.option(
    "--config",
    "config_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=Path("/etc/signer/signer.toml"),
    show_default=True,
    help="The configuration file; `signer config check` looks it over.",
)
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Written as JSON (port, timestamp_port, metrics_port, pid) when the daemon answers; for scripts that start it with port 0.",
)
def serve(config_path: Path, ready_file: Path | None) -> None:
    """Run the daemon until SIGTERM or SIGINT.

    Events go to standard error, one JSON object a line. SIGTERM drains: nothing new is taken, what runs is finished for at most
    server.drain_s seconds. SIGHUP reads the configuration anew: TLS certificates and clients change at once, streams go on; a faulty one is
    refused and the old one stays. Exit code 0 after a stop, 2 when the configuration is refused.

    \b
    Example:
      signer serve --config /etc/signer/signer.toml
    """  # noqa: D301  # click reads \b
    from signer.config import load
    from signer.errors import ConfigError, JournalUnavailable
    from signer.server.grpc_environment import prepare

    async def announce(daemon: Daemon) -> None:
        import os

        if ready_file is not None:
            partial = ready_file.with_name(ready_file.name + ".partial")
            facts = {
                "port": daemon.port,
                "timestamp_port": daemon.timestamp_port,
                "metrics_port": daemon.metrics_port,
                "pid": os.getpid(),
            }
            partial.write_text(json.dumps(facts), encoding="utf-8")
            partial.replace(ready_file)

    try:
        config = load(config_path)
        prepare(config.server.tls_version_min)
        from signer.server.serve import run  # loads gRPC

        run(config, config_path, on_ready=announce)
    except (ConfigError, JournalUnavailable) as error:
        click.echo(error.message, err=True)
        sys.exit(2)
