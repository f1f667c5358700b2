"""SIGTERM: nothing new is taken, what runs is finished for drain_s seconds, the rest is told so, and nothing is left running."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from signer.errors import ServiceUnreachable, ShuttingDown
from signer.v1 import common_pb2, signing_pb2_grpc
from tests.support import pdfs
from tests.support.calls import Answers, Request, fresh_id, header, our_errors, plan, sign_batch, sign_digests, start
from tests.support.daemon import Running, World, running_daemon, start_daemon
from tests.support.shim import Door, Shim, build
from tests.support.waiting import until

CARD = pdfs.report_card(pages=1)
IDLE_STOP_S_MAX = 30.0
"""Of a daemon that has nothing to wait for; one that waits has reason to for longer."""


@pytest.fixture
def slow(new_world: Callable[[], World], tmp_path: Path) -> tuple[World, Shim]:
    """A world of the test's own, whose token can be made slow."""
    world = new_world()
    return world, Shim(build(tmp_path), world.token, tmp_path / "state")


def config(world: World, shim: Shim, drain_s: float) -> Path:
    token = {"processes": 1, "module": str(shim.module), "environment": shim.environment}
    return world.config(token=token, server={"drain_s": drain_s}, documents={"processes": 1})


def small(world: World, name: str, **server: Any) -> Path:
    """A configuration with a journal of its own and as few workers as can be."""
    journal = {"url": f"sqlite:///{name}.db"}
    return world.config(f"{name}.toml", journal=journal, server=server, token={"processes": 1}, documents={"processes": 1})


def processes(running: Running) -> list[int]:
    """The daemon and its workers."""
    pid = running.process.pid
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split())]


def is_gone(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] == "Z"


class OpenBatch(threading.Thread):
    """A batch whose documents are handed over one by one."""

    def __init__(self, channel: grpc.Channel, request_id: str) -> None:
        super().__init__()
        self.answers = Answers()
        self.error: Exception | None = None
        self._channel = channel
        self._messages: queue.Queue[Request | None] = queue.Queue()
        self._messages.put(Request(header=header(request_id=request_id)))
        self.start()

    def run(self) -> None:
        try:
            with our_errors():
                for message in signing_pb2_grpc.SigningServiceStub(self._channel).BatchSignDocuments(self._outgoing(), timeout=180):
                    self.answers.take(message)
        except Exception as error:  # noqa: BLE001 - looked at by the test
            self.error = error

    def send(self, *names: str) -> None:
        for name in names:
            self._messages.put(start(name, CARD))

    def finish(self) -> None:
        self._messages.put(None)
        self.join()

    def _outgoing(self) -> Iterator[Request]:
        while (message := self._messages.get()) is not None:
            yield message


def test_an_idle_daemon_stops_at_once_with_code_0_tells_watchers_and_leaves_nothing_running(world: World) -> None:
    two = {"processes": 2}
    drain = {"drain_s": 120}
    running = start_daemon(world.config("idle.toml", journal={"url": "sqlite:///idle.db"}, server=drain, token=two, documents=two))
    with world.channel(running.port) as channel:
        sign_batch(channel, {"d": CARD}, plan=plan(level=common_pb2.LEVEL_B_T))
        health: Any = health_pb2_grpc.HealthStub(channel)
        statuses = health.Watch(health_pb2.HealthCheckRequest(service=""), timeout=60)
        assert next(statuses).status == health_pb2.HealthCheckResponse.SERVING
        pids = processes(running)
        assert len(pids) >= 5
        running.process.terminate()
        began_s = time.monotonic()
        assert next(statuses).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert running.stop() == 0
        assert time.monotonic() - began_s < IDLE_STOP_S_MAX
    until(lambda: all(map(is_gone, pids)), "every worker to be gone")
    assert [event["event"] for event in running.events()][-1] == "stopped"


def test_what_runs_is_finished_while_nothing_new_is_taken(slow: tuple[World, Shim]) -> None:
    world, shim = slow
    with running_daemon(config(world, shim, drain_s=30)) as running, world.channel(running.port) as channel:
        shim.delay(Door.SIGN, 0.2)
        batch = OpenBatch(channel, fresh_id())
        batch.send("a", "b", "c")
        until(lambda: shim.calls(Door.SIGN) > 0, "the token to sign")
        running.process.terminate()
        until(lambda: any(event["event"] == "stopping" for event in running.events()), "the daemon to notice")
        with pytest.raises((ShuttingDown, ServiceUnreachable)):
            sign_digests(channel, {"d": bytes(32)})
        batch.send("d")
        batch.finish()
        assert batch.error is None
        assert batch.answers.signed().keys() == {"a", "b", "c", "d"}, "its own documents are still taken until the drain ends"
        assert batch.answers.summary is not None
        assert running.stop() == 0


def test_what_the_drain_does_not_finish_is_told_so_and_goes_on_in_the_next_daemon_whose_workers_die_with_it(
    slow: tuple[World, Shim],
) -> None:
    world, shim = slow
    request_id = fresh_id()
    names = [f"d{number}" for number in range(12)]
    path = config(world, shim, drain_s=2)
    with running_daemon(path) as running, world.channel(running.port) as channel:
        shim.delay(Door.SIGN, 0.6)
        batch = OpenBatch(channel, request_id)
        batch.send(*names)
        until(lambda: len(shim.key_uses()) > 0, "the token to sign")
        pids = processes(running)
        running.process.terminate()
        batch.finish()
        assert batch.error is None, "the stream ends with its summary"
        assert set(batch.answers.reasons().values()) == {"SHUTTING_DOWN"}
        assert batch.answers.signed(), "what was in the token's hands is released"
        assert batch.answers.signed().keys() | {result.document_id for result in batch.answers.results if result.status.code} == set(names)
        assert running.stop() == 0
        until(lambda: all(map(is_gone, pids)), "every worker to be gone")
    used = len(shim.key_uses())
    assert used == len(batch.answers.signed()), "no signature was made and lost"
    shim.calm()
    second = start_daemon(path)
    with world.channel(second.port) as channel:
        again = sign_batch(channel, dict.fromkeys(names, CARD), request_id=request_id)
    pids = processes(second)
    second.process.kill()
    second.process.wait(30)
    until(lambda: all(map(is_gone, pids)), "every worker of a killed daemon to be gone")
    assert again.signed().keys() == set(names)
    assert {result.document_id for result in again.results if result.replayed} == batch.answers.signed().keys()
    assert len(shim.key_uses()) == len(names), "each document was signed once, before or after"


def test_a_stream_that_its_caller_leaves_open_does_not_hold_the_daemon(world: World) -> None:
    with running_daemon(small(world, "held", drain_s=1)) as running, world.channel(running.port) as channel:
        batch = OpenBatch(channel, fresh_id())
        batch.send("a")
        until(lambda: batch.answers.results, "its result")
        running.process.send_signal(signal.SIGINT)
        began_s = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - began_s < 1 + IDLE_STOP_S_MAX
        batch.finish()
        assert batch.error is None, "the caller gets its summary all the same"
        assert batch.answers.summary is not None
        assert batch.answers.summary.signed == 1


def test_a_daemon_told_to_stop_while_it_starts_stops(world: World) -> None:
    path = small(world, "early")
    log = path.with_suffix(".log")
    log.unlink(missing_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "signer", "serve", "--config", str(path)], stderr=output, env=os.environ)
    until(lambda: Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii"), "its first worker")
    process.terminate()
    assert process.wait(60) == 0
