"""What the page asks of the rooms of control, as Protocols: served by `control`, wired by `server.serve`.

Every call that takes factors or codes raises FactorsRefused alike for whatever was wrong with them, after the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from signer.people.approval import Approval, Decision
from signer.people.authorization import Authorization
from signer.people.factor import Factor, FactorKind
from signer.people.person import Person
from signer.secrets import Secret


@dataclass(frozen=True, slots=True)
class Challenge:
    """What an authenticator is asked. options_json: PublicKeyCredential(Request|Creation)OptionsJSON (W3C WebAuthn 5.1)."""

    id: str
    options_json: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Attestation:
    """An authenticator's new credential (W3C WebAuthn 5.2.1), answering a challenge of ours. label: what its owner calls it."""

    challenge_id: str
    label: str
    client_data_json: bytes = field(repr=False)
    attestation_object: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Passkey:
    """One that a person has. id: the authenticator's credential id."""

    id: bytes
    label: str
    created: datetime


class Enrolling(Protocol):
    """A person's first visit, with the one-time code they were handed."""

    async def look(self, person_id: str, code: Secret) -> Person:
        """Whose code it is; it stays usable."""

    async def set_factors(self, person_id: str, code: Secret, pin: Secret, totp_seed: bytes, totp: Secret) -> None:
        """Spends the code and sets PIN and TOTP, all or nothing. totp: a code of the new seed, which proves that it has arrived."""


class Factors(Protocol):
    """A person's factors, for themselves."""

    async def require(self, person_id: str, factors: Sequence[Factor], purpose: bytes) -> frozenset[FactorKind]:
        """As people.doors.FactorCheck, for being let in: in no role."""

    async def challenge(self, person_id: str, purpose: bytes) -> Challenge:
        """For a WebAuthn assertion bound to the purpose; also for unknown people. QuotaExceeded when there were too many."""

    async def change_pin(self, person_id: str, factors: Sequence[Factor], pin: Secret) -> None:
        """Sets another PIN, by the present factors. InvalidArgument for one that the rules refuse."""

    async def passkeys(self, person_id: str) -> Sequence[Passkey]:
        """All of the person's."""

    async def begin_passkey(self, person_id: str) -> Challenge:
        """For a new passkey."""

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
        """Grants all, by one presentation of factors, or none. AuthorizationNotFound, AuthorizationExpired: one has ended meanwhile."""

    async def reject(self, person_id: str, authorization_ids: Sequence[str]) -> None:
        """Refuses them; needs no factors."""

    async def decided(self, person_id: str, *, after: str, limit: int) -> Sequence[Authorization]:
        """Those that were decided, spent, or ended otherwise, newest first, from behind the one of that id."""


class Approving(Protocol):
    """Four eyes: what awaits a person's word."""

    async def awaiting(self, person_id: str) -> Sequence[Approval]:
        """Those whose next step the person may decide, oldest first."""

    async def decide(self, approval_id: str, person_id: str, decision: Decision, comment: str, factors: Sequence[Factor]) -> None:
        """The person's statement on the next step. ApprovalNotFound, ApprovalEnded, RoleRefused: not theirs to decide (any more)."""

    def purpose(self, approval: Approval, decision: Decision) -> bytes:
        """What factors for this decision are given for: SHA-256, 32 bytes."""
