"""What changes among people at once: whole new values beside those they replace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from signer.people.person import Assignment, Delegation, Person

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Revised(Generic[_T]):
    """One row's new value. before: what it replaces; None for a new row."""

    after: _T
    before: _T | None = None


@dataclass(frozen=True, slots=True)
class PeopleRevision:
    """What is changed in one commit."""

    people: Sequence[Revised[Person]] = ()
    assignments: Sequence[Revised[Assignment]] = ()
    delegations: Sequence[Revised[Delegation]] = ()
