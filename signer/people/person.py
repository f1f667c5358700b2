"""People, the roles they have, and who acts for whom."""

from __future__ import annotations

from dataclasses import dataclass

from signer.model import Role
from signer.people.client import ALWAYS, Window


@dataclass(frozen=True, slots=True)
class Person:
    """A person. id: chosen by the operator, never a personal number. display_name: as it stands in certificates."""

    id: str
    display_name: str
    email: str = ""
    disabled: bool = False
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """For what a role is claimed or held. An empty class or subject, and school year 0 (else its first calendar year), mean every one."""

    school_id: str
    school_year: int = 0
    class_id: str = ""
    subject_id: str = ""

    def covers(self, claimed: Scope) -> bool:
        """Whether this is all that is claimed: to claim every class takes what holds for every class."""
        return self.may_cover(claimed) and not (
            (self.school_year and not claimed.school_year)
            or (self.class_id and not claimed.class_id)
            or (self.subject_id and not claimed.subject_id)
        )

    def may_cover(self, claimed: Scope) -> bool:
        """The same for a claim whose year, class and subject are not known yet where it leaves them empty."""
        return (
            self.school_id in ("", claimed.school_id)
            and (not self.school_year or claimed.school_year in (0, self.school_year))
            and (not self.class_id or claimed.class_id in ("", self.class_id))
            and (not self.subject_id or claimed.subject_id in ("", self.subject_id))
        )


@dataclass(frozen=True, slots=True)
class Assignment:
    """A role that a person has. scope.school_id is empty only for the Department's and the appliance's own roles."""

    id: str
    person_id: str
    role: Role
    scope: Scope
    valid: Window = ALWAYS


@dataclass(frozen=True, slots=True)
class Delegation:
    """One person acts for another, with a key of their own. Empty class_ids and subject_ids: all that the absent person has."""

    id: str
    from_person_id: str
    to_person_id: str
    role: Role
    school_id: str
    class_ids: frozenset[str] = frozenset()
    subject_ids: frozenset[str] = frozenset()
    valid: Window = ALWAYS
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Right:
    """That a person may act in a role, and why. delegation: under which; None in their own name."""

    person_id: str
    role: Role
    assignment: Assignment
    delegation: Delegation | None = None

    @property
    def acting_for(self) -> str:
        """The person acted for; empty in their own name."""
        return self.delegation.from_person_id if self.delegation else ""


@dataclass(frozen=True, slots=True)
class Holdings:
    """All that decides what a person may do, whenever it holds. delegations: to the person. lent: the assignments of those they act for."""

    person: Person
    assignments: tuple[Assignment, ...] = ()
    delegations: tuple[Delegation, ...] = ()
    lent: tuple[Assignment, ...] = ()
