"""How often and how many at once may try factors: each try costs a core for some tenths of a second, and an attacker nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from signer.errors import TooManyRequests
from signer.server.http.allowance import Allowances

_MINUTE_S = 60.0
_PERSON_TRIES_PER_MINUTE = 12
_AT_ONCE_MAX = 64
_BUSY_RETRY_S = 2.0


class Checking:
    """Lets tries in. What is wrong with factors counts elsewhere (`control.factors`); here, tries count, also right ones."""

    def __init__(self, address_tries_per_minute: int) -> None:
        self._in_work = 0
        self._of_address = Allowances(address_tries_per_minute / _MINUTE_S, _MINUTE_S)
        self._of_person = Allowances(_PERSON_TRIES_PER_MINUTE / _MINUTE_S, _MINUTE_S)

    @contextlib.contextmanager
    def turn(self, address: str, person_id: str) -> Iterator[None]:
        """One try while the block runs. TooManyRequests for too many, alike whether or not there is such a person."""
        now_s = asyncio.get_running_loop().time()
        wait_s = self._of_address.take(address, now_s) or self._of_person.take(person_id, now_s)
        if wait_s:
            raise TooManyRequests("too many tries", retry_after_s=wait_s)
        if self._in_work >= _AT_ONCE_MAX:
            raise TooManyRequests("too many people are signing in", retry_after_s=_BUSY_RETRY_S)
        self._in_work += 1
        try:
            yield
        finally:
            self._in_work -= 1
