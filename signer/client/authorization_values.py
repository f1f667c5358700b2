"""What a holder is asked to allow, and what came of it, as the client library gives it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from signer.client.values import Plan
from signer.people.authorization import AuthorizationState
from signer.people.factor import FactorKind


@dataclass(frozen=True, slots=True)
class Line:
    """What the page shows of one document. entry: its SHA-256, or the digest."""

    document_id: str
    entry: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Allowing:
    """What a holder is to allow: entries, signed as the plan says, all under one request.

    entries: SHA-256 of every document as it will be sent; or the digests, for a plan of digests. lines: one an entry, in their order, where
    the holder decides on the page; they may name pupils. lifetime_s: how long the SAD may wait; 0 for the appliance's own time.
    """

    plan: Plan
    person_id: str
    request_id: str
    entries: tuple[bytes, ...]
    class_name: str = ""
    school_name: str = ""
    summary: str = ""
    lines: tuple[Line, ...] = ()
    lifetime_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Sad:
    """What proves that a holder allows a list: give it to `sign_batch` or `sign_digests`. A secret until the request has presented it."""

    authorization_id: str
    sad: bytes = field(repr=False)
    entries: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class AuthorizationInfo:
    """An authorisation. expires: unless it is decided, or spent, before. spent_by: the request it serves; empty for none yet."""

    id: str
    school_id: str
    credential_id: str
    person_id: str
    client_id: str
    state: AuthorizationState
    class_name: str
    summary: str
    allowed_count: int
    signed_count: int
    request_id: str
    spent_by: str
    factors: frozenset[FactorKind]
    created: datetime
    expires: datetime
    decided: datetime | None
