"""From a person to somebody who can sign: the one-time code, with which they set their factors.

A code is 80 random bits: what can't be guessed needs no slow hash and no count of tries, and its digest gives nothing away. It opens one
thing, once: to set factors for the person it was made for.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from signer.control.people import People
from signer.control.settings import EnrolmentSettings
from signer.journal.enrolment_codes import AlsoDone, EnrolmentCodeStore, refused
from signer.people.person import Person
from signer.secrets import Secret

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O and U, which people misread."""
_MISREAD: Final = str.maketrans("ILO", "110", " -")
_CHARACTERS: Final = 16
_GROUP: Final = 4
_PURPOSE: Final = b"signer enrolment code"


@dataclass(frozen=True, slots=True)
class OneTimeCode:
    """A code to be handed to its person alone. expires: when it ends."""

    code: Secret
    expires: datetime


class OneTimeCodes:
    """Made for an operator, used on the page for people. Owned by the event loop."""

    def __init__(self, store: EnrolmentCodeStore, people: People, settings: EnrolmentSettings, utc_now: Callable[[], datetime]) -> None:
        self.store = store
        self._people = people
        self._settings = settings
        self._utc_now = utc_now

    async def create(self, client_id: str, person_id: str) -> OneTimeCode:
        """A new code, durable as its digest; the person's last one is over. PersonNotFound."""
        characters = "".join(secrets.choice(_ALPHABET) for _ in range(_CHARACTERS))
        shown = Secret("-".join(characters[start : start + _GROUP] for start in range(0, _CHARACTERS, _GROUP)))
        expires = self._utc_now() + self._settings.code_life
        await self.store.keep(client_id, person_id, _digest(person_id, shown), expires)
        return OneTimeCode(shown, expires)

    async def look(self, person_id: str, code: Secret) -> Person:
        """Whose code it is; it stays usable. FactorsRefused for whatever is wrong, a disabled person included."""
        is_good = await self.store.is_good(person_id, _digest(person_id, code), self._utc_now())
        person = await self._people.find(person_id)
        if person is None or person.disabled or not is_good:
            raise refused()
        return person

    async def spend(self, person_id: str, code: Secret, also: AlsoDone) -> None:
        """Uses the code, and writes what it is used for in the same commit. FactorsRefused as `look`; of two at once for one of them."""
        await self.look(person_id, code)
        await self.store.use(person_id, _digest(person_id, code), self._utc_now(), also)


def _digest(person_id: str, code: Secret) -> bytes:
    """SHA-256 over the person and the code as it was meant, however it was typed."""
    meant = code.reveal().upper().translate(_MISREAD)
    return sha256(b"\0".join((_PURPOSE, person_id.encode(), meant.encode()))).digest()
