"""PINs as they are kept: argon2id (RFC 9106) with OWASP's parameters, in threads of their own, so many at once and no more.

An absent PIN is looked at as well, against a hash that nobody's is: whoever has none takes as long as whoever typed a wrong one.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import Argon2Error, InvalidHashError

from signer.secrets import Secret

_T = TypeVar("_T")
_MEMORY_KIB: Final = 19 * 1024
_PASSES: Final = 2


class Pins:
    """at_once: how many are hashed together. Owned by the event loop; `close` when it ends."""

    def __init__(self, at_once: int) -> None:
        self._hasher = PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=1, type=Type.ID)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="pin")
        self._nobodys: str = ""

    async def hash(self, pin: Secret) -> bytes:
        """What is kept of it."""
        return (await self._run(self._hasher.hash, pin.reveal())).encode()

    async def is_right(self, pin: Secret, kept: bytes) -> bool:
        """Whether it is the PIN that was kept; never for an empty `kept`, after the same time."""
        if not self._nobodys:
            self._nobodys = await self._run(self._hasher.hash, secrets.token_urlsafe())
        right = await self._run(self._verify, kept.decode() or self._nobodys, pin.reveal())
        return bool(kept) and right

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, kept: str, pin: str) -> bool:
        try:
            return self._hasher.verify(kept, pin)
        except (Argon2Error, InvalidHashError):
            return False

    async def _run(self, function: Callable[..., _T], *arguments: str) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
