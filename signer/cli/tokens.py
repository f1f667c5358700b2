"""`signer tokens`: what the daemon knows of its PKCS#11 tokens. For operators."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signer.cli.connection import connection_options, given
from signer.cli.exits import ExitCode, epilog
from signer.cli.language import Text, language_option, say
from signer.cli.output import cell, is_json, json_option, note, print_json, print_table

if TYPE_CHECKING:
    from signer.client import TokenInfo

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


@click.command(epilog=epilog(ExitCode.OK, ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.REFUSED))
@connection_options
@json_option
@language_option
def tokens(client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """List the daemon's PKCS#11 tokens and their state.

    Needs the client certificate of an operator. No token is asked: the answer is what the daemon last saw.

    \b
    Example:
      signer tokens --cert operator.crt --key operator.key
    """  # noqa: D301  # click reads \b
    values = given(client_config, **options)
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        found = client.list_tokens()
    if is_json():
        print_json({"tokens": [_members(token) for token in found]})
    elif not found:
        note(say(_NONE))
    else:
        print_table([say(heading) for heading in _HEADINGS], [_row(token) for token in found])


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
    return {
        "name": token.name,
        "state": token.state,
        "message": token.message,
        "label": token.label,
        "serial": token.serial,
        "model": token.model,
        "pin_state": token.pin_state,
        "workers_ready": token.workers_ready,
        "workers_configured": token.workers_configured,
        "queue_depth": token.queue_depth,
        "restarts": token.restarts,
        "signatures_per_second": token.signatures_per_second,
        "credentials": list(token.credential_ids),
    }
