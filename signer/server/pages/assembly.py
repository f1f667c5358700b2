from __future__ import annotations

import time
from collections.abc import Callable

from signer.config.pages import PagesSettings
from signer.server.pages.account import AccountPages
from signer.server.pages.approvals import ApprovalPages
from signer.server.pages.checking import Checking
from signer.server.pages.door import PagesDoor
from signer.server.pages.doors import PageRooms
from signer.server.pages.first_visit import FirstVisitPages
from signer.server.pages.sessions import Sessions
from signer.server.pages.sign_in import SignInPages
from signer.server.pages.signed import SignedPages
from signer.server.pages.views import Views
from signer.server.pages.waiting import WaitingPages
from signer.telemetry.metrics import Metrics

_MINUTE_S = 60.0
_HOUR_S = 3600.0


def pages_door(settings: PagesSettings, rooms: PageRooms, metrics: Metrics, now_s: Callable[[], float] = time.monotonic) -> PagesDoor:
    """The page of a configuration, not open yet. Raises ConfigError for TLS files that can't be used. now_s: the sessions' clock."""
    views = Views()
    sessions = Sessions(settings.idle_minutes * _MINUTE_S, settings.session_hours * _HOUR_S, settings.sessions_max, now_s)
    checking = Checking(settings.address_tries_per_minute_max)
    sign_in = SignInPages(views, sessions, checking, rooms.factors, rooms.people)
    routes = {
        **FirstVisitPages(views, sessions, checking, rooms.enrolling, settings.name).routes(),
        **WaitingPages(views, checking, rooms.factors, rooms.deciding, rooms.approving, rooms.names).routes(),
        **ApprovalPages(views, checking, rooms.factors, rooms.approving, rooms.names).routes(),
        **SignedPages(views, rooms.deciding, rooms.names).routes(),
        **AccountPages(views, sessions, checking, rooms.factors).routes(),
    }
    return PagesDoor(settings, sign_in, routes, metrics)
