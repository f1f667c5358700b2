"""Approvals and their policies as rows, and what their journal entries say.

What people write (reasons, comments, changes) may name a pupil: an entry has its SHA-256, the row the words.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from hashlib import sha256
from typing import Any

import msgspec

from signer.model import Role
from signer.people.approval import Approval, ApprovalKind, ApprovalPolicy, ApprovalState, ApprovalStep, Decision
from signer.store.times import microseconds, moment, moment_or_none


class _Step(msgspec.Struct, frozen=True, omit_defaults=True):
    roles: list[str]
    title: str
    person: str = ""
    decision: str = ""
    comment: str = ""
    decided_us: int | None = None
    entry: int | None = None


_encode = msgspec.json.Encoder(order="sorted").encode
_decode_steps = msgspec.json.Decoder(list[_Step]).decode
_decode_parameters = msgspec.json.Decoder(dict[str, str]).decode
_decode_roles = msgspec.json.Decoder(list[list[str]]).decode


def approval_row(approval: Approval) -> dict[str, Any]:
    """The columns that an approval says itself."""
    return {
        "approval_id": approval.id,
        "school_id": approval.school_id,
        "kind": approval.kind.value,
        "subject": approval.subject,
        "requester_person_id": approval.requester_person_id,
        "reason": approval.reason,
        "parameters": _encode(dict(approval.parameters)),
        "shown": approval.shown,
        "steps": _encode([_kept_step(step) for step in approval.steps]),
        "state": approval.state.value,
        "created_us": microseconds(approval.created),
        "expires_us": microseconds(approval.expires),
    }


def approval_of(row: Any) -> Approval:
    """A row of `approval`."""
    return Approval(
        row.approval_id,
        ApprovalKind(row.kind),
        row.school_id,
        row.subject,
        row.requester_person_id,
        row.reason,
        tuple(_step(each) for each in _decode_steps(row.steps)),
        ApprovalState(row.state),
        moment(row.created_us),
        moment(row.expires_us),
        _decode_parameters(row.parameters),
        row.shown,
    )


def policy_row(policy: ApprovalPolicy) -> dict[str, Any]:
    """The row of a policy."""
    return {
        "kind": policy.kind.value,
        "school_id": policy.school_id,
        "steps": _encode([sorted(role.value for role in roles) for roles in policy.roles]),
        "lifetime_s": int(policy.lifetime.total_seconds()),
        "count_above": policy.count_above,
    }


def policy_of(row: Any) -> ApprovalPolicy:
    """A row of `approval_policy`."""
    roles = tuple(frozenset(Role(each) for each in step) for step in _decode_roles(row.steps))
    return ApprovalPolicy(ApprovalKind(row.kind), row.school_id, roles, timedelta(seconds=row.lifetime_s), row.count_above)


def named(approval: Approval) -> dict[str, str | int]:
    """What each entry of an approval says."""
    return {"kind": approval.kind.value, "school": approval.school_id, "subject": approval.subject, "state": approval.state.value}


def asked(approval: Approval) -> dict[str, str | int]:
    """Of the entry that begins one: who asked, for what, and who must agree."""
    bounds: dict[str, str | int] = {f"bound.{name}": value for name, value in approval.parameters.items()}
    return (
        named(approval)
        | bounds
        | {
            "requester": approval.requester_person_id,
            "reasonSha256": digest_of(approval.reason),
            "steps": ",".join("|".join(sorted(role.value for role in step.roles)) for step in approval.steps),
            "expires": int(approval.expires.timestamp()),
        }
    )


def digest_of(words: str) -> str:
    """SHA-256, hexadecimal; empty for no words."""
    return sha256(words.encode()).hexdigest() if words else ""


def decided_steps(steps: Iterable[ApprovalStep]) -> int:
    """How many have their word."""
    return sum(step.decision is not None for step in steps)


def _kept_step(step: ApprovalStep) -> _Step:
    return _Step(
        sorted(role.value for role in step.roles),
        step.title,
        step.person_id,
        step.decision.value if step.decision else "",
        step.comment,
        None if step.decided is None else microseconds(step.decided),
        step.journal_entry,
    )


def _step(kept: _Step) -> ApprovalStep:
    return ApprovalStep(
        frozenset(Role(each) for each in kept.roles),
        kept.title,
        kept.person,
        Decision(kept.decision) if kept.decision else None,
        kept.comment,
        moment_or_none(kept.decided_us),
        kept.entry,
    )
