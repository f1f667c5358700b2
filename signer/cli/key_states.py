"""`signer keys disable`, `enable`, `destroy` and `list`."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signer.cli.connection import given
from signer.cli.exits import epilog
from signer.cli.key_report import CODES, common_options
from signer.cli.language import Text, say
from signer.cli.names import common_name
from signer.cli.output import cell, is_json, note, print_json, print_table

if TYPE_CHECKING:
    from signer.client import CredentialInfo

_HEADINGS = (
    Text("Credential", "Chứng thư ký"),
    Text("State", "Trạng thái"),
    Text("Holder", "Chủ thể"),
    Text("Days left", "Còn (ngày)"),
    Text("Key", "Khóa"),
    Text("Where", "Nơi giữ"),
    Text("Token", "Thiết bị"),
    Text("Remarks", "Ghi chú"),
)
_NONE = Text("no key", "chưa có khóa nào")
_DONE = Text("{credential} is now {state}", "{credential} hiện là {state}")
_CONFIRM = Text(
    "Destroy the key of {credential} for good? Nothing can ever be signed with it again",
    "Hủy vĩnh viễn khóa của {credential}? Không bao giờ ký lại được bằng khóa này",
)


@click.command(epilog=epilog(*CODES))
@click.argument("credential")
@click.option("--for-good", is_flag=True, help="It can't be enabled again.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the journal.")
@common_options
def disable(credential: str, for_good: bool, reason: str, **options: Any) -> None:
    """Let a credential sign no more: until it is enabled, or for good.

    \b
    Example:
      signer keys disable teacher-7 --reason "long leave"
    """  # noqa: D301  # click reads \b
    _set_state(credential, "DISABLED" if for_good else "SUSPENDED", reason, options)


@click.command(epilog=epilog(*CODES))
@click.argument("credential")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the journal.")
@common_options
def enable(credential: str, reason: str, **options: Any) -> None:
    """Let a credential that was disabled for a while sign again.

    \b
    Example:
      signer keys enable teacher-7
    """  # noqa: D301  # click reads \b
    _set_state(credential, "ACTIVE", reason, options)


@click.command(epilog=epilog(*CODES))
@click.argument("credential")
@click.option("--approval", default="", metavar="ID", help="The approval, where one is needed; for the journal.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@common_options
def destroy(credential: str, approval: str, yes: bool, **options: Any) -> None:
    """Destroy a credential's key. There is no way back.

    \b
    Example:
      signer keys destroy teacher-7
    """  # noqa: D301  # click reads \b
    if not yes:
        click.confirm(say(_CONFIRM, credential=credential), abort=True, err=True)
    timeout_s, config = options.pop("connect_timeout_s"), options.pop("client_config")
    with given(config, **options).connect(connect_timeout_s=timeout_s) as client:
        _tell_state(client.keys.destroy(credential, approval_id=approval))


@click.command(name="list", epilog=epilog(*CODES))
@click.option("--school", envvar="SIGNER_SCHOOL", metavar="ID", help="The school. Default: every one, and the appliance's own.")
@click.option(
    "--ending-within", "within_days", type=click.IntRange(min=1), metavar="DAYS", help="Only those whose certificate ends so soon."
)
@common_options
def list_(within_days: int | None, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """List all credentials with their keys: state, days left, kind, and where the key lives.

    \b
    Example:
      signer keys list --ending-within 60
    """  # noqa: D301  # click reads \b
    values = given(client_config, **options)
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        found = client.list_credentials(values.get("school"))
    if within_days is not None:
        found = [one for one in found if one.days_left is not None and one.days_left < within_days]
    if is_json():
        from signer.cli.credentials import members

        print_json({"credentials": [members(one) for one in found]})
    elif not found:
        note(say(_NONE))
    else:
        print_table([say(heading) for heading in _HEADINGS], [_row(one) for one in found])


def _set_state(credential: str, state: str, reason: str, options: dict[str, Any]) -> None:
    from signer.model import CredentialState

    timeout_s, config = options.pop("connect_timeout_s"), options.pop("client_config")
    with given(config, **options).connect(connect_timeout_s=timeout_s) as client:
        _tell_state(client.keys.set_state(credential, CredentialState[state], reason=reason))


def _tell_state(credential: CredentialInfo) -> None:
    if is_json():
        print_json({"credential": credential.id, "state": credential.state})
    else:
        note(say(_DONE, credential=credential.id, state=credential.state))


def _row(credential: CredentialInfo) -> list[Any]:
    return [
        credential.id,
        cell(credential.state, "green" if credential.usable else "red"),
        common_name(credential.subject),
        "" if credential.days_left is None else str(credential.days_left),
        credential.key_kind,
        credential.key_storage,
        credential.token_name,
        "; ".join(finding.message for finding in credential.findings),
    ]
