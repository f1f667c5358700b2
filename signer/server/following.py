"""What each room does when another daemon on the same database changed something: mostly, it forgets what it remembered.

| notes                                      | who follows                 | what it does                                       |
|--------------------------------------------|-----------------------------|----------------------------------------------------|
| client-set, school-set                     | clients and schools         | read anew; callers that lost their right are stopped |
| quota-set                                  | quotas                      | limits read anew                                   |
| person-…, role-…, delegation-…             | people                      | forget                                             |
| credential-…, certificate-…, key-destroyed | credentials of the store    | forget the one                                     |
| image-…                                    | images                      | forget the school's                                |
| calendar-set                               | register of records         | forget calendars                                   |
| trust-changed                              | CAs                         | look at the files at once                          |
| pin-held, pin-released, token-…            | the token's workers         | do the same here                                   |
| factors-set, passkey-…                     | the page for people         | sign the person out                                |
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from signer.errors import PinHeld, Reason, SignerError
from signer.journal import NoteKind
from signer.journal.feed import Feed, Heard
from signer.pipeline.engine import Engine
from signer.server.rooms import Rooms
from signer.telemetry.logs import get_logger
from signer.tokens.pool import TokenPool

_log = get_logger(__name__)
_PEOPLE: Final = frozenset(
    {
        NoteKind.PERSON_ADDED,
        NoteKind.PERSON_CHANGED,
        NoteKind.ROLE_GIVEN,
        NoteKind.ROLE_CHANGED,
        NoteKind.DELEGATION_MADE,
        NoteKind.DELEGATION_CHANGED,
    }
)
_CREDENTIALS: Final = frozenset(
    {NoteKind.CERTIFICATE_IMPORTED, NoteKind.CREDENTIAL_RENEWED, NoteKind.CREDENTIAL_STATE_SET, NoteKind.KEY_DESTROYED}
)
_FACTORS: Final = frozenset({NoteKind.FACTORS_SET, NoteKind.PASSKEY_ADDED, NoteKind.PASSKEY_REMOVED})
_REFUSED: Final = frozenset({Reason.PIN_HELD.value, Reason.PIN_LOCKED.value})
"""By the token; that a PIN's source can't be read is the one daemon's trouble."""
_TOKENS: Final = frozenset({NoteKind.PIN_HELD, NoteKind.PIN_RELEASED, NoteKind.TOKEN_PAUSED, NoteKind.TOKEN_RESUMED})


class Following:
    """Every room but the page, which may not be open."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._pools = PoolFollower(rooms.engine, rooms.pools)

    def follow(self, feed: Feed) -> None:
        """From the feed's next look on."""
        feed.follow({NoteKind.CLIENT_SET, NoteKind.SCHOOL_SET}, self._read_clients)
        feed.follow({NoteKind.QUOTA_SET}, self._read_quotas)
        feed.follow(_PEOPLE, self._forget_people)
        feed.follow(_CREDENTIALS, self._forget_credentials)
        feed.follow({NoteKind.IMAGE_SET, NoteKind.IMAGE_DELETED}, self._forget_images)
        feed.follow({NoteKind.CALENDAR_SET}, self._forget_calendars)
        feed.follow({NoteKind.TRUST_CHANGED}, self._refresh_trust)
        feed.follow(_TOKENS, self._pools.hear)

    async def _read_clients(self, _notes: Sequence[Heard]) -> None:
        await self._rooms.calling.clients.refresh()

    async def _read_quotas(self, _notes: Sequence[Heard]) -> None:
        await self._rooms.calling.keeping.refresh()

    async def _forget_people(self, _notes: Sequence[Heard]) -> None:
        self._rooms.people.people.forget()

    async def _forget_credentials(self, notes: Sequence[Heard]) -> None:
        kept = self._rooms.engine.kept
        for note in notes:
            if kept is not None:
                kept.forget(note.subject)

    async def _forget_images(self, notes: Sequence[Heard]) -> None:
        for note in notes:
            self._rooms.images.forget(str(note.detail.get("school", "")))

    async def _forget_calendars(self, _notes: Sequence[Heard]) -> None:
        self._rooms.governing.register.store.forget_calendars()

    async def _refresh_trust(self, _notes: Sequence[Heard]) -> None:
        self._rooms.believing.refresh()


def follow_factors(feed: Feed, sign_out: Callable[[str], None]) -> None:
    """The page's: whoever holds a session of the person may have it by the factor that was just changed."""

    async def hear(notes: Sequence[Heard]) -> None:
        for person_id in {note.subject for note in notes}:
            sign_out(person_id)

    feed.follow(_FACTORS, hear)


class PoolFollower:
    """What happened to a token with another daemon holds for its workers here: a refused PIN is the token's, a pause the operator's."""

    def __init__(self, engine: Engine, pools: Mapping[str, TokenPool]) -> None:
        self._engine = engine
        self._pools = pools

    async def hear(self, notes: Sequence[Heard]) -> None:
        """In order. What takes a login's time goes on by itself."""
        for note in notes:
            pool = self._pools.get(note.subject)
            if pool is not None:
                _log.warning("followed another daemon", note=note.kind.value, token=pool.name)
                self._follow(note, pool)

    def _follow(self, note: Heard, pool: TokenPool) -> None:
        workers = pool.workers
        if note.kind is NoteKind.PIN_HELD and note.detail.get("reason") in _REFUSED:
            workers.refuse(PinHeld("another daemon's login was refused; look at the PIN's source, then: signer tokens release-pin"))
        elif note.kind is NoteKind.PIN_RELEASED:
            self._engine.start_task(try_release(pool, allow_final_try=bool(note.detail.get("allow-final-try"))))
        elif note.kind is NoteKind.TOKEN_PAUSED and workers.pause_reason is None:
            self._engine.start_task(workers.pause(str(note.detail.get("reason", ""))))
        elif note.kind is NoteKind.TOKEN_RESUMED:
            workers.resume()


async def try_release(pool: TokenPool, *, allow_final_try: bool) -> None:
    """One more login of a held token, whatever comes of it."""
    with contextlib.suppress(SignerError):  # held again: the token's state says so
        await pool.workers.release(allow_final_try=allow_final_try)
