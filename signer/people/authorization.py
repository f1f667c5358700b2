"""What a holder allows: an exact list, shown to them, signed once, for a few minutes (CSC v2 credentials/authorize; EN 419 241-1 SCAL2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from signer.algorithms import SignatureAlgorithm
from signer.model import Role
from signer.people.factor import FactorKind


class AuthorizationState(Enum):
    """The contract's AuthorizationState has the same names; the value is the database's."""

    PENDING = "pending"
    GRANTED = "granted"
    SPENT = "spent"
    REJECTED = "rejected"
    EXPIRED = "expired"
    REVOKED = "revoked"


class ListBinding(Enum):
    """How 32 bytes stand for a whole list (`formats.entry_list`). The value names them in the journal."""

    DIGEST = "list_sha256"
    ROOT = "root"


@dataclass(frozen=True, slots=True)
class SignableList:
    """What may be signed: 32 bytes that stand for the entries in their order, and how many there are.

    source_documents: entries are SHA-256 of documents as they will be sent; else final digests.
    """

    binding: ListBinding
    sha256: bytes
    count: int
    source_documents: bool


@dataclass(frozen=True, slots=True)
class ListProof:
    """That an entry stands at `index` of a list (RFC 9162 2.1.3). path: siblings from leaf to root, 32 bytes each."""

    index: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PresentedItem:
    """One line of what the holder sees. text: with a pupil's name; kept until the decision, never journalled."""

    document_id: str
    entry: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Presentation:
    """What the holder sees before deciding; bound by the SAD, and journalled as its SHA-256. pupil_list_sha256: empty for none."""

    class_name: str = ""
    school_name: str = ""
    role: Role | None = None
    acting_for_name: str = ""
    summary: str = ""
    pupil_list_sha256: bytes = b""
    items: tuple[PresentedItem, ...] = ()


@dataclass(frozen=True, slots=True)
class AuthorizationTarget:
    """All that a SAD binds. plan_sha256: of how documents are signed, 32 bytes, empty for final digests. role: of the plan's record part.

    algorithm: for final digests; None for the credential's own. request_id: empty for the first that presents it. plan: as its caller wrote
    it, opaque here; `plan_sha256` is what binds it.
    """

    school_id: str
    credential_id: str
    list: SignableList
    presentation: Presentation
    plan_sha256: bytes = b""
    role: Role | None = None
    delegation_id: str = ""
    algorithm: SignatureAlgorithm | None = None
    request_id: str = ""
    approval_ids: tuple[str, ...] = ()
    plan: bytes = b""


@dataclass(frozen=True, slots=True)
class Authorization:
    """An authorisation without its SAD.

    expires: of a pending one, until when its holder may decide; else until when the SAD may be spent, `lifetime` after the decision.
    request_id: under which it was asked for on the page. spent_by: the request that spent it. shown_sha256: of the presentation as it was
    asked for, with its items, which are let go of at the decision.
    """

    id: str
    target: AuthorizationTarget
    state: AuthorizationState
    person_id: str
    client_id: str
    created: datetime
    expires: datetime
    signed_count: int = 0
    spent_by: str = ""
    factors: frozenset[FactorKind] = frozenset()
    decided: datetime | None = None
    request_id: str = ""
    lifetime: timedelta = timedelta(minutes=5)
    shown_sha256: bytes = b""
