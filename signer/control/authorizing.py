"""A holder allows an exact list (CSC v2: credentials/authorize): by factors given here, or on their own page.

The row keeps all that was allowed, sealed; the SAD is made from it whenever it is asked for by whom it belongs to, and kept nowhere.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from signer.access import sad as sads
from signer.access.appliance_keys import ApplianceKeys
from signer.control.challenges import Challenge
from signer.control.factors import Factors
from signer.control.targets import opened_items, opened_target, sealed_items, sealed_target
from signer.errors import AuthorizationExpired, AuthorizationNotFound, InvalidArgument, JournalDamaged, RoleRefused
from signer.journal.authorizations import AuthorizationFilter, AuthorizationRow, AuthorizationStore, Enclosed
from signer.model import Role
from signer.people.approval import ApprovalKind
from signer.people.authorization import Authorization, AuthorizationState, AuthorizationTarget
from signer.people.doors import FourEyes, Rights
from signer.people.factor import Factor, FactorKind
from signer.people.person import Right
from signer.store.times import microseconds

_ID_BYTES: Final = 16
_POLL_S: Final = 1.0
_PENDING_MAX: Final = 200
_DECIDED: Final = tuple(state for state in AuthorizationState if state is not AuthorizationState.PENDING)
_WITH_SAD: Final = (AuthorizationState.GRANTED, AuthorizationState.SPENT)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller asks a holder for.

    holder: the person whose key it is; empty for an organisation's, which whoever has the target's role at the school may allow.
    entries: where the list came whole.
    """

    target: AuthorizationTarget
    client_id: str
    person_id: str
    holder: str
    entries: Sequence[bytes] = ()
    lifetime: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Times:
    """sad_max: how long a SAD may wait. decide_max: how long a holder may take."""

    sad_max: timedelta
    decide_max: timedelta


