"""A person's own factors: another PIN, passkeys. Each change takes the present factors, and signs every other browser out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from signer.control.passkeys import Attestation
from signer.errors import FactorsRefused, InvalidArgument
from signer.server.pages.checking import Checking
from signer.server.pages.doors import Factors
from signer.server.pages.person import challenge_or_none, person_of
from signer.server.pages.routes import Needs, Route, Routes
from signer.server.pages.sessions import Sessions
from signer.server.pages.views import Answer, Views, Visit, redirect

_LABEL_CHARACTERS_MAX = 60


@dataclass(frozen=True, slots=True)
class AccountPages:
    """One page with a form for each change."""

    views: Views
    sessions: Sessions
    checking: Checking
    factors: Factors

    def routes(self) -> Routes:
        """/account and what is under it."""
        return {
            "/account": Route(Needs.PERSON, self._show),
            "/account/pin": Route(Needs.PERSON, self._show, self._change_pin),
            "/account/passkey": Route(Needs.PERSON, self._show, self._add_passkey),
            "/account/passkey/remove": Route(Needs.PERSON, self._show, self._remove_passkey),
        }

    async def _show(self, visit: Visit, status: HTTPStatus = HTTPStatus.OK, error: str = "", wait_s: float | None = None) -> Answer:
        person = person_of(visit)
        passkeys, challenge = await self.factors.passkeys(person.id), await challenge_or_none(self.factors.begin_passkey(person.id))
        return self.views.page(visit, "account", status, error=error, wait_s=wait_s, passkeys=passkeys, challenge=challenge)

    async def _change_pin(self, visit: Visit) -> Answer:
        pin = visit.form.secret("new_pin")
        if pin != visit.form.secret("new_pin_again"):
            return await self._show(visit, HTTPStatus.BAD_REQUEST, error="pin.differ")
        change = partial(self.factors.change_pin, person_of(visit).id, visit.form.factors(), pin)
        return await self._done(visit, change, "account.pin_changed", unfit="pin.unfit")

    async def _add_passkey(self, visit: Visit) -> Answer:
        form = visit.form
        attestation = Attestation(
            form.text("challenge_id"), form.text("label")[:_LABEL_CHARACTERS_MAX], form.octets("client_data"), form.octets("attestation")
        )
        change = partial(self.factors.add_passkey, person_of(visit).id, form.factors(), attestation)
        return await self._done(visit, change, "account.passkey_added", unfit="account.passkey_unfit")

    async def _remove_passkey(self, visit: Visit) -> Answer:
        change = partial(self.factors.remove_passkey, person_of(visit).id, visit.form.factors(), visit.form.octets("removed"))
        return await self._done(visit, change, "account.passkey_removed", unfit="account.passkey_unfit")

    async def _done(self, visit: Visit, change: Callable[[], Awaitable[None]], notice: str, unfit: str) -> Answer:
        person = person_of(visit)
        try:
            with self.checking.turn(visit.account, person.id):
                await change()
        except FactorsRefused as refused:
            return await self._show(visit, HTTPStatus.FORBIDDEN, error="review.refused", wait_s=refused.retry_after_s)
        except InvalidArgument:
            return await self._show(visit, HTTPStatus.BAD_REQUEST, error=unfit)
        self.sessions.close_others(person.id, visit.cookie)
        if visit.session is not None:
            visit.session.notice = notice
        return redirect("/account")
