"""Results of several jobs that one caller waits for: handed over together, with one wake-up for all of them."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

from signer.errors import InternalError, SignerError

T = TypeVar("T")


class Gathering(Generic[T]):
    """`count` results, in the order asked for. `settle` from the event loop; a second result for the same place is ignored.

    The caller may cancel its wait; `is_wanted` is False from then on.
    """

    def __init__(self, count: int) -> None:
        self._results: list[T | SignerError | None] = [None] * count
        self._left = count
        self.future: asyncio.Future[list[T | SignerError]] = asyncio.get_running_loop().create_future()
        if not count:
            self.future.set_result([])

    @property
    def is_wanted(self) -> bool:
        """Whether anybody still waits."""
        return not self.future.done()

    def settle(self, index: int, result: T | SignerError) -> None:
        """The result of one job; the last one wakes the caller."""
        if self._results[index] is not None:
            return
        self._results[index] = result
        self._left -= 1
        if not self._left and not self.future.done():
            self.future.set_result([result or InternalError("a job was left without a result") for result in self._results])
