"""What school software asks for: seen as a list, reviewed whole, then granted by factors given for exactly that, or rejected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from signer.errors import AuthorizationExpired, AuthorizationNotFound, FactorsRefused, InvalidArgument, RoleRefused
from signer.people.authorization import Authorization
from signer.server.pages.checking import Checking
from signer.server.pages.doors import Approving, Deciding, Factors, Names
from signer.server.pages.person import challenge_or_none, person_of
from signer.server.pages.routes import Needs, Route, Routes
from signer.server.pages.views import Answer, Views, Visit, redirect

_AT_ONCE_MAX = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """An authorisation with the names of who asks, and for which school, as we know them."""

    authorization: Authorization
    client_name: str
    school_name: str
    minutes_left: int


@dataclass(frozen=True, slots=True)
class WaitingPages:
    """The first page of whoever is signed in, and the review."""

    views: Views
    checking: Checking
    factors: Factors
    deciding: Deciding
    approving: Approving
    names: Names

    def routes(self) -> Routes:
        """/ and /review."""
        return {
            "/": Route(Needs.PERSON, self._list),
            "/review": Route(Needs.PERSON, self._review, self._decide),
        }

    async def _list(self, visit: Visit) -> Answer:
        person = person_of(visit)
        waiting = await self._asked(await self.deciding.waiting(person.id))
        return self.views.page(visit, "waiting", waiting=waiting, approvals=await self.approving.awaiting(person.id))

    async def _review(self, visit: Visit) -> Answer:
        return await self._review_page(visit, visit.ids)

    async def _decide(self, visit: Visit) -> Answer:
        person, ids = person_of(visit), visit.form.texts("id")
        session = visit.session
        if not ids or len(ids) > _AT_ONCE_MAX:
            raise InvalidArgument("choose some of what waits")
        try:
            if visit.form.text("decision") == "reject":
                await self.deciding.reject(person.id, ids)
            else:
                with self.checking.turn(visit.account, person.id):
                    await self.deciding.grant(person.id, ids, visit.form.factors())
        except FactorsRefused as refused:
            return await self._review_page(visit, ids, HTTPStatus.FORBIDDEN, error="review.refused", wait_s=refused.retry_after_s)
        except InvalidArgument:
            return await self._review_page(visit, ids, HTTPStatus.BAD_REQUEST, error="factors.too_few")
        except RoleRefused:
            return await self._review_page(visit, ids, HTTPStatus.FORBIDDEN, error="review.role_refused")
        except (AuthorizationNotFound, AuthorizationExpired):
            return await self._review_page(visit, ids, HTTPStatus.CONFLICT, error="review.changed")
        if session is not None:
            session.notice = "review.rejected" if visit.form.text("decision") == "reject" else "review.granted"
        return redirect("/")

    async def _review_page(
        self, visit: Visit, ids: Sequence[str], status: HTTPStatus = HTTPStatus.OK, error: str = "", wait_s: float | None = None
    ) -> Answer:
        person = person_of(visit)
        waiting = await self.deciding.waiting(person.id)
        chosen = [each for each in waiting if each.id in ids][:_AT_ONCE_MAX]
        if not chosen:
            if visit.session is not None:
                visit.session.notice = error or "review.gone"
            return redirect("/")
        challenge = None
        if await self.factors.passkeys(person.id):
            challenge = await challenge_or_none(self.factors.challenge(person.id, self.deciding.purpose(chosen), is_known=True))
        asked = await self._asked(chosen)
        return self.views.page(visit, "review", status, error=error, wait_s=wait_s, chosen=asked, challenge=challenge)

    async def _asked(self, authorizations: Sequence[Authorization]) -> list[Asked]:
        now = datetime.now(UTC)
        return [
            Asked(
                each,
                await self.names.client(each.client_id),
                await self.names.school(each.target.school_id),
                max(0, int((each.expires - now).total_seconds() // 60)),
            )
            for each in authorizations
        ]
