"""How a command that ends with an error says so."""

from __future__ import annotations

from typing import Any

from signer.cli.advice import advice_for
from signer.cli.exits import ExitCode, exit_code
from signer.cli.language import Text, current_language, say
from signer.cli.output import is_json, note, print_json
from signer.cli.record_words import problem_name
from signer.errors import RecordUnfit, SignerError

_NEXT = Text("Next: {step}", "Việc cần làm: {step}")


def tell_failure(error: SignerError) -> ExitCode:
    """Prints the error with its next step, as JSON on standard output if that was asked for; returns the exit code."""
    code = exit_code(error)
    if is_json():
        print_json({"error": error_members(error), "exit_code": int(code)})
    else:
        for line in explanation(error).splitlines():
            note(f"signer: {line}")
        note(say(_NEXT, step=next_step(error)))
    return code


def reason_name(error: SignerError) -> str:
    """The reason as the daemon named it, also one that this release does not know."""
    return error.metadata.get("remoteReason", error.reason.value)


def explanation(error: SignerError) -> str:
    """Why, in the command's language; in English it is the error's own message, which knows more."""
    if current_language() == "en":
        return error.message
    cause = say(advice_for(error.reason).cause)
    return f"{cause}: {problem_name(error.metadata.get('finding', ''))}" if isinstance(error, RecordUnfit) else cause


def next_step(error: SignerError) -> str:
    """What to do about it."""
    return say(advice_for(error.reason).step)


def error_members(error: SignerError) -> dict[str, Any]:
    """The error in JSON: message is always the error's own, in English."""
    return {"reason": reason_name(error), "message": error.message, "next_step": next_step(error), "metadata": dict(error.metadata)}
