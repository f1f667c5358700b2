"""`signer doctor`: everything that an appliance needs, looked at; with the daemon's own eyes where it answers."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from signer.cli.connection import Given, connection_options_beside_config, given
from signer.cli.daemon_config import daemon_config_option
from signer.cli.exits import ExitCode
from signer.cli.language import Text, language_option, say
from signer.cli.output import cell, is_json, json_option, print_json, print_table

if TYPE_CHECKING:
    from rich.text import Text as RichText

    from signer.config import Config
    from signer.model import Finding

_EXITS = "\b\nExit codes:\n  0    nothing keeps the appliance from signing; warnings at most\n  1    something does\n  2    wrong arguments"
_HEADINGS = (Text("", ""), Text("Check", "Mục"), Text("Found", "Kết quả"), Text("To do", "Cần làm"))
_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_CONNECTION = ("server", "ca", "cert", "key")
_READY_S_MAX = 3.0
_MEND_CONFIG = "correct the file; docs/config.md has every key"
_LOOK_AT_LOG = "`systemctl status signer`, `journalctl -u signer -n 50`"


@click.command(epilog=_EXITS)
@daemon_config_option("The daemon's configuration file.")
@connection_options_beside_config
@json_option
@language_option
def doctor(config_path: Path, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Check everything that an appliance needs, and say what to do.

    Configuration, TLS, PIN sources, file modes, tokens, certificates, clock, TSAs, revocation, journal, disk: each check says ok, warn or
    fail. It changes nothing: no PIN is tried and no key used. Works while the daemon is down. With an operator's client certificate it asks
    the running daemon, which sees more: tokens, PIN state, clock and authorities as they are now. Run it as the daemon's user.

    \b
    Example:
      signer doctor --config /etc/signer/signer.toml
      signer doctor --server localhost:8443 --ca ca.crt --cert operator.crt --key operator.key --json
    """  # noqa: D301  # click reads \b
    from signer.model import Severity
    from signer.server.diagnosis.findings import gravest_first

    found = gravest_first(_findings(config_path, given(client_config, **options), connect_timeout_s))
    failed = any(finding.severity is Severity.FAIL for finding in found)
    if is_json():
        print_json({"healthy": not failed, "findings": [_members(finding) for finding in found]})
    else:
        _print(found)
    sys.exit(ExitCode.SOME_FAILED if failed else ExitCode.OK)


def _findings(config_path: Path, connection: Given, connect_timeout_s: float) -> list[Finding]:
    from signer.config import load
    from signer.errors import ConfigError
    from signer.server.diagnosis.findings import fail

    try:
        config = load(config_path)
    except ConfigError as error:
        refused = [fail("configuration", line, _MEND_CONFIG) for line in error.message.splitlines()]
        return refused + _asked(connection, connect_timeout_s)
    asked = _asked(connection, connect_timeout_s)
    return asked if len(asked) > 1 else [*(asked or [_probed(config)]), *_looked(config)]


def _asked(connection: Given, connect_timeout_s: float) -> list[Finding]:
    """What the daemon finds; that it does not answer; nothing, when nobody said how to ask it."""
    from signer.errors import SignerError
    from signer.server.diagnosis.findings import fail, ok

    if not all(connection.get(name) for name in _CONNECTION):
        return []
    try:
        with connection.connect(connect_timeout_s=connect_timeout_s) as client:
            return [ok("daemon", f"{connection.get('server')} answers; it looked for itself"), *client.operations.diagnose()]
    except SignerError as error:
        return [fail("daemon", f"{connection.get('server')}: {error.message}", _LOOK_AT_LOG, "SignerDown")]


def _looked(config: Config) -> list[Finding]:
    from datetime import UTC, datetime

    from signer.server.diagnosis import check_files, check_services

    return [*check_files(config, datetime.now(UTC)), *check_services(config)]


def _probed(config: Config) -> Finding:
    """What /readyz says, without a certificate."""
    import urllib.error
    import urllib.request

    from signer.server.diagnosis.findings import fail, ok
    from signer.settings import split_listen

    host, port = split_listen(config.metrics.listen)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        with urllib.request.urlopen(f"http://{address}/readyz", timeout=_READY_S_MAX):
            return ok("daemon", f"it is ready (/readyz on {address}); give an operator's certificate to let it look for itself")
    except urllib.error.HTTPError as refused:
        why = refused.read().decode(errors="replace").strip().replace("\n", "; ")
        return fail("daemon", f"it runs but is not ready: {why}", "mend what it says", "SignerNotReady")
    except OSError as error:
        return fail("daemon", f"it does not answer on {address}: {getattr(error, 'reason', error)}", _LOOK_AT_LOG, "SignerDown")


def _members(finding: Finding) -> dict[str, str]:
    return {
        "check": finding.check,
        "severity": finding.severity.value,
        "message": finding.message,
        "remedy": finding.remedy,
        "runbook": finding.runbook_uri,
    }


def _print(found: Sequence[Finding]) -> None:
    rows: list[list[str | RichText]] = [
        [
            cell(finding.severity.value, style=_STYLES[finding.severity.value]),
            finding.check,
            finding.message,
            "\n".join(part for part in (finding.remedy, finding.runbook_uri) if part),
        ]
        for finding in found
    ]
    print_table([say(heading) for heading in _HEADINGS], rows)
