"""What proves that it is a person: rows of factors, passkeys and wrong tries. What is sealed in them is opaque here.

A try is counted before its factors are looked at, so that many at once are no more than as many one after the other; a right one takes
the count back. Ids that nobody has are counted alike, and forgotten after a day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from signer.errors import IdTaken
from signer.journal.jobs import Change, Read
from signer.journal.journal import Journal
from signer.journal.ledger import Ledger
from signer.journal.model import NoteKind
from signer.people.factor import FactorKind, FactorsStanding, FactorsState, KeptFactors, Passkey, TryLimits
from signer.store import activation_tables as tables
from signer.store.times import microseconds, moment

_US: Final = 1_000_000
_STRANGERS_REMEMBERED_US: Final = 24 * 3600 * _US
_PASSKEYS_MAX: Final = 10
_IDS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Begun:
    """A try that counts from now on. may_try: False while its person must wait or is locked, whatever it brings. wrong: with this one."""

    may_try: bool
    wrong: int
    factors: KeptFactors | None
    passkeys: tuple[Passkey, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """What a try came to. totp_step, challenge_id: taken by it, whether it was right as a whole or not; None and empty for none.

    counted: whether it was one; False for one that had to wait, whose time must not begin the wait anew.
    """

    person_id: str
    right: bool
    counted: bool = True
    totp_step: int | None = None
    challenge_id: str = ""
    challenge_expires_us: int = 0
    passkey: Passkey | None = None


class FactorStore:
    """The door. Calls are answered when they are durable, or raise JournalUnavailable and have changed nothing."""

    def __init__(self, journal: Journal, limits: TryLimits) -> None:
        self._journal = journal
        self._limits = limits

    async def begin(self, person_id: str) -> Begun:
        """Counts a try."""
        begun: Begun = await self._journal.run(_Begin(asyncio.get_running_loop(), person_id, self._limits))
        return begun

    async def end(self, ended: Ended) -> bool:
        """Whether the try was right and took nothing that another had taken before it."""
        good: bool = await self._journal.run(_End(asyncio.get_running_loop(), ended, self._limits))
        return good

    async def find(self, person_id: str) -> KeptFactors | None:
        """A person's PIN and TOTP."""
        found: KeptFactors | None = await self._run(lambda connection: _factors(connection, person_id))
        return found

    async def change_pin(self, person_id: str, pin: bytes) -> None:
        """Another PIN, sealed."""
        await self._journal.run(_ChangePin(asyncio.get_running_loop(), person_id, pin))

    async def add_passkey(self, passkey: Passkey) -> None:
        """Adds an authenticator. IdTaken when it is somebody's already, or the person has too many."""
        await self._journal.run(_AddPasskey(asyncio.get_running_loop(), passkey))

    async def remove_passkey(self, person_id: str, passkey_id: bytes) -> None:
        """Forgets an authenticator of the person, if it is theirs."""
        await self._journal.run(_RemovePasskey(asyncio.get_running_loop(), person_id, passkey_id))

    async def unlock(self, person_id: str, how: Mapping[str, str | int]) -> None:
        """Forgets wrong tries."""
        await self._journal.run(_Unlock(asyncio.get_running_loop(), person_id, how))

    async def passkeys_of(self, person_id: str) -> tuple[Passkey, ...]:
        """A person's authenticators."""
        found: tuple[Passkey, ...] = await self._run(lambda connection: _passkeys(connection, person_id))
        return found

    async def standings(self, person_ids: Collection[str], now_us: int) -> dict[str, FactorsStanding]:
        """Where the factors of each of these people are."""
        found: dict[str, FactorsStanding] = {}
        ids = list(person_ids)
        for start in range(0, len(ids), _IDS_AT_ONCE):
            some = ids[start : start + _IDS_AT_ONCE]
            found |= await self._run(lambda connection, some=some: _standings(connection, some, now_us, self._limits))
        return found

    async def _run(self, query: Any) -> Any:
        return await self._journal.run(Read(asyncio.get_running_loop(), query))