class Authorizing:
    """All of it. Owned by the event loop; every method raises JournalUnavailable when the store can't be asked.

    four_eyes: None asks nobody else.
    """

    def __init__(
        self,
        store: AuthorizationStore,
        factors: Factors,
        rights: Rights,
        *,
        keys: ApplianceKeys,
        times: Times,
        utc_now: Callable[[], datetime],
    ) -> None:
        self.store = store
        self._factors = factors
        self._rights = rights
        self._keys = keys
        self._times = times
        self._utc_now = utc_now
        self._changed = asyncio.Condition()
        self.four_eyes: FourEyes | None = None

    async def authorize(self, wanted: Wanted, factors: Sequence[Factor]) -> tuple[bytes, Authorization]:
        """A SAD for exactly what is wanted.

        Raises InvalidArgument (not enough factors), FactorsRefused, or RoleRefused: who the person is, is known by then.
        """
        target = wanted.target
        bound = _bound(target)
        may = wanted.holder in ("", wanted.person_id)
        kinds = await self._factors.require(wanted.person_id, factors, target.role, bound, may=may)
        await self._require_role(wanted)
        now = self._utc_now()
        row = self._row(wanted, AuthorizationState.GRANTED, now, now + self._lifetime(wanted))
        await self._spend_approval(target, row.id)
        row = replace(row, decided=now, factors=kinds, detail=_granted(row.detail, kinds))
        await self.store.add(row, self._enclosed(row.id, wanted, shown=False))
        return self._mint(row), self._authorization(row, target)

    async def challenge(self, person_id: str, target: AuthorizationTarget) -> Challenge:
        """For an assertion that allows exactly this; also for unknown people."""
        return await self._factors.challenge(person_id, _bound(target))

    async def request(self, wanted: Wanted, request_id: str, decide_within: timedelta) -> Authorization:
        """A pending one, which its holder sees on the page; the same again returns it. RequestIdReused for another of this id."""
        _require_somebodys(wanted)
        now = self._utc_now()
        within = min(decide_within or self._times.decide_max, self._times.decide_max)
        row = replace(self._row(wanted, AuthorizationState.PENDING, now, now + within), request_id=request_id)
        kept = await self.store.add(row, self._enclosed(row.id, wanted, shown=True))
        return (await self._authorizations([kept]))[0]

    async def find(self, school_id: str, authorization_id: str) -> Authorization:
        """A school's authorisation, as it is now. AuthorizationNotFound."""
        return (await self._authorizations([await self._required(school_id, authorization_id)]))[0]

    async def sad(self, client_id: str, authorization_id: str) -> bytes:
        """Its SAD, for the client that asked for it, once it is granted; else empty."""
        row = await self.store.find(authorization_id)
        good = row is not None and row.client_id == client_id and row.state_at(self._utc_now()) in _WITH_SAD
        return self._mint(row) if row is not None and good else b""

    async def watch(self, school_id: str, authorization_id: str, check: Callable[[], None]) -> AsyncIterator[Authorization]:
        """The authorisation whenever its state is another, until it is decided or over, or `check` raises why not to go on."""
        last: AuthorizationState | None = None
        while True:
            check()
            found = await self.find(school_id, authorization_id)
            if found.state is not last:
                last = found.state
                yield found
            if last is not AuthorizationState.PENDING:
                return
            async with self._changed:  # another daemon on this database tells nobody here: look again after a while
                try:
                    await asyncio.wait_for(self._changed.wait(), _POLL_S)
                except TimeoutError:
                    continue

    async def page(self, wanted: AuthorizationFilter, limit: int) -> list[Authorization]:
        """Up to `limit` of them, newest first."""
        return await self._authorizations(await self.store.page(wanted, self._utc_now(), limit))

    async def revoke(self, client_id: str, school_id: str, authorization_id: str, reason: str) -> Authorization:
        """Ends it; items whose key is in use are finished. Idempotent."""
        row = await self._required(school_id, authorization_id)
        revoked = await self.store.revoke(row.id, {"client": client_id, "school": school_id, "reason": reason})
        await self._tell()
        return (await self._authorizations([revoked]))[0]

    async def waiting(self, person_id: str) -> list[Authorization]:
        """Pending ones of this holder, oldest first, with the items to show."""
        pending = AuthorizationFilter(person_id=person_id, states=(AuthorizationState.PENDING,))
        rows = await self.store.page(pending, self._utc_now(), _PENDING_MAX)
        return [await self._shown(row) for row in reversed(rows)]

    def purpose(self, authorizations: Sequence[Authorization]) -> bytes:
        """What factors for granting exactly these are given for: SHA-256, 32 bytes."""
        each = sorted(_purpose_part(one.id, sads.target_sha256(one.target, one.shown_sha256)) for one in authorizations)
        return sha256(b"signer grant" + b"".join(each)).digest()

    async def grant(self, person_id: str, authorization_ids: Sequence[str], factors: Sequence[Factor]) -> None:
        """Grants all, by one presentation of factors, or none of them where one can't be.

        AuthorizationNotFound, AuthorizationExpired: one is not the person's to grant, or not any more.
        """
        rows = await self._pending(person_id, authorization_ids)
        if not rows:
            raise InvalidArgument("name what is granted", field="authorization_ids")
        found = await self._authorizations(rows)
        for role in {one.target.role for one in found}:
            self._factors.require_enough(factors, role)
        kinds = await self._factors.require(person_id, factors, found[0].target.role, self.purpose(found))
        for one in found:
            await self._require_held(person_id, one.target)
        for one in found:
            await self._spend_approval(one.target, one.id)
        details = {one.id: _granted(_detail(one.target, one.client_id, person_id, one.shown_sha256), kinds) for one in found}
        await self.store.decide(details, AuthorizationState.GRANTED, kinds)
        await self._tell()

    async def reject(self, person_id: str, authorization_ids: Sequence[str]) -> None:
        """Refuses them; needs no factors."""
        rows = await self._pending(person_id, authorization_ids)
        details = {row.id: {"school": row.school_id, "person": person_id, "client": row.client_id} for row in rows}
        await self.store.decide(details, AuthorizationState.REJECTED, frozenset())
        await self._tell()

    async def decided(self, person_id: str, *, after: str, limit: int) -> list[Authorization]:
        """Those that were decided, spent, or ended otherwise, newest first, from behind the one of that id."""
        last = await self.store.find(after) if after else None
        before = (microseconds(last.created), last.id) if last else None
        return await self.page(AuthorizationFilter(person_id=person_id, states=_DECIDED, before=before), limit)

    async def _spend_approval(self, target: AuthorizationTarget, authorization_id: str) -> None:
        """Seals above a count are several people's to allow. ApprovalRequired, ApprovalEnded; nothing was granted then."""
        if self.four_eyes is None or target.role is not Role.CLERK:
            return
        kind, count = ApprovalKind.SEAL_ABOVE_COUNT, target.list.count
        approval = await self.four_eyes.require(kind, target.school_id, target.credential_id, target.approval_ids, count=count)
        if approval is not None:
            await self.four_eyes.use(approval, authorization_id)

    async def documents(self, person_id: str, authorization_id: str) -> list[str]:
        """The ids of what was signed under a person's authorisation, in order. AuthorizationNotFound."""
        row = await self.store.find(authorization_id)
        if row is None or row.person_id != person_id:
            raise _not_found(authorization_id)
        return sorted((await self.store.used(row.id)).values())

    async def _pending(self, person_id: str, authorization_ids: Sequence[str]) -> list[AuthorizationRow]:
        rows: list[AuthorizationRow] = []
        for authorization_id in dict.fromkeys(authorization_ids):
            row = await self.store.find(authorization_id)
            if row is None or row.person_id != person_id:
                raise _not_found(authorization_id)
            if row.state_at(self._utc_now()) is not AuthorizationState.PENDING:
                raise AuthorizationExpired("this was decided or has ended meanwhile", authorization=row.id)
            rows.append(row)
        return rows

    async def _require_role(self, wanted: Wanted) -> None:
        _require_somebodys(wanted)
        await self._require_held(wanted.person_id, wanted.target)

    async def _require_held(self, person_id: str, target: AuthorizationTarget) -> None:
        """That the person has the role at the school; for which classes, each record says when it is signed."""
        if target.role is None:
            return
        held = await self._rights.held(person_id, self._utc_now())
        if not any(_fits(right, target) for right in held):
            raise RoleRefused(f"{person_id} has not the role {target.role.value} at this school", person=person_id, role=target.role.value)

    async def _required(self, school_id: str, authorization_id: str) -> AuthorizationRow:
        row = await self.store.find(authorization_id)
        if row is None or row.school_id != school_id:
            raise _not_found(authorization_id)
        return row

    async def _authorizations(self, rows: Sequence[AuthorizationRow]) -> list[Authorization]:
        counts = await self.store.count_used([row.id for row in rows]) if rows else {}
        return [self._authorization(row, opened_target(self._keys, row.id, row.target), counts.get(row.id, 0)) for row in rows]

    async def _shown(self, row: AuthorizationRow) -> Authorization:
        items = opened_items(self._keys, row.id, await self.store.shown(row.id))
        target = opened_target(self._keys, row.id, row.target, items)
        if sads.presentation_sha256(target.presentation) != row.shown_sha256:
            raise JournalDamaged("what is to be shown is not what was asked for: the database was changed")
        return self._authorization(row, target)

    def _authorization(self, row: AuthorizationRow, target: AuthorizationTarget, signed_count: int = 0) -> Authorization:
        return Authorization(
            id=row.id,
            target=target,
            state=row.state_at(self._utc_now()),
            person_id=row.person_id,
            client_id=row.client_id,
            created=row.created,
            expires=row.expires,
            signed_count=signed_count,
            spent_by=row.spent_by,
            factors=row.factors,
            decided=row.decided,
            request_id=row.request_id,
            lifetime=row.lifetime,
            shown_sha256=row.shown_sha256,
        )

    def _row(self, wanted: Wanted, state: AuthorizationState, now: datetime, expires: datetime) -> AuthorizationRow:
        target, authorization_id = wanted.target, f"au-{secrets.token_hex(_ID_BYTES)}"
        shown_sha256 = sads.presentation_sha256(target.presentation)
        return AuthorizationRow(
            id=authorization_id,
            school_id=target.school_id,
            credential_id=target.credential_id,
            person_id=wanted.person_id,
            client_id=wanted.client_id,
            state=state,
            request_id="",
            target=sealed_target(self._keys, authorization_id, target),
            target_sha256=sads.target_sha256(target, shown_sha256),
            shown_sha256=shown_sha256,
            created=now,
            decided=None,
            expires=expires,
            lifetime=self._lifetime(wanted),
            detail=_detail(target, wanted.client_id, wanted.person_id, shown_sha256),
        )

    def _enclosed(self, authorization_id: str, wanted: Wanted, *, shown: bool) -> Enclosed:
        items = sealed_items(self._keys, authorization_id, wanted.target.presentation.items) if shown else b""
        return Enclosed(len(wanted.entries[0]) if wanted.entries else 0, b"".join(wanted.entries), items)

    def _lifetime(self, wanted: Wanted) -> timedelta:
        return min(wanted.lifetime or self._times.sad_max, self._times.sad_max)

    def _mint(self, row: AuthorizationRow) -> bytes:
        signable = opened_target(self._keys, row.id, row.target).list
        sad = sads.Sad(
            authorization_id=row.id,
            target_sha256=row.target_sha256,
            list_sha256=signable.sha256,
            list_count=signable.count,
            school_id=row.school_id,
            credential_id=row.credential_id,
            client_id=row.client_id,
            expires_us=microseconds(row.expires),
        )
        return sads.mint(self._keys, sad)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _bound(target: AuthorizationTarget) -> bytes:
    return sads.target_sha256(target, sads.presentation_sha256(target.presentation))


