"""What the rooms of sole control ask of one another and the pipeline asks of them, as Protocols: wired by `server.rooms`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from signer.model import Role
from signer.people.approval import Approval, ApprovalKind
from signer.people.authorization import AuthorizationTarget, ListProof
from signer.people.factor import Factor, FactorKind
from signer.people.person import Person, Right, Scope


class Rights(Protocol):
    """Who has which role (`control.people`)."""

    async def find(self, person_id: str) -> Person | None:
        """The person; None when there is none."""

    async def require(self, person_id: str, role: Role, scope: Scope, at: datetime, delegation_id: str = "") -> Right:
        """That the person may act so, in their own name or under the delegation. RoleRefused otherwise, also for unknown people."""

    async def held(self, person_id: str, at: datetime) -> Sequence[Right]:
        """All that the person may do now."""


class FactorCheck(Protocol):
    """Whether it is the person (`control.factors`)."""

    async def require(
        self, person_id: str, factors: Sequence[Factor], role: Role | None = None, purpose: bytes = b"", *, may: bool = True
    ) -> frozenset[FactorKind]:
        """The kinds that were right, enough by the role's policy. purpose: SHA-256 of what they are given for; binds a WebAuthn assertion.

        may: False refuses whatever is given, as if it were wrong. Raises InvalidArgument for kinds that are never enough; FactorsRefused
        otherwise: unknown, locked, wrong, used before, all alike and after the same time. A one-time factor is spent by success and by
        failure; wrong ones count towards the lock.
        """


class FourEyes(Protocol):
    """Whether several people allowed an act (`control.approvals`)."""

    async def require(
        self,
        kind: ApprovalKind,
        school_id: str,
        subject: str,
        approval_ids: Sequence[str],
        *,
        parameters: Mapping[str, str] | None = None,
        count: int = 0,
    ) -> Approval | None:
        """The granted, unused approval that covers the act; None where the policy asks for none. ApprovalRequired otherwise."""

    async def use(self, approval: Approval, by: str) -> None:
        """Spends it, atomically: of two at once one gets ApprovalEnded. by: the request or person, for the journal."""


class Presented(Protocol):
    """A SAD that was presented with a request, believed and bound to it; for one request's items."""

    @property
    def authorization_id(self) -> str:
        """Which one it is."""

    @property
    def person_id(self) -> str:
        """Who allowed it."""

    def require(self, entry: bytes, document_id: str, proof: ListProof | None = None) -> None:
        """DocumentNotAuthorized unless the list covers the entry; AuthorizationExhausted when it was signed as another document.

        proof: that it is in the list, where no entries came along.
        """


class Activation(Protocol):
    """What makes a holder's key usable (`control.activation`)."""

    async def present(
        self, sad: bytes, entries: Sequence[bytes], target: AuthorizationTarget, client_id: str, request_id: str
    ) -> Presented:
        """Believes and spends a SAD for a request; the same request may present it again.

        AuthorizationRequired, AuthorizationInvalid (forged, foreign, of other content), AuthorizationExpired or AuthorizationSpent (by
        another request): no key was used. target: what the request is about; what of `list` and `presentation` it can't know is left out.
        """
