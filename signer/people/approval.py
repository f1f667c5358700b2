"""Four eyes: several people allow one act, each with a statement in the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from signer.model import Role


class ApprovalKind(Enum):
    """What needs an approval; the contract's ApprovalKind has the same names."""

    CORRECTION = "correction"
    RECALL = "recall"
    SEAL_ABOVE_COUNT = "seal-above-count"
    KEY_DESTRUCTION = "key-destruction"
    FACTOR_UNLOCK = "factor-unlock"
    PIN_RELEASE = "pin-release"
    CALENDAR_CHANGE = "calendar-change"
    POLICY_CHANGE = "policy-change"
    TRUST_CHANGE = "trust-change"


class ApprovalState(Enum):
    """Where an approval is. GRANTED: the act may be done, once."""

    PENDING = "pending"
    GRANTED = "granted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    USED = "used"


class Decision(Enum):
    """A person's word on a step; REFUSE ends the approval."""

    AGREE = "agree"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class ApprovalStep:
    """One step, by any of the roles. journal_entry: of the statement; None while undecided."""

    roles: frozenset[Role]
    title: str
    person_id: str = ""
    decision: Decision | None = None
    comment: str = ""
    decided: datetime | None = None
    journal_entry: int | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """What several people allow, and how far they are. parameters: the act's bounds, part of what is agreed to.

    shown: what else deciders see (a correction's changes), of which `parameters` has the SHA-256; kept only while it is pending.
    """

    id: str
    kind: ApprovalKind
    school_id: str
    subject: str
    requester_person_id: str
    reason: str
    steps: tuple[ApprovalStep, ...]
    state: ApprovalState
    created: datetime
    expires: datetime
    parameters: Mapping[str, str] = field(default_factory=dict)
    shown: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """Who must agree to one kind of act. roles: in the order of their steps; none: no approval is needed. count_above: for seals.

    is_built_in: it came with the appliance; nobody has set it.
    """

    kind: ApprovalKind
    school_id: str = ""
    roles: tuple[frozenset[Role], ...] = ()
    lifetime: timedelta = timedelta(days=7)
    count_above: int = 0
    is_built_in: bool = False
