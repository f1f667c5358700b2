from __future__ import annotations

import asyncio
from collections.abc import Callable

from signer.timestamp.client.exchange import Exchange
from signer.timestamp.client.failure import AskFailed, Failure
from signer.timestamp.client.gate import Gate
from signer.timestamp.client.health import Admission
from signer.timestamp.client.transport import Transport
from signer.timestamp.verify import VerifiedTimestamp


class Question:
    """One request that waits for its turn, leaves, and brings a verified timestamp.

    Its turn passes on in the call that brought the answer; after anything but a timestamp only with `end`, so that what befell it counts
    before the next one leaves: a liar gets no question more than those that are on their way.

    verify: the verified timestamp in an answer, or AskFailed.

    admission: None until it was let out. left_s: when that was, on the loop's clock.
    """

    def __init__(
        self,
        gate: Gate,
        transport: Transport,
        request: bytes,
        verify: Callable[[bytes], VerifiedTimestamp],
        *,
        deadline_s: float,
        timeout_s: float,
    ) -> None:
        self.admission: Admission | None = None
        self.left_s = 0.0
        self._gate = gate
        self._transport = transport
        self._request = request
        self._verify = verify
        self._deadline_s = deadline_s
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[VerifiedTimestamp] = self._loop.create_future()
        self._timer: asyncio.Timeout | None = None
        self._pacing: asyncio.TimerHandle | None = None
        self._exchange: Exchange | None = None
        self._has_turn = False

    async def timestamp(self) -> VerifiedTimestamp:
        """What `verify` made of the answer. Raises AskFailed. Call it once, and `end` in any case."""
        try:
            async with asyncio.timeout_at(self._deadline_s) as self._timer:
                self._gate.turns.take(self)
                return await self._answer
        except TimeoutError:
            raise self._late() from None

    def end(self) -> None:
        """Nothing of it goes on."""
        self._answer.cancel()
        if self._pacing is not None:
            self._pacing.cancel()
        if self._exchange is not None:
            self._exchange.give_up()
        self._pass_on()

    def begin(self) -> bool:
        """Its turn (see `Turns`)."""
        if self._answer.done():
            return False
        now_s = self._loop.time()
        try:
            self._gate.require_open(now_s)
            wait_s = self._gate.take_pace(now_s, self._deadline_s)
        except AskFailed as failed:
            self._answer.set_exception(failed)
            return False
        self._has_turn = True
        if wait_s > 0:
            self._pacing = self._loop.call_later(wait_s, self._leave)
        else:
            self._leave()
        return True

    def answered(self, body: bytes) -> None:
        """The answer is whole (see `Exchange`)."""
        try:
            timestamp = self._verify(body)
        except Exception as error:  # noqa: BLE001 - the asker's to deal with, a bug too
            self.failed(error)
            return
        if not self._answer.done():
            self._answer.set_result(timestamp)
        self._pass_on()

    def failed(self, error: Exception) -> None:
        """There is none."""
        if not self._answer.done():
            self._answer.set_exception(error)

    def _leave(self) -> None:
        if self._answer.done() or self._timer is None:
            return
        self.left_s = self._loop.time()
        self._timer.reschedule(min(self._deadline_s, self.left_s + self._timeout_s))
        try:
            self.admission = self._gate.admit(self.left_s)
            self._exchange = self._transport.post(self._request, self)
        except AskFailed as failed:
            self._answer.set_exception(failed)

    def _pass_on(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._gate.turns.pass_on()

    def _late(self) -> AskFailed:
        if self.admission is None:
            return AskFailed(Failure.NO_TIME, "the deadline came before its turn")
        if self._deadline_s < self.left_s + self._timeout_s:
            return AskFailed(Failure.NO_TIME, "the deadline came before its answer")
        return AskFailed(Failure.TIMED_OUT, f"no whole answer within {self._timeout_s:g} s")
