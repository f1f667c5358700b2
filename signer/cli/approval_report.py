"""What `signer approvals` prints, and how it asks for a person's factors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from signer.access.approval_words import ACT_WORDS, ROLE_WORDS
from signer.cli.language import Text, current_language, say
from signer.cli.output import clean, is_json, note, print_json, print_table
from signer.model import Role
from signer.people.approval import Approval, ApprovalKind, ApprovalPolicy, ApprovalState, ApprovalStep, Decision
from signer.people.factor import PinFactor, TotpFactor
from signer.records.calendar import VIETNAM
from signer.secrets import Secret

if TYPE_CHECKING:
    from signer.client import SignerClient

_HEADINGS = (
    Text("Approval", "Phê duyệt"),
    Text("Of", "Việc"),
    Text("Subject", "Đối tượng"),
    Text("School", "Trường"),
    Text("State", "Trạng thái"),
    Text("Asked by", "Người đề nghị"),
    Text("Next", "Bước tiếp theo"),
    Text("Until", "Đến"),
)
_POLICY_HEADINGS = (
    Text("Of", "Việc"),
    Text("School", "Trường"),
    Text("Who must agree, in this order", "Ai phải đồng ý, theo thứ tự"),
    Text("Days", "Số ngày"),
    Text("Above", "Trên"),
    Text("Set", "Nguồn"),
)
_NONE = Text("nothing waits", "không có gì đang chờ")
_NOBODY = Text("nobody", "không cần ai")
_BUILT_IN, _SET = Text("built in", "có sẵn"), Text("by operators", "do người vận hành đặt")
_STATES = {
    ApprovalState.PENDING: Text("pending", "đang chờ"),
    ApprovalState.GRANTED: Text("granted", "đã đồng ý"),
    ApprovalState.REJECTED: Text("rejected", "bị từ chối"),
    ApprovalState.WITHDRAWN: Text("withdrawn", "đã rút"),
    ApprovalState.EXPIRED: Text("expired", "hết hạn"),
    ApprovalState.USED: Text("used", "đã dùng"),
}
_WAITS, _AGREED, _REFUSED = Text("waits", "chưa"), Text("agreed", "đồng ý"), Text("refused", "từ chối")
_REASON = Text("why: {reason}", "lý do: {reason}")
_BOUND = Text("bound: {name} = {value}", "giới hạn: {name} = {value}")
_SHOWN = Text("changes: {shown}", "nội dung thay đổi: {shown}")
_PIN = Text("PIN of {person}", "Mã PIN của {person}")
_CODE = Text("One-time code", "Mã một lần")


def decide(client: SignerClient, approval_id: str, person: str, decision: Decision, comment: str) -> None:
    """Shows what is decided, asks for the person's factors, and brings their word."""
    if not is_json():
        tell(client.approvals.get(approval_id), to_screen=True)
    pin = Secret(click.prompt(say(_PIN, person=person), hide_input=True, err=True))
    code = Secret(click.prompt(say(_CODE), hide_input=True, err=True))
    tell(client.approvals.decide(approval_id, person, decision, [PinFactor(pin), TotpFactor(code)], comment))


def tell_list(approvals: Sequence[Approval]) -> None:
    """A table of approvals."""
    if is_json():
        print_json({"approvals": [_members(each) for each in approvals]})
    elif not approvals:
        note(say(_NONE))
    else:
        print_table([say(heading) for heading in _HEADINGS], [_row(each) for each in approvals])


def tell(approval: Approval, *, to_screen: bool = False) -> None:
    """One approval with its steps. to_screen: on standard error, before somebody decides."""
    if is_json():
        print_json({"approval": _members(approval)})
        return
    lines = [f"{approval.id}: {_act(approval.kind)}, {approval.subject} ({say(_STATES[approval.state])}, {_until(approval)})"]
    lines.append(say(_REASON, reason=approval.reason))
    lines += [say(_BOUND, name=name, value=value) for name, value in sorted(approval.parameters.items())]
    lines += [say(_SHOWN, shown=approval.shown)] if approval.shown else []
    lines += [f"  {number}. {_step_words(step)}" for number, step in enumerate(approval.steps, 1)]
    for line in lines:
        click.echo(clean(line), err=to_screen)


def tell_policies(policies: Sequence[ApprovalPolicy]) -> None:
    """Who must agree to what."""
    if is_json():
        print_json({"policies": [_policy_members(each) for each in policies]})
    else:
        print_table([say(heading) for heading in _POLICY_HEADINGS], [_policy_row(each) for each in policies])


def _row(approval: Approval) -> list[str]:
    waiting = next((step for step in approval.steps if step.decision is None), None)
    following = _title(waiting) if waiting is not None and approval.state is ApprovalState.PENDING else ""
    state = say(_STATES[approval.state])
    return [
        approval.id,
        _act(approval.kind),
        approval.subject,
        approval.school_id,
        state,
        approval.requester_person_id,
        following,
        _until(approval),
    ]


def _step_words(step: ApprovalStep) -> str:
    if step.decision is None:
        return f"{_title(step)}: {say(_WAITS)}"
    said = say(_AGREED if step.decision is Decision.AGREE else _REFUSED)
    when = f"{step.decided.astimezone(VIETNAM):%d/%m/%Y %H:%M}" if step.decided else ""
    comment = f" — {step.comment}" if step.comment else ""
    return f"{_title(step)}: {said}, {step.person_id}, {when}{comment}"


def _title(step: ApprovalStep) -> str:
    return step.title if current_language() == "vi" else _roles(step.roles)


def _roles(roles: frozenset[Role]) -> str:
    ordered = sorted(roles, key=lambda role: role.value)
    return "/".join(ROLE_WORDS[role] if current_language() == "vi" else role.value for role in ordered)


def _act(kind: ApprovalKind) -> str:
    return ACT_WORDS[kind] if current_language() == "vi" else kind.value


def _until(approval: Approval) -> str:
    return f"{approval.expires.astimezone(VIETNAM):%d/%m/%Y %H:%M}"


def _policy_row(policy: ApprovalPolicy) -> list[str]:
    who = " → ".join(_roles(roles) for roles in policy.roles) or say(_NOBODY)
    above = str(policy.count_above) if policy.kind is ApprovalKind.SEAL_ABOVE_COUNT else ""
    return [_act(policy.kind), policy.school_id, who, str(policy.lifetime.days), above, say(_BUILT_IN if policy.is_built_in else _SET)]


def _members(approval: Approval) -> dict[str, Any]:
    return {
        "id": approval.id,
        "kind": approval.kind.value,
        "school": approval.school_id,
        "subject": approval.subject,
        "parameters": dict(approval.parameters),
        "changes": approval.shown,
        "requester": approval.requester_person_id,
        "reason": approval.reason,
        "state": approval.state.value,
        "created": approval.created.isoformat(),
        "expires": approval.expires.isoformat(),
        "steps": [
            {
                "roles": sorted(role.value for role in step.roles),
                "title_vi": step.title,
                "person": step.person_id,
                "decision": step.decision.value if step.decision else None,
                "comment": step.comment,
                "decided": step.decided.isoformat() if step.decided else None,
                "journal_entry": step.journal_entry,
            }
            for step in approval.steps
        ],
    }


def _policy_members(policy: ApprovalPolicy) -> dict[str, Any]:
    return {
        "kind": policy.kind.value,
        "school": policy.school_id,
        "steps": [sorted(role.value for role in roles) for roles in policy.roles],
        "lifetime_s": int(policy.lifetime.total_seconds()),
        "count_above": policy.count_above,
        "built_in": policy.is_built_in,
    }
