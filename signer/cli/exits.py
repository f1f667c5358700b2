"""Exit codes that scripts can rely on. One table; documented in every command's help."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from signer.errors import SignerError


class ExitCode(IntEnum):
    """What a command ended with; never renumbered."""

    OK = 0
    SOME_FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    INCOMPLETE = 5
    DAEMON_FAILED = 6
    BUG = 70
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "all done: every document signed, every signature passed",
    ExitCode.SOME_FAILED: "some documents failed, or lack the proof asked for; the others are done",
    ExitCode.USAGE: "wrong arguments, files or configuration; nothing was sent",
    ExitCode.UNREACHABLE: "the daemon can't be reached, is stopping or full; run again later",
    ExitCode.REFUSED: "the daemon refused the request as a whole",
    ExitCode.INCOMPLETE: "time ran out before every document had its outcome; run again to continue",
    ExitCode.DAEMON_FAILED: "the daemon failed by a fault of its own; its log says more",
    ExitCode.BUG: "a bug in this program",
    ExitCode.INTERRUPTED: "interrupted; run again to continue",
}

_BY_STATUS = {
    "UNAVAILABLE": ExitCode.UNREACHABLE,
    "RESOURCE_EXHAUSTED": ExitCode.UNREACHABLE,
    "INVALID_ARGUMENT": ExitCode.USAGE,
    "UNAUTHENTICATED": ExitCode.REFUSED,
    "PERMISSION_DENIED": ExitCode.REFUSED,
    "NOT_FOUND": ExitCode.REFUSED,
    "FAILED_PRECONDITION": ExitCode.REFUSED,
    "ALREADY_EXISTS": ExitCode.REFUSED,
    "UNIMPLEMENTED": ExitCode.REFUSED,
    "DEADLINE_EXCEEDED": ExitCode.INCOMPLETE,
    "CANCELLED": ExitCode.INCOMPLETE,
    "ABORTED": ExitCode.INCOMPLETE,
}


def exit_code(error: SignerError) -> ExitCode:
    """The code for what ended a command as a whole."""
    from signer.errors import ConfigError
    from signer.rpc_status import CODES

    if isinstance(error, ConfigError):
        return ExitCode.USAGE
    status = error.metadata.get("code") or CODES[error.reason].name
    return _BY_STATUS.get(status, ExitCode.DAEMON_FAILED)


def epilog(*codes: ExitCode) -> str:
    """The paragraph on exit codes at the end of a command's help."""
    lines = "\n".join(f"  {code.value:<4} {MEANINGS[code]}" for code in codes)
    return f"\b\nExit codes:\n{lines}"
