"""Making and destroying keys on one token, on the daemon's side.

The worker (`key_worker`) is started when there is something to do and let go when there was nothing for a while: it is one more login, and
on a token with room for one session it would be in the way of the signers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec

from signer.errors import Reason, SignerError, TokenUnavailable, leaves
from signer.tokens.key_wire import KeyAnswer, KeyCall, KeyOrder, KeyReply
from signer.workers.process import WorkerLost, WorkerProcess, WorkerSpec

_IDLE_S = 20.0
_GENERATION_S_MAX = 600.0
"""A smart card may take minutes for a key of 4096 bits."""
_decode = msgspec.msgpack.Decoder(KeyReply).decode
_encode = msgspec.msgpack.Encoder().encode


class KeyWorkshop:
    """One token's. Calls wait for one another. `close` once.

    spec: how to start its worker, as things are now. admit: raises why the token must be left alone now (its PIN was refused, it is
    paused). on_fault: told why a login or an order failed: some keys want the PIN each time.
    """

    def __init__(
        self,
        token_name: str,
        spec: Callable[[], WorkerSpec],
        *,
        admit: Callable[[], None] = lambda: None,
        on_fault: Callable[[SignerError], None] = lambda _fault: None,
    ) -> None:
        self.token_name = token_name
        self._spec = spec
        self._admit = admit
        self._on_fault = on_fault
        self._turn = asyncio.Lock()
        self._worker: WorkerProcess | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._letting_go: asyncio.Task[None] | None = None

    async def carry_out(self, orders: Sequence[KeyOrder]) -> list[KeyAnswer | SignerError]:
        """The outcome of each order, in order. Raises why the token can't be had (PinHeld, TokenRemoved, …): then nothing was done.

        An order without an answer (the worker died) is TokenUnavailable: what it made may be in the token, and a repeat finds it there.
        """
        async with self._turn:
            self._admit()
            worker = await self._ready_worker()
            listener = _Answers(self.token_name, len(orders))
            try:
                worker.open_call(_encode(KeyCall(list(orders))), listener)
                answers = await asyncio.shield(listener.future)
            except WorkerLost as loss:
                raise loss.error or _lost(self.token_name) from loss
            finally:
                self._leaving = asyncio.get_running_loop().call_later(_IDLE_S, self._let_go)
            for failed in answers:
                if isinstance(failed, SignerError):
                    self._on_fault(failed)
            return answers

    async def close(self) -> None:
        """Lets the worker finish, finalise and leave."""
        async with self._turn:
            await self._dismiss()

    async def _ready_worker(self) -> WorkerProcess:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if self._worker is not None and not self._worker.is_lost:
            return self._worker
        await self._dismiss()
        try:
            self._worker = await WorkerProcess.start(replace(self._spec(), silence_s_max=_GENERATION_S_MAX))
        except SignerError as fault:
            self._on_fault(fault)
            raise
        return self._worker

    def _let_go(self) -> None:
        self._leaving = None
        self._letting_go = asyncio.get_running_loop().create_task(self.close())

    async def _dismiss(self) -> None:
        worker, self._worker = self._worker, None
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if worker is not None:
            await asyncio.shield(worker.close())


class _Answers:
    """A call's answers (workers.process.CallListener)."""

    def __init__(self, token_name: str, count: int) -> None:
        self._token_name = token_name
        self._answers: list[KeyAnswer | SignerError | None] = [None] * count
        self.future: asyncio.Future[list[KeyAnswer | SignerError]] = asyncio.get_running_loop().create_future()

    def reply(self, body: bytes) -> None:
        """One answer, as soon as it is there."""
        answer = _decode(body).answer
        failed = answer.reason and leaves()[Reason(answer.reason)](answer.message, token=self._token_name)
        self._answers[answer.place] = failed or answer

    def ended(self, error: SignerError | None) -> None:
        """The worker is through with the call."""
        self._settle(error or _lost(self._token_name))

    def lost(self, loss: WorkerLost, *, is_oldest: bool) -> None:  # noqa: ARG002 - it has one call at a time
        """The worker is gone."""
        self._settle(loss.error or _lost(self._token_name))

    def _settle(self, missing: SignerError) -> None:
        if not self.future.done():
            self.future.set_result([answer if answer is not None else missing.copy() for answer in self._answers])


def _lost(token_name: str) -> TokenUnavailable:
    return TokenUnavailable(f"token {token_name}: its key worker died at this order; repeat it with the same ids", token=token_name)
