"""What the page asks of the rooms of control, as Protocols: served by `control`, wired by `server.serve`.

Every call that takes factors or codes raises FactorsRefused alike for whatever was wrong with them, after the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from signer.control.challenges import Challenge
from signer.control.passkeys import Attestation
from signer.people.approval import Approval, Decision
from signer.people.authorization import Authorization
from signer.people.factor import Factor, FactorKind, Passkey
from signer.people.person import Person
from signer.secrets import Secret


class People(Protocol):
    """Who there is."""

    async def find(self, person_id: str) -> Person | None:
        """The person; None when there is none."""


class Enrolling(Protocol):
    """A person's first visit, with the one-time code they were handed."""

    async def look(self, person_id: str, code: Secret) -> Person:
        """Whose code it is; it stays usable."""

    def require_fit(self, pin: Secret) -> None:
        """That the rules accept the PIN; InvalidArgument otherwise. Pure."""

    async def set_factors(self, person_id: str, code: Secret, pin: Secret, totp_seed: bytes, totp: Secret) -> None:
        """Spends the code and sets PIN and TOTP, all or nothing. totp: a code of the new seed, which proves that it has arrived.

        InvalidArgument when it is not: the code stays usable.
        """


class Factors(Protocol):
    """A person's factors, for themselves."""

    async def require(self, person_id: str, factors: Sequence[Factor], *, purpose: bytes) -> frozenset[FactorKind]:
        """As people.doors.FactorCheck, for being let in: in no role. InvalidArgument when they could not be enough."""

    async def challenge(self, person_id: str, purpose: bytes, *, is_known: bool = False) -> Challenge:
        """For a WebAuthn assertion bound to the purpose; also for unknown people. QuotaExceeded when there were too many.

        is_known: the person is signed in. NotServedYet where there are no passkeys.
        """

    async def change_pin(self, person_id: str, factors: Sequence[Factor], pin: Secret) -> None:
        """Sets another PIN, by the present factors. InvalidArgument for one that the rules refuse."""

    async def passkeys(self, person_id: str) -> Sequence[Passkey]:
        """All of the person's."""

    async def begin_passkey(self, person_id: str) -> Challenge:
        """For a new passkey; raises as `challenge`."""

    async def add_passkey(self, person_id: str, factors: Sequence[Factor], attestation: Attestation) -> None:
        """Believes a new passkey, by the present factors. InvalidArgument for an attestation that does not answer the challenge."""

    async def remove_passkey(self, person_id: str, factors: Sequence[Factor], passkey_id: bytes) -> None:
        """Forgets one, by the present factors; unknown ones are no error."""


class Deciding(Protocol):
    """What school software asks a holder for."""

    async def waiting(self, person_id: str) -> Sequence[Authorization]:
        """Pending ones of this holder, oldest first, with the items to show."""

    def purpose(self, authorizations: Sequence[Authorization]) -> bytes:
        """What factors for granting exactly these are given for: SHA-256, 32 bytes."""

    async def grant(self, person_id: str, authorization_ids: Sequence[str], factors: Sequence[Factor]) -> None:
        """Grants all, by one presentation of factors, or none. AuthorizationNotFound, AuthorizationExpired: one has ended meanwhile.

        RoleRefused: the person has the role no more.
        """

    async def reject(self, person_id: str, authorization_ids: Sequence[str]) -> None:
        """Refuses them; needs no factors."""

    async def decided(self, person_id: str, *, after: str, limit: int) -> Sequence[Authorization]:
        """Those that were decided, spent, or ended otherwise, newest first, from behind the one of that id."""

    async def documents(self, person_id: str, authorization_id: str) -> Sequence[str]:
        """The ids of what was signed under one of them, in order. AuthorizationNotFound for one of somebody else's."""


class Approving(Protocol):
    """Four eyes: what awaits a person's word."""

    async def awaiting(self, person_id: str) -> Sequence[Approval]:
        """Those whose next step the person may decide, oldest first."""

    async def decide(self, approval_id: str, person_id: str, decision: Decision, comment: str, factors: Sequence[Factor]) -> Approval:
        """The person's statement on the next step; what comes of it.

        ApprovalNotFound, ApprovalEnded, RoleRefused, ChangedMeanwhile: it is not theirs to decide, or not any more.
        """

    def purpose(self, approval: Approval, decision: Decision) -> bytes:
        """What factors for this decision are given for: SHA-256, 32 bytes."""


class Names(Protocol):
    """What things are called, for people; the id itself where there is no name."""

    async def client(self, client_id: str) -> str:
        """School software's."""

    async def school(self, school_id: str) -> str:
        """A school's; empty where nobody here has named it."""

    async def person(self, person_id: str) -> str:
        """A person's."""


@dataclass(frozen=True, slots=True)
class PageRooms:
    """All that the page stands on."""

    people: People
    enrolling: Enrolling
    factors: Factors
    deciding: Deciding
    approving: Approving
    names: Names