def _purpose_part(authorization_id: str, target_sha256: bytes) -> bytes:
    return sha256(authorization_id.encode()).digest() + target_sha256


def _require_somebodys(wanted: Wanted) -> None:
    """InvalidArgument for an organisation's key without a role: nobody could say whose word that takes."""
    if not wanted.holder and wanted.target.role is None:
        raise InvalidArgument("an organisation's key is allowed in a role: the plan needs its record part", field="target.plan.record")


def _fits(right: Right, target: AuthorizationTarget) -> bool:
    delegation_id = right.delegation.id if right.delegation else ""
    at_school = right.assignment.scope.school_id in ("", target.school_id)
    return right.role is target.role and at_school and delegation_id == target.delegation_id


def _detail(target: AuthorizationTarget, client_id: str, person_id: str, shown_sha256: bytes) -> dict[str, str | int]:
    """What the journal says of it: identifiers, counts and digests, and the class; the words shown stand there as their digest."""
    return {
        "school": target.school_id,
        "credential": target.credential_id,
        "person": person_id,
        "client": client_id,
        "class": target.presentation.class_name,
        "role": target.role.value if target.role else "",
        "delegation": target.delegation_id,
        "count": target.list.count,
        target.list.binding.value: target.list.sha256.hex(),
        "plan": target.plan_sha256.hex(),
        "shown": shown_sha256.hex(),
        "pupils": target.presentation.pupil_list_sha256.hex(),
        "target": sads.target_sha256(target, shown_sha256).hex(),
    }


def _granted(detail: Mapping[str, str | int], kinds: frozenset[FactorKind]) -> dict[str, str | int]:
    return {**detail, "factors": ",".join(sorted(kind.value for kind in kinds))}


def _not_found(authorization_id: str) -> AuthorizationNotFound:
    return AuthorizationNotFound(f"no authorisation {authorization_id!r}", authorization=authorization_id)
