"""An act that several people must allow, in one call: asked for and spent right before it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from signer.people.approval import ApprovalKind
from signer.people.doors import FourEyes


@dataclass(frozen=True, slots=True)
class GuardedAct:
    """What is about to be done. by: whose call it is, for the journal."""

    kind: ApprovalKind
    school_id: str
    subject: str
    by: str
    parameters: Mapping[str, str] = field(default_factory=dict)


async def spend_approval(four_eyes: FourEyes | None, act: GuardedAct, approval_id: str) -> str:
    """The approval that was used for the act; empty where nobody else is asked.

    Raises:
        ApprovalRequired: none was named, or not one that covers the act.
        ApprovalEnded: another act used it at the same time.
    """
    if four_eyes is None:
        return ""
    named = [approval_id] if approval_id else []
    approval = await four_eyes.require(act.kind, act.school_id, act.subject, named, parameters=act.parameters)
    if approval is None:
        return ""
    await four_eyes.use(approval, act.by)
    return approval.id
