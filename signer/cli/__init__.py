"""The command line: one file a verb, each loaded only when it is asked for.

Rules of the room:
- `signer --help` loads no verb; a verb's file loads what it needs inside its function.
- Results go to standard output, everything else to standard error; `--json` prints one JSON document with stable keys.
- Errors of our tree end in one message with the next step and an exit code of `exits`; no traceback for what a user can cause.
- No secret is ever an argument or printed. Names from strangers are cleaned before they reach the terminal.
"""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import importlib
import sys
import traceback
from typing import Any

import click

from signer import __version__

VERBS = {
    "serve": "Run the daemon until SIGTERM or SIGINT.",
    "sign": "Sign a file, or a folder such as a class: PDF, XML records, or any file.",
    "batches": "Look after batches that are signed later: list, watch, pause, resume, cancel, fetch.",
    "extend": "Raise signed PDFs to B-T, B-LT or B-LTA, so that they can be verified when certificates have expired.",
    "verify": "Verify every signature of PDF, XML and CMS files, without a daemon.",
    "records": "Check, list, correct and recall records, and set when they lock; list the layouts that the daemon knows.",
    "trust": "Say which CAs are believed: add, list, check and remove them.",
    "evidence": "Prove with one timestamp that a class's documents exist unchanged, each alone (RFC 4998).",
    "timestamp": "Show who gives the appliance its timestamps; list and renew the evidence records it keeps.",
    "credentials": "List the credentials that may sign for a school.",
    "keys": "Generate keys and certificate requests, import certificates, renew, disable and destroy. For operators.",
    "approvals": "Let several people allow what one alone must not: list, ask, agree, refuse, withdraw; and say who must agree to what.",
    "people": "Look after people: import, give roles, let one act for another, enrol, hand out codes. For operators.",
    "authorizations": "Look at what holders of keys allow to be signed with them, and end it.",
    "tokens": "Look after the daemon's PKCS#11 tokens: list, show, release a held PIN, pause, resume.",
    "clients": "Say who may call, and for which schools; renew and revoke their certificates. For operators.",
    "schools": "Look after schools: list, create, set. For operators.",
    "quotas": "Say how much clients and schools may use: list, set. For operators.",
    "audit": "Read the journal, keep its checkpoints elsewhere, and prove what it says. For auditors and operators.",
    "doctor": "Check everything that an appliance needs, and say what to do.",
    "images": "Look after signature images and seals: set, list, delete.",
    "config": "Check the daemon's configuration, or print its reference.",
    "demo": "Sign and verify a made-up class, all on this machine.",
}
"""The verbs in the order they are shown. Each is `signer.cli.VERB`'s command of the same name; the text is its help's first line."""


class _Verbs(click.Group):
    """A group that imports a verb when it is invoked, and turns errors into messages and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        if cmd_name not in VERBS:
            return None
        found: click.Command = getattr(importlib.import_module(f"signer.cli.{cmd_name}"), cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        from signer.errors import SignerError

        try:
            return super().invoke(ctx)
        except SignerError as error:
            from signer.cli.failure import tell_failure

            sys.exit(tell_failure(error))
        except KeyboardInterrupt:
            from signer.cli.exits import ExitCode

            sys.exit(ExitCode.INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception:  # noqa: BLE001  # the last resort: a bug has an exit code of its own, and its traceback
            from signer.cli.exits import ExitCode

            traceback.print_exc()
            sys.exit(ExitCode.BUG)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="signer")
def main() -> None:
    """Signs school report cards with keys that never leave their PKCS#11 tokens.

    \b
    Examples:
      signer sign class-1A/ --school 79000001 --credential principal
      signer verify class-1A-signed/ --trust ca.pem
      signer COMMAND --help

    Connection options of `sign`, `extend`, `records`, `timestamp`, `credentials` and `tokens` may stand in a client configuration file
    or in SIGNER_* environment variables; see `signer sign --help`.
    """  # noqa: D301  # click reads \b
