"""Who is signed in, kept on our side alone: a browser holds a random name of its session, we hold that name's SHA-256.

In memory: a restart signs everybody out, and replicas behind one name need a balancer that sends a browser to the same one
(docs/replicas.md).
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from signer.people.person import Person
from signer.secrets import Secret

_NAME_BYTES = 32
_OF_ONE_PERSON_MAX = 5


@dataclass(slots=True)
class FirstVisit:
    """What a person has chosen so far on their first visit; nothing of it is kept before the end."""

    code: Secret
    totp_seed: bytes = field(repr=False)
    pin: Secret | None = None


@dataclass(slots=True)
class Session:
    """One browser of one person. first_visit: None once they are signed in. notice: a text's name, shown on the next page and then gone."""

    person: Person
    opened_s: float
    seen_s: float
    first_visit: FirstVisit | None = None
    notice: str = ""


class Sessions:
    """All of them. idle_s, whole_s: how long one lives without being used, and at all. Owned by the event loop."""

    def __init__(self, idle_s: float, whole_s: float, count_max: int, now_s: Callable[[], float]) -> None:
        self._idle_s = idle_s
        self._whole_s = whole_s
        self._count_max = count_max
        self._now_s = now_s
        self._by_key: OrderedDict[bytes, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_key)

    def open(self, person: Person, first_visit: FirstVisit | None = None, notice: str = "") -> str:
        """Signs a person in; returns the new session's name, for its browser alone. Their oldest ends when they have too many."""
        self._forget_overdue()
        own = [key for key, session in self._by_key.items() if session.person.id == person.id]
        for key in own[: max(0, len(own) - _OF_ONE_PERSON_MAX + 1)]:
            del self._by_key[key]
        if len(self._by_key) >= self._count_max:
            self._by_key.popitem(last=False)
        name, now_s = secrets.token_urlsafe(_NAME_BYTES), self._now_s()
        self._by_key[_key(name)] = Session(person, now_s, now_s, first_visit, notice)
        return name

    def find(self, name: str) -> Session | None:
        """The session of that name, used now; None when there is none, or it has ended."""
        key = _key(name)
        session = self._by_key.get(key)
        if session is None:
            return None
        if self._is_overdue(session):
            del self._by_key[key]
            return None
        session.seen_s = self._now_s()
        self._by_key.move_to_end(key)
        return session

    def close(self, name: str) -> None:
        """Ends it."""
        self._by_key.pop(_key(name), None)

    def close_others(self, person_id: str, name: str) -> None:
        """Ends all of a person's but one: whoever holds another may have it by the factor that was just changed."""
        self._close(person_id, but=_key(name))

    def close_all(self, person_id: str) -> None:
        """Ends all of a person's: they changed a factor with another daemon."""
        self._close(person_id)

    def _close(self, person_id: str, but: bytes = b"") -> None:
        for key in [key for key, session in self._by_key.items() if session.person.id == person_id and key != but]:
            del self._by_key[key]

    def _is_overdue(self, session: Session) -> bool:
        now_s = self._now_s()
        return now_s - session.seen_s > self._idle_s or now_s - session.opened_s > self._whole_s

    def _forget_overdue(self) -> None:
        """Those least lately used come first, so what is idle too long ends at the first that is not."""
        while self._by_key and self._is_overdue(next(iter(self._by_key.values()))):
            self._by_key.popitem(last=False)


def _key(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
