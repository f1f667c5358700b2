"""`signer tokens`: what the daemon knows of its PKCS#11 tokens, and what an operator may do to them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signer.cli.connection import connection_options, given
from signer.cli.exits import ExitCode, epilog
from signer.cli.language import Text, language_option, say
from signer.cli.output import cell, clean, is_json, json_option, note, print_json, print_table

if TYPE_CHECKING:
    from signer.client import TokenInfo

_CODES = epilog(ExitCode.OK, ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.REFUSED)
_HEADINGS = (
    Text("Token", "Thiết bị"),
    Text("State", "Trạng thái"),
    Text("Label", "Nhãn"),
    Text("Serial", "Số sê-ri"),
    Text("Model", "Loại"),
    Text("Workers", "Tiến trình"),
    Text("Queue", "Hàng đợi"),
    Text("Restarts", "Khởi động lại"),
    Text("Credentials", "Chứng thư ký"),
    Text("Remarks", "Ghi chú"),
)
_NONE = Text(
    "the daemon has no token; see [[tokens]] in its configuration", "dịch vụ ký chưa có thiết bị nào; xem [[tokens]] trong cấu hình"
)
_READY = "READY"


class _ListByDefault(click.Group):
    """`signer tokens` alone is `signer tokens list`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and not set(args) & set(ctx.help_option_names)):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ListByDefault)
def tokens() -> None:
    """Look after the daemon's PKCS#11 tokens: list, show, release a held PIN, pause, resume.

    Needs the client certificate of an operator. `signer tokens` alone lists them. No token is asked: answers are what the daemon last saw.

    \b
    Example:
      signer tokens --cert operator.crt --key operator.key
    """  # noqa: D301  # click reads \b


@tokens.command("list", epilog=_CODES)
@connection_options
@json_option
@language_option
def list_(client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """List the tokens and their state."""
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        found = client.tokens.list()
    if is_json():
        print_json({"tokens": [_members(token) for token in found]})
    elif not found:
        note(say(_NONE))
    else:
        print_table([say(heading) for heading in _HEADINGS], [_row(token) for token in found])


@tokens.command(epilog=_CODES)
@click.argument("name")
@connection_options
@json_option
@language_option
def show(name: str, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Show everything about one token: slot, sessions, PIN counter, last fault, mechanisms."""
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        _print(client.tokens.get(name))


@tokens.command("release-pin", epilog=_CODES)
@click.argument("name")
@click.option("--allow-final-try", is_flag=True, help="Try although the token says that a wrong PIN would lock it.")
@click.option("--approval", "approval_id", default="", metavar="ID", help="The approval, where the policy asks for one.")
@connection_options
@json_option
@language_option
def release_pin(
    *,
    name: str,
    allow_final_try: bool,
    approval_id: str,
    client_config: Path | None,
    connect_timeout_s: float,
    **options: str | None,
) -> None:
    """Let a token whose PIN is held log in once more.

    Mend the cause first: the PIN is read anew from its source and tried once; refused again, it is held again.
    """
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        _print(client.tokens.release_pin(name, allow_final_try=allow_final_try, approval_id=approval_id))


@tokens.command(epilog=_CODES)
@click.argument("name")
@click.option("--reason", default="", metavar="TEXT", help="Why, for other operators; at most 300 characters.")
@connection_options
@json_option
@language_option
def pause(name: str, reason: str, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Take a token out of use: what is under way is finished, then the daemon logs out of it.

    What comes meanwhile waits until its deadline. It lasts until `signer tokens resume` or the daemon's end.
    """
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        _print(client.tokens.pause(name, reason))


@tokens.command(epilog=_CODES)
@click.argument("name")
@connection_options
@json_option
@language_option
def resume(name: str, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """Take a paused token into use again."""
    with given(client_config, **options).connect(connect_timeout_s=connect_timeout_s) as client:
        _print(client.tokens.resume(name))


def _print(token: TokenInfo) -> None:
    if is_json():
        print_json(_members(token))
        return
    for name, value in _members(token).items():
        told = ", ".join(value) if isinstance(value, list) else _fault_line(token) if name == "last_fault" else str(value)
        click.echo(f"{name.replace('_', ' '):<24}{clean(told)}")


def _fault_line(token: TokenInfo) -> str:
    fault = token.last_fault
    if fault is None:
        return "none since the daemon started"
    healed = "not signed since" if fault.healed_after_s is None else f"signed again after {fault.healed_after_s:.1f} s"
    return f"{fault.at:%Y-%m-%d %H:%M:%S} UTC, {healed}: {fault.error.message}"


def _row(token: TokenInfo) -> list[Any]:
    return [
        token.name,
        cell(token.state, "green" if token.state == _READY else "red"),
        token.label,
        token.serial,
        token.model,
        f"{token.workers_ready}/{token.workers_configured}",
        str(token.queue_depth),
        str(token.restarts),
        ", ".join(token.credential_ids),
        token.message,
    ]


def _members(token: TokenInfo) -> dict[str, Any]:
    fault = token.last_fault
    return {
        "name": token.name,
        "state": token.state,
        "since": token.since.isoformat(),
        "message": token.message,
        "module": token.module,
        "slot": token.slot,
        "label": token.label,
        "serial": token.serial,
        "model": token.model,
        "pin_state": token.pin_state,
        "workers_ready": token.workers_ready,
        "workers_configured": token.workers_configured,
        "sessions_open": token.sessions_open,
        "sessions_busy": token.sessions_busy,
        "restarts": token.restarts,
        "last_fault": fault
        and {
            "at": fault.at.isoformat(),
            "reason": fault.error.reason.value,
            "message": fault.error.message,
            "ckr": fault.ckr,
            "healed_after_s": fault.healed_after_s,
        },
        "queue_depth": token.queue_depth,
        "queue_age_s": token.queue_age_s,
        "sign_s": token.sign_s,
        "signatures_per_second": token.signatures_per_second,
        "credentials": list(token.credential_ids),
        "mechanisms": list(token.mechanisms),
    }
