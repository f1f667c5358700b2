"""Workers as the daemon sees them, with small real programs: started, called, lost in every way, and replaced with growing pauses."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest

from signer.errors import InternalError, PinHeld, QueueFull, TokenRemoved, WorkerUnavailable
from signer.workers import process
from signer.workers.process import WorkerLost, WorkerProcess, WorkerSpec
from signer.workers.supervisor import Backoff, Place, PlaceState
from tests.support.heard import Heard
from tests.support.tiny_worker import MODULE
from tests.support.waiting import until_true

ROOT = str(Path(__file__).parents[2])
SILENCE_S = 60.0
"""Longer than anything takes here."""
BUSY_S = 1.0
"""How long a machine with other work may keep a worker from answering."""
FAST = Backoff(first_s=0.05, max_s=0.2, healthy_after_s=60.0)


def spec(start: str = "ready", *, start_s_max: float = SILENCE_S, silence_s_max: float = SILENCE_S) -> WorkerSpec:
    return WorkerSpec("tiny", MODULE, start.encode(), start_s_max, silence_s_max, environment={"PYTHONPATH": ROOT, "SIGNER_TEST": "1"})


def children() -> set[str]:
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text(encoding="ascii").split())


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


async def test_a_call_is_answered_in_frames_and_calls_keep_their_order() -> None:
    worker = await WorkerProcess.start(spec())
    assert worker.ready_body == b"facts"
    calls = [Heard(worker, f"echo {number}".encode()) for number in range(50)]
    for number, call in enumerate(calls):
        assert await call.next() == b"%d" % number
        assert await call.next() is None
    assert worker.calls_open == 0
    pid = worker.pid
    await worker.close()
    assert is_gone(pid)


async def test_a_failure_is_told_as_the_error_it_names_and_the_worker_goes_on() -> None:
    worker = await WorkerProcess.start(spec())
    with pytest.raises(QueueFull) as caught:
        await Heard(worker, b"fail").next()
    assert (caught.value.retry_after_s, caught.value.metadata) == (2.0, {"token": "t"})
    assert await Heard(worker, b"echo on").next() == b"on"
    await worker.close()


@pytest.mark.parametrize(("word", "cause", "error"), [("die", "died", None), ("fault", "fault", TokenRemoved), ("babble", "babbled", None)])
async def test_every_open_call_hears_at_once_how_the_worker_was_lost(word: str, cause: str, error: type | None) -> None:
    worker = await WorkerProcess.start(spec())
    calls = [Heard(worker, word.encode()), Heard(worker, b"echo never")]
    for call in calls:
        with pytest.raises(WorkerLost) as caught:
            await call.next()
        assert caught.value.cause == cause
        assert type(caught.value.error) is (error or type(None))
    assert [call.was_oldest for call in calls] == [True, False]
    assert (await worker.wait_lost()).cause == cause
    with pytest.raises(WorkerLost):
        Heard(worker, b"echo again")
    await worker.close()


async def test_a_silent_worker_is_killed_and_all_its_calls_hear_it() -> None:
    worker = await WorkerProcess.start(spec(silence_s_max=0.3))
    for call in (Heard(worker, b"hang"), Heard(worker, b"echo never")):
        with pytest.raises(WorkerLost, match="timed-out"):
            await call.next()
    await until_true(lambda: worker.exit_code is not None, "its end")
    await worker.close()


async def test_a_worker_without_work_may_be_silent_for_as_long_as_it_likes() -> None:
    worker = await WorkerProcess.start(spec(silence_s_max=BUSY_S))
    await Heard(worker, b"echo 1").next()
    await asyncio.sleep(2 * BUSY_S)
    assert await Heard(worker, b"echo 2").next() == b"2"
    await worker.close()


@pytest.mark.parametrize(
    ("start", "error", "start_s_max"),
    [
        ("refuse", TokenRemoved, SILENCE_S),
        ("held", PinHeld, SILENCE_S),
        ("die", WorkerUnavailable, SILENCE_S),
        ("silent", WorkerUnavailable, 0.5),
        ("wrong", InternalError, SILENCE_S),
    ],
)
async def test_a_worker_that_does_not_become_ready_says_why_and_leaves_nothing(start: str, error: type, start_s_max: float) -> None:
    before = children()
    with pytest.raises(error):
        await WorkerProcess.start(spec(start, start_s_max=start_s_max))
    assert children() <= before


async def test_a_worker_that_waits_for_its_device_has_its_start_up_time_again_each_time_it_says_so() -> None:
    told: list[str] = []
    worker = await WorkerProcess.start(spec("looks 10", start_s_max=2.5), lambda error: told.append(error.message))
    assert told == ["not there yet"] * 10
    assert await Heard(worker, b"echo 1").next() == b"1"
    await worker.close()


async def test_a_worker_that_logs_in_anew_is_not_taken_for_a_silent_one() -> None:
    worker = await WorkerProcess.start(spec(silence_s_max=BUSY_S))
    call = Heard(worker, b"renew 2.5")
    assert await call.next() is None
    hung = Heard(worker, b"hang")
    with pytest.raises(WorkerLost, match="timed-out"):
        await hung.next()
    await worker.close()


async def test_a_place_whose_worker_waits_says_what_for_and_stops_at_once_when_told() -> None:
    place = Served().place("looks 1000")
    task = asyncio.create_task(place.run())
    await until_true(lambda: place.state is PlaceState.WAITING, "a waiting place")
    assert isinstance(place.fault, TokenRemoved)
    async with asyncio.timeout(SILENCE_S):
        await stopped(task)
    assert place.state is PlaceState.STOPPED


async def test_a_worker_that_ignores_its_closing_is_killed_after_a_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_EXIT_GRACE_S", 0.5)
    worker = await WorkerProcess.start(spec())
    await Heard(worker, b"stubborn").next()
    pid, began_s = worker.pid, time.monotonic()
    await worker.close()
    assert is_gone(pid)
    assert time.monotonic() - began_s >= 0.5


async def test_a_worker_gets_no_variable_of_the_daemon_that_it_does_not_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "secret")
    worker = await WorkerProcess.start(spec())
    names = (await Heard(worker, b"environment").next() or b"").decode().split("\n")
    await worker.close()
    assert "SIGNER_TEST" in names
    assert "PATH" in names
    assert not {"DATABASE_PASSWORD", "HOME", "USER"} & set(names)


class Served:
    """What a place did with its workers."""

    def __init__(self, act: Callable[[WorkerProcess], Awaitable[None]] | None = None) -> None:
        self.starts_s: list[float] = []
        self.losses: list[str] = []
        self._act = act

    async def serve(self, worker: WorkerProcess) -> None:
        self.starts_s.append(time.monotonic())
        if self._act is not None:
            await self._act(worker)
        await asyncio.Event().wait()

    def place(self, start: str = "ready", **options: object) -> Place:
        return Place(spec(start), self.serve, on_loss=lambda _name, cause: self.losses.append(cause), backoff=FAST, **options)  # type: ignore[arg-type]


async def stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_lost_worker_is_replaced_and_the_pauses_grow_to_their_limit() -> None:
    async def die(worker: WorkerProcess) -> None:
        await Heard(worker, b"die").next()

    served = Served(die)
    place = served.place()
    task = asyncio.create_task(place.run())
    await until_true(lambda: len(served.starts_s) >= 5, "five starts")
    await stopped(task)
    assert served.losses[:4] == ["died"] * 4
    gaps_s = [after - before for before, after in pairwise(served.starts_s)]
    assert all(gap_s >= pause_s for gap_s, pause_s in zip(gaps_s, (0.05, 0.1, 0.2, 0.2), strict=False))
    assert place.restarts >= 4
    assert place.state is PlaceState.STOPPED


async def test_a_worker_that_served_long_enough_is_replaced_after_the_first_pause_again() -> None:
    async def die(worker: WorkerProcess) -> None:
        await asyncio.sleep(0.05)
        await Heard(worker, b"die").next()

    served = Served(die)
    place = served.place()
    place.backoff = Backoff(first_s=0.05, max_s=30.0, healthy_after_s=0.01)
    task = asyncio.create_task(place.run())
    await until_true(lambda: len(served.starts_s) >= 8, "eight starts without a growing pause")
    await stopped(task)


async def test_the_pauses_stay_short_while_the_trouble_is_young() -> None:
    async def die(worker: WorkerProcess) -> None:
        await Heard(worker, b"die").next()

    served = Served(die)
    place = served.place()
    place.backoff = Backoff(first_s=0.05, max_s=30.0, brisk_max_s=0.1, brisk_s=60.0)
    task = asyncio.create_task(place.run())
    await until_true(lambda: len(served.starts_s) >= 8, "eight starts")
    await stopped(task)


async def test_a_failing_start_is_tried_again_and_its_reason_kept() -> None:
    served = Served()
    place = served.place("refuse")
    task = asyncio.create_task(place.run())
    await until_true(lambda: len(served.losses) >= 2, "two failed starts")
    assert place.state is PlaceState.HEALING
    assert isinstance(place.fault, TokenRemoved)
    assert set(served.losses) == {"TOKEN_REMOVED"}
    await stopped(task)


async def test_a_final_fault_holds_the_place_and_all_that_share_its_turn() -> None:
    turn = asyncio.Lock()
    places: list[Place] = []

    def raise_if_refused() -> None:
        for place in places:
            if place.state is PlaceState.HELD:
                raise PinHeld("refused once")

    shared = {"is_final": lambda error: isinstance(error, PinHeld), "turn": turn, "before_start": raise_if_refused}
    served = Served()
    places += [served.place("held", **shared) for _ in range(3)]
    await asyncio.wait_for(asyncio.gather(*[place.run() for place in places]), SILENCE_S)
    assert [place.state for place in places] == [PlaceState.HELD] * 3
    assert served.losses == []


async def test_a_bug_in_serving_is_a_loss_like_any_other_and_never_the_end_of_the_place() -> None:
    """Else a strange certificate on a token would leave it without workers, in silence."""
    attempts: list[int] = []

    async def stumble(_worker: WorkerProcess) -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise ValueError("what nobody thought of")

    served = Served(stumble)
    place = served.place()
    task = asyncio.create_task(place.run())
    await until_true(lambda: len(attempts) == 3, "a third try")
    await until_true(lambda: place.state is PlaceState.READY, "a ready worker")
    assert served.losses == ["bug", "bug"]
    await stopped(task)


@pytest.mark.parametrize("steps", range(1, 60, 8))
async def test_a_place_told_to_stop_at_any_moment_of_a_start_stops_and_leaves_no_process(steps: int) -> None:
    served = Served()
    place = served.place()
    task = asyncio.create_task(place.run())
    for _ in range(steps):
        await asyncio.sleep(0.005)
    pid = place.worker.pid if place.worker else None
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=SILENCE_S)
    assert done, "the place goes on"
    assert place.state is PlaceState.STOPPED
    assert pid is None or is_gone(pid)