class _Begin(Change):
    __slots__ = ("limits", "person_id")

    def __init__(self, loop: asyncio.AbstractEventLoop, person_id: str, limits: TryLimits) -> None:
        super().__init__(loop)
        self.person_id = person_id
        self.limits = limits

    def apply(self, connection: Connection, ledger: Ledger) -> Begun:
        tries = tables.factor_tries
        row = connection.execute(select(tries).where(tries.c.person_id == self.person_id)).one_or_none()
        factors = _factors(connection, self.person_id)
        if row is not None and self._must_wait(row, ledger.now_us):
            # Written all the same, so that it takes as long.
            connection.execute(update(tries).where(tries.c.person_id == self.person_id).values(wrong=tries.c.wrong))
            return Begun(may_try=False, wrong=row.wrong, factors=factors)
        wrong = 1 if row is None else row.wrong + 1
        _forget_strangers(connection, ledger.now_us)
        connection.execute(delete(tries).where(tries.c.person_id == self.person_id))
        connection.execute(insert(tries).values(person_id=self.person_id, wrong=wrong, last_us=ledger.now_us))
        return Begun(may_try=True, wrong=wrong, factors=factors, passkeys=_passkeys(connection, self.person_id))

    def _must_wait(self, row: Row[Any], now_us: int) -> bool:
        return self.limits.is_locked(row.wrong) or now_us < row.last_us + self.limits.delay_s(row.wrong) * _US


class _End(Change):
    __slots__ = ("ended", "limits")

    def __init__(self, loop: asyncio.AbstractEventLoop, ended: Ended, limits: TryLimits) -> None:
        super().__init__(loop)
        self.ended = ended
        self.limits = limits

    def apply(self, connection: Connection, ledger: Ledger) -> bool:
        ended, tries = self.ended, tables.factor_tries
        taken_first = all([self._take_step(connection), self._take_challenge(connection, ledger.now_us)])
        if ended.right and taken_first:
            if ended.passkey is not None:
                counted = update(tables.passkey).where(tables.passkey.c.passkey_id == ended.passkey.id)
                connection.execute(counted.values(sign_count=ended.passkey.sign_count))
            connection.execute(delete(tries).where(tries.c.person_id == ended.person_id))
            return True
        wrong = connection.execute(select(tries.c.wrong).where(tries.c.person_id == ended.person_id)).scalar() or 0
        last_us = ledger.now_us if ended.counted else tries.c.last_us
        connection.execute(update(tries).where(tries.c.person_id == ended.person_id).values(last_us=last_us))
        if ended.counted and wrong == self.limits.tries_max and _factors(connection, ended.person_id) is not None:
            ledger.note(NoteKind.FACTORS_LOCKED, ended.person_id, {"wrong": wrong})
        return False

    def _take_step(self, connection: Connection) -> bool:
        ended, table = self.ended, tables.person_factor
        if ended.totp_step is None:
            return True
        later = table.c.totp_step < ended.totp_step
        took = connection.execute(update(table).where(table.c.person_id == ended.person_id, later).values(totp_step=ended.totp_step))
        return took.rowcount == 1

    def _take_challenge(self, connection: Connection, now_us: int) -> bool:
        ended, table = self.ended, tables.spent_challenge
        if not ended.challenge_id:
            return True
        connection.execute(delete(table).where(table.c.expires_us < now_us))
        if connection.execute(select(table.c.challenge_id).where(table.c.challenge_id == ended.challenge_id)).first() is not None:
            return False
        connection.execute(insert(table).values(challenge_id=ended.challenge_id, expires_us=ended.challenge_expires_us))
        return True


class _ChangePin(Change):
    __slots__ = ("person_id", "pin")

    def __init__(self, loop: asyncio.AbstractEventLoop, person_id: str, pin: bytes) -> None:
        super().__init__(loop)
        self.person_id = person_id
        self.pin = pin

    def apply(self, connection: Connection, ledger: Ledger) -> None:
        table = tables.person_factor
        connection.execute(update(table).where(table.c.person_id == self.person_id).values(pin=self.pin))
        ledger.note(NoteKind.FACTORS_SET, self.person_id, {"factors": FactorKind.PIN.value})


class _AddPasskey(Change):
    __slots__ = ("passkey",)

    def __init__(self, loop: asyncio.AbstractEventLoop, passkey: Passkey) -> None:
        super().__init__(loop)
        self.passkey = passkey

    def apply(self, connection: Connection, ledger: Ledger) -> None:
        added, table = self.passkey, tables.passkey
        if connection.execute(select(table.c.person_id).where(table.c.passkey_id == added.id)).first() is not None:
            raise IdTaken("this passkey is registered already")
        if len(_passkeys(connection, added.person_id)) >= _PASSKEYS_MAX:
            raise IdTaken(f"{_PASSKEYS_MAX} passkeys are registered already")
        row = {
            "passkey_id": added.id,
            "person_id": added.person_id,
            "public_key": added.public_key,
            "sign_count": added.sign_count,
            "created_us": microseconds(added.created),
            "label": added.label,
        }
        connection.execute(insert(table).values(row))
        ledger.note(NoteKind.PASSKEY_ADDED, added.person_id, {"passkey": added.id.hex()})


