"""What goes in and comes out of the client about people."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from signer.access.department import RowEffect
from signer.errors import SignerError
from signer.people.factor import FactorKind, FactorsState
from signer.people.person import Assignment, Delegation, Person
from signer.secrets import Secret


@dataclass(frozen=True, slots=True)
class PersonInfo:
    """A person, and where their factors are. state: None for one that this client does not know."""

    person: Person
    factors_state: FactorsState | None = None
    factors: frozenset[FactorKind] = frozenset()


@dataclass(frozen=True, slots=True)
class PersonFile:
    """Everything about a person: roles, past ones included, delegations from and to them, ids of their credentials."""

    info: PersonInfo
    assignments: tuple[Assignment, ...]
    delegations: tuple[Delegation, ...]
    credential_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """What one row does. line: 0 for a role that the rows don't have. changes: `field: old → new`."""

    line: int
    effect: RowEffect
    person_id: str
    changes: tuple[str, ...] = ()
    error: SignerError | None = None


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What an import changes; rows that change nothing are not among `rows`. applied: whether it was changed."""

    applied: bool
    read: int
    created: int
    updated: int
    ended: int
    refused: int
    rows: tuple[RowOutcome, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class EnrolmentCode:
    """A one-time code for a person, to be handed to them alone. page_uri: where it is used; empty where there is no page."""

    person_id: str
    code: Secret
    expires: datetime
    page_uri: str
