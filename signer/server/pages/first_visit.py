"""The first visit: one-time code → PIN → authenticator app → signed in. Nothing is kept before the last step, which spends the code."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

import segno
from markupsafe import Markup

from signer.access import totp
from signer.errors import FactorsRefused, InternalError, InvalidArgument
from signer.secrets import Secret
from signer.server.pages.checking import Checking
from signer.server.pages.doors import Enrolling
from signer.server.pages.routes import Needs, Route, Routes
from signer.server.pages.sessions import FirstVisit, Session, Sessions
from signer.server.pages.views import Answer, Views, Visit, redirect

_GROUP = 4


@dataclass(frozen=True, slots=True)
class FirstVisitPages:
    """issuer: under which authenticator apps list the one-time passwords."""

    views: Views
    sessions: Sessions
    checking: Checking
    enrolling: Enrolling
    issuer: str

    def routes(self) -> Routes:
        """Under /first."""
        return {
            "/first": Route(Needs.NOBODY, self._code, self._take_code),
            "/first/pin": Route(Needs.FIRST_VISIT, self._pin, self._take_pin),
            "/first/totp": Route(Needs.FIRST_VISIT, self._totp, self._take_totp),
        }

    async def _code(self, visit: Visit) -> Answer:
        return self.views.page(visit, "first_code", person_id="")

    async def _take_code(self, visit: Visit) -> Answer:
        person_id, code = visit.form.person_id(), Secret(visit.form.text("code"))
        try:
            with self.checking.turn(visit.account, person_id):
                person = await self.enrolling.look(person_id, code)
        except FactorsRefused:
            return self.views.page(
                visit, "first_code", HTTPStatus.FORBIDDEN, error="first.code_refused", person_id=visit.form.text("person_id")
            )
        name = self.sessions.open(person, FirstVisit(code, totp.new_seed()))
        return redirect("/first/pin").with_cookie(name)

    async def _pin(self, visit: Visit) -> Answer:
        return self.views.page(visit, "first_pin")

    async def _take_pin(self, visit: Visit) -> Answer:
        _, first = _under_way(visit)
        pin, again = visit.form.secret("new_pin"), visit.form.secret("new_pin_again")
        if pin != again:
            return self.views.page(visit, "first_pin", HTTPStatus.BAD_REQUEST, error="pin.differ")
        try:
            self.enrolling.require_fit(pin)
        except InvalidArgument:
            return self.views.page(visit, "first_pin", HTTPStatus.BAD_REQUEST, error="pin.unfit")
        first.pin = pin
        return redirect("/first/totp")

    async def _totp(self, visit: Visit) -> Answer:
        session, first = _under_way(visit)
        if first.pin is None:
            return redirect("/first/pin")
        return self._totp_page(visit, session, first)

    async def _take_totp(self, visit: Visit) -> Answer:
        session, first = _under_way(visit)
        if first.pin is None:
            return redirect("/first/pin")
        code = visit.form.totp()
        try:
            with self.checking.turn(visit.account, session.person.id):
                await self.enrolling.set_factors(session.person.id, first.code, first.pin, first.totp_seed, code)
        except InvalidArgument:
            return self._totp_page(visit, session, first, HTTPStatus.BAD_REQUEST, error="first.totp_refused")
        except FactorsRefused:
            self.sessions.close(visit.cookie)
            return self.views.page(visit, "first_code", HTTPStatus.FORBIDDEN, error="first.code_refused", person_id=session.person.id)
        self.sessions.close(visit.cookie)
        name = self.sessions.open(session.person, notice="first.done")
        return redirect("/").with_cookie(name)

    def _totp_page(self, visit: Visit, session: Session, first: FirstVisit, status: HTTPStatus = HTTPStatus.OK, error: str = "") -> Answer:
        seed = totp.seed_text(first.totp_seed)
        grouped = " ".join(seed[at : at + _GROUP] for at in range(0, len(seed), _GROUP))
        uri = totp.provisioning_uri(first.totp_seed, session.person.id, self.issuer)
        drawn = segno.make(uri, error="m", micro=False).svg_inline(border=4, light="#fff", svgclass="qr", lineclass=None, omitsize=True)
        picture = Markup(drawn)  # noqa: S704 - of squares alone
        return self.views.page(visit, "first_totp", status, error=error, picture=picture, seed=grouped)


def _under_way(visit: Visit) -> tuple[Session, FirstVisit]:
    session = visit.session
    if session is None or session.first_visit is None:
        raise InternalError("the route lets only first visits in")
    return session, session.first_visit
