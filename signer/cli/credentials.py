"""`signer credentials`: which keys may sign for a school, and whether they can."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signer.cli.connection import connection_options, given
from signer.cli.exits import ExitCode, epilog
from signer.cli.language import Text, language_option, say
from signer.cli.names import common_name
from signer.cli.output import cell, is_json, json_option, note, print_json, print_table

if TYPE_CHECKING:
    from signer.client import CredentialInfo

_HEADINGS = (
    Text("Credential", "Chứng thư ký"),
    Text("Usable", "Dùng được"),
    Text("Holder", "Chủ thể"),
    Text("Valid until (days left)", "Hết hạn (còn ngày)"),
    Text("Key and algorithm", "Khóa và thuật toán"),
    Text("Usage", "Mục đích"),
    Text("Token", "Thiết bị"),
    Text("Remarks", "Ghi chú"),
)
_USAGES = {
    "digitalSignature": "digital_signature",
    "nonRepudiation": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign",
    "cRLSign": "crl_sign",
}
_YES, _NO = Text("yes", "có"), Text("no", "không")
_NONE = Text("no credential", "chưa có chứng thư ký nào")


@click.command(epilog=epilog(ExitCode.OK, ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.REFUSED))
@click.option("--school", envvar="SIGNER_SCHOOL", metavar="ID", help="The school. Default: every school of this client.")
@click.option("--usable", "usable_only", is_flag=True, help="Only those that can sign now.")
@connection_options
@json_option
@language_option
def credentials(usable_only: bool, client_config: Path | None, connect_timeout_s: float, **options: str | None) -> None:
    """List the credentials that may sign for a school.

    Also those that can't sign now, with the reason. No token is asked: the answer is what the daemon knows.

    \b
    Example:
      signer credentials --school 79000001
    """  # noqa: D301  # click reads \b
    values = given(client_config, **options)
    with values.connect(connect_timeout_s=connect_timeout_s) as client:
        found = client.list_credentials(values.get("school"), usable_only=usable_only)
    if is_json():
        print_json({"credentials": [members(credential) for credential in found]})
    elif not found:
        note(say(_NONE))
    else:
        print_table([say(heading) for heading in _HEADINGS], [_row(credential) for credential in found])


def _row(credential: CredentialInfo) -> list[Any]:
    more = f" (+{len(credential.algorithms) - 1})" if len(credential.algorithms) > 1 else ""
    algorithm = f"{credential.algorithms[0].value}{more}" if credential.algorithms else ""
    return [
        credential.id,
        cell(say(_YES), "green") if credential.usable else cell(say(_NO), "red"),
        common_name(credential.subject),
        f"{credential.not_after:%Y-%m-%d} ({credential.days_left})" if credential.not_after else "",
        f"{credential.key_kind} {algorithm}",
        _usage(credential),
        credential.token_name,
        "; ".join(finding.message for finding in credential.findings),
    ]


def members(credential: CredentialInfo) -> dict[str, Any]:
    """A credential in JSON."""
    return {
        "id": credential.id,
        "school": credential.school_id,
        "token": credential.token_name,
        "display_name": credential.display_name,
        "usable": credential.usable,
        "key_kind": credential.key_kind,
        "algorithms": [algorithm.value for algorithm in credential.algorithms],
        "subject": credential.subject,
        "issuer": credential.issuer,
        "serial": credential.certificate_serial,
        "not_before": credential.not_before.isoformat() if credential.not_before else None,
        "not_after": credential.not_after.isoformat() if credential.not_after else None,
        "days_left": credential.days_left,
        "key_usage": _usage(credential),
        "state": credential.state,
        "key_storage": credential.key_storage,
        "person": credential.person_id,
        "renewed_by": credential.renewed_by,
        "findings": [{"problem": finding.problem, "message": finding.message} for finding in credential.findings],
    }


def _usage(credential: CredentialInfo) -> str:
    """The certificate's key usage, by the names of RFC 5280; empty for none."""
    from cryptography import x509

    if not credential.certificate_der:
        return ""
    try:
        usage = x509.load_der_x509_certificate(credential.certificate_der).extensions.get_extension_for_class(x509.KeyUsage).value
    except (ValueError, x509.ExtensionNotFound):
        return ""
    return ", ".join(name for name, attribute in _USAGES.items() if getattr(usage, attribute))
