"""What pages of whoever is signed in have in common."""

from __future__ import annotations

from collections.abc import Awaitable

from signer.control.challenges import Challenge
from signer.errors import InternalError, NotServedYet, QuotaExceeded
from signer.people.person import Person
from signer.server.pages.views import Visit


def person_of(visit: Visit) -> Person:
    """Who is signed in, on a route that needs a person."""
    if visit.session is None:
        raise InternalError("the route lets only people in who are signed in")
    return visit.session.person


async def challenge_or_none(asked: Awaitable[Challenge]) -> Challenge | None:
    """A challenge, or None where no passkey can be used now: the page then asks for PIN and one-time password alone."""
    try:
        return await asked
    except (NotServedYet, QuotaExceeded):
        return None