class _RemovePasskey(Change):
    __slots__ = ("passkey_id", "person_id")

    def __init__(self, loop: asyncio.AbstractEventLoop, person_id: str, passkey_id: bytes) -> None:
        super().__init__(loop)
        self.person_id = person_id
        self.passkey_id = passkey_id

    def apply(self, connection: Connection, ledger: Ledger) -> None:
        table = tables.passkey
        own = (table.c.passkey_id == self.passkey_id, table.c.person_id == self.person_id)
        if connection.execute(delete(table).where(*own)).rowcount:
            ledger.note(NoteKind.PASSKEY_REMOVED, self.person_id, {"passkey": self.passkey_id.hex()})


class _Unlock(Change):
    __slots__ = ("how", "person_id")

    def __init__(self, loop: asyncio.AbstractEventLoop, person_id: str, how: Mapping[str, str | int]) -> None:
        super().__init__(loop)
        self.person_id = person_id
        self.how = how

    def apply(self, connection: Connection, ledger: Ledger) -> None:
        connection.execute(delete(tables.factor_tries).where(tables.factor_tries.c.person_id == self.person_id))
        ledger.note(NoteKind.FACTORS_UNLOCKED, self.person_id, dict(self.how))


def set_factors(factors: KeptFactors) -> Callable[[Connection, Ledger], None]:
    """What sets PIN and TOTP in place of those there were, in whichever commit; passkeys of before are gone, and so are wrong tries."""

    def write(connection: Connection, ledger: Ledger) -> None:
        for table in (tables.person_factor, tables.passkey, tables.factor_tries):
            connection.execute(delete(table).where(table.c.person_id == factors.person_id))
        row = {
            "person_id": factors.person_id,
            "pin": factors.pin,
            "totp_seed": factors.totp_seed,
            "totp_step": factors.totp_step,
        }
        connection.execute(insert(tables.person_factor).values(row))
        kinds = ",".join(sorted(kind.value for kind in factors.kinds))
        ledger.note(NoteKind.FACTORS_SET, factors.person_id, {"factors": kinds})

    return write


def _forget_strangers(connection: Connection, now_us: int) -> None:
    """Tries of ids without factors, after a day."""
    tries = tables.factor_tries
    known = select(tables.person_factor.c.person_id)
    connection.execute(delete(tries).where(tries.c.last_us < now_us - _STRANGERS_REMEMBERED_US, tries.c.person_id.not_in(known)))


def _factors(connection: Connection, person_id: str) -> KeptFactors | None:
    table = tables.person_factor
    row = connection.execute(select(table).where(table.c.person_id == person_id)).one_or_none()
    return None if row is None else KeptFactors(row.person_id, row.pin, row.totp_seed, row.totp_step)


def _passkeys(connection: Connection, person_id: str) -> tuple[Passkey, ...]:
    table = tables.passkey
    rows = connection.execute(select(table).where(table.c.person_id == person_id).order_by(table.c.passkey_id))
    return tuple(Passkey(row.passkey_id, row.person_id, row.public_key, row.sign_count, moment(row.created_us), row.label) for row in rows)


def _standings(connection: Connection, ids: Sequence[str], now_us: int, limits: TryLimits) -> dict[str, FactorsStanding]:
    factors, tries, passkey = tables.person_factor, tables.factor_tries, tables.passkey
    kept = {row.person_id: KeptFactors(*row) for row in connection.execute(select(factors).where(factors.c.person_id.in_(ids)))}
    wrong = {row.person_id: row for row in connection.execute(select(tries).where(tries.c.person_id.in_(ids)))}
    counted = select(passkey.c.person_id, func.count()).where(passkey.c.person_id.in_(ids)).group_by(passkey.c.person_id)
    with_passkeys = {row[0] for row in connection.execute(counted)}
    found: dict[str, FactorsStanding] = {}
    for person_id in ids:
        kinds = kept[person_id].kinds if person_id in kept else frozenset()
        kinds |= {FactorKind.WEBAUTHN} if person_id in with_passkeys else frozenset()
        row = wrong.get(person_id)
        waits_s = 0.0 if row is None else max(0.0, row.last_us / _US + limits.delay_s(row.wrong) - now_us / _US)
        if not kinds:
            state = FactorsState.NONE
        elif row is not None and limits.is_locked(row.wrong):
            state = FactorsState.LOCKED
        else:
            state = FactorsState.DELAYED if waits_s else FactorsState.SET
        found[person_id] = FactorsStanding(state, kinds, waits_s)
    return found
