"""What is printed of clients."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from signer.cli.exits import ExitCode
from signer.cli.language import Text, say
from signer.cli.output import cell, is_json, note, print_json, print_table

if TYPE_CHECKING:
    from signer.client.clients import CertificateEntry, ClientInfo

CODES = (ExitCode.OK, ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.REFUSED)
_SHORT = 16
_SCHOOLS_SHOWN = 3
_HEADINGS = (
    Text("Client", "Máy khách"),
    Text("Kind", "Loại"),
    Text("Name", "Tên"),
    Text("Schools", "Trường"),
    Text("Certificates", "Chứng thư"),
    Text("Digests", "Ký mã băm"),
    Text("State", "Trạng thái"),
    Text("Last call (UTC)", "Lần gọi cuối (UTC)"),
)
_NONE = Text("no client", "chưa có máy khách nào")
_YES, _NO = Text("yes", "có"), Text("no", "không")
_ALL = Text("sees all", "xem tất cả")
_ON, _OFF = Text("enabled", "đang dùng"), Text("disabled", "đã khóa")
_CONFIGURED = Text("in the configuration", "trong tệp cấu hình")
_REVOKED, _ENDED = Text("revoked", "đã thu hồi"), Text("ended", "hết hạn dùng")
_UNTIL = Text("until {end}", "đến {end}")


def print_clients(found: Sequence[ClientInfo]) -> None:
    """A table, or JSON."""
    if is_json():
        print_json({"clients": [_members(client) for client in found]})
    elif not found:
        note(say(_NONE))
    else:
        print_table([say(heading) for heading in _HEADINGS], [_row(client) for client in found])


def _row(client: ClientInfo) -> list[Any]:
    state = say(_OFF) if client.disabled else say(_ON) if client.etag else say(_CONFIGURED)
    return [
        client.id,
        client.kind,
        client.display_name,
        _schools(client),
        "; ".join(map(_certificate, client.certificates)),
        say(_YES) if client.may_sign_digests else say(_NO),
        cell(state, "red" if client.disabled else ""),
        f"{client.last_call:%Y-%m-%d %H:%M}" if client.last_call else "",
    ]


def _schools(client: ClientInfo) -> str:
    if not client.school_ids:
        return say(_ALL) if client.kind in {"operator", "auditor"} else ""
    more = len(client.school_ids) - _SCHOOLS_SHOWN
    return ", ".join(client.school_ids[:_SCHOOLS_SHOWN]) + (f" (+{more})" if more > 0 else "")


def _certificate(certificate: CertificateEntry) -> str:
    end = certificate.accepted_until
    if certificate.revoked:
        standing = say(_REVOKED)
    elif end is not None:
        standing = say(_ENDED) if end <= datetime.now(UTC) else say(_UNTIL, end=f"{end:%Y-%m-%d %H:%M}")
    else:
        standing = ""
    return f"{certificate.sha256[:_SHORT]}… {standing}".rstrip()


def _members(client: ClientInfo) -> dict[str, Any]:
    return {
        "id": client.id,
        "kind": client.kind,
        "display_name": client.display_name,
        "schools": list(client.school_ids),
        "certificates": [
            {
                "sha256": each.sha256,
                "accepted_from": each.accepted_from.isoformat() if each.accepted_from else None,
                "accepted_until": each.accepted_until.isoformat() if each.accepted_until else None,
                "revoked": each.revoked,
            }
            for each in client.certificates
        ],
        "may_sign_digests": client.may_sign_digests,
        "disabled": client.disabled,
        "configured": not client.etag,
        "last_call": client.last_call.isoformat() if client.last_call else None,
    }
