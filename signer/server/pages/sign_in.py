"""Signing in and out. Each signing-in begins a session under a new name; whoever is refused learns nothing of why."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from http import HTTPStatus

from signer.errors import FactorsRefused, InvalidArgument
from signer.people.person import Person
from signer.server.pages.checking import Checking
from signer.server.pages.doors import Factors, People
from signer.server.pages.person import challenge_or_none
from signer.server.pages.routes import Needs, Route, Routes
from signer.server.pages.sessions import Sessions
from signer.server.pages.views import Answer, Views, Visit, redirect

_PURPOSE = b"signer page: sign in\0"


@dataclass(frozen=True, slots=True)
class SignInPages:
    """What is done before anybody is known."""

    views: Views
    sessions: Sessions
    checking: Checking
    factors: Factors
    people: People

    def routes(self) -> Routes:
        """Under /sign-in, and /sign-out."""
        return {
            "/sign-in": Route(Needs.NOBODY, self.ask, self._take),
            "/sign-in/passkey": Route(Needs.NOBODY, self.ask, self._ask_passkey),
            "/sign-out": Route(Needs.NOBODY, self.ask, self._leave),
        }

    async def ask(self, visit: Visit) -> Answer:
        """The form; also in place of a page that needs a person."""
        place = visit.place if visit.path.rstrip("/") not in self.routes() else "/"
        return self.views.page(visit, "sign_in", person_id="", place=place)

    async def _ask_passkey(self, visit: Visit) -> Answer:
        person_id, place = visit.form.person_id(), _own(visit.form.text("place"))
        with self.checking.turn(visit.account, person_id):
            challenge = await challenge_or_none(self.factors.challenge(person_id, _purpose(visit)))
        if challenge is None:
            return self._again(visit, HTTPStatus.SERVICE_UNAVAILABLE, "sign_in.no_passkeys")
        return self.views.page(visit, "sign_in_passkey", person_id=person_id, place=place, challenge=challenge)

    async def _take(self, visit: Visit) -> Answer:
        person_id, place = visit.form.person_id(), _own(visit.form.text("place"))
        try:
            with self.checking.turn(visit.account, person_id):
                person = await self._known(person_id, visit)
        except FactorsRefused as refused:
            return self._again(visit, HTTPStatus.FORBIDDEN, "sign_in.refused", refused.retry_after_s)
        except InvalidArgument:
            return self._again(visit, HTTPStatus.BAD_REQUEST, "factors.too_few")
        self.sessions.close(visit.cookie)
        return redirect(place).with_cookie(self.sessions.open(person))

    def _again(self, visit: Visit, status: HTTPStatus, error: str, wait_s: float | None = None) -> Answer:
        person_id, place = visit.form.text("person_id"), _own(visit.form.text("place"))
        return self.views.page(visit, "sign_in", status, error=error, wait_s=wait_s, person_id=person_id, place=place)

    async def _known(self, person_id: str, visit: Visit) -> Person:
        await self.factors.require(person_id, visit.form.factors(), purpose=_purpose(visit))
        person = await self.people.find(person_id)
        if person is None or person.disabled:
            raise FactorsRefused("no such person")
        return person

    async def _leave(self, visit: Visit) -> Answer:
        self.sessions.close(visit.cookie)
        return redirect("/sign-in").with_cookie("")


def _purpose(visit: Visit) -> bytes:
    """Of this browser's signing-in: another's assertion is of no use."""
    return hashlib.sha256(_PURPOSE + visit.cookie.encode()).digest()


def _own(place: str) -> str:
    """A place on this page, or its first one: nobody is sent elsewhere by a link."""
    return place if place.startswith("/") and not place.startswith(("//", "/\\")) and place.isprintable() and place.isascii() else "/"
