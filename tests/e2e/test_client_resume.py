"""What a client does when the way to the daemon, or the daemon itself, breaks in the middle of a class."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import msgspec
import pytest

from signer.client import Document, DocumentResult, Phase, Progress, RetryPolicy, SignerClient
from signer.errors import DeadlineExceeded, ServiceUnreachable
from tests.support import pdfs
from tests.support.calls import fresh_id
from tests.support.daemon import SCHOOL, Running, World, running_daemon, start_daemon
from tests.support.proxy import Proxy
from tests.support.waiting import until

CARDS = {f"pupil-{number}": pdfs.report_card(number, pages=1) for number in range(40)}
JOURNAL = "resume.db"


@pytest.fixture(scope="module")
def breaking_daemon(world: World) -> Iterator[Running]:
    """A daemon for this file, of few documents at a time, so that a class takes a while."""
    config = world.config("resume.toml", limits={"batch_in_flight_documents": 2}, journal={"url": f"sqlite:///{JOURNAL}"})
    with running_daemon(config) as running:
        yield running


@contextmanager
def client_through(world: World, proxy: Proxy, **policy: float) -> Iterator[SignerClient]:
    with SignerClient(
        f"localhost:{proxy.port}",
        ca=world.pki / "tls-ca.crt",
        certificate=world.pki / "school.crt",
        key=world.pki / "school.key",
        policy=RetryPolicy(**policy),  # type: ignore[arg-type]
    ) as client:
        yield client


def released(world: World, request_id: str) -> list[str]:
    """The document ids of every signature that the journal says was made for a request: one each, however often it was asked for."""
    with closing(sqlite3.connect(f"file:{world.folder / JOURNAL}?mode=ro", uri=True)) as database:
        bodies = [msgspec.json.decode(body) for (body,) in database.execute("SELECT body FROM journal_entry")]
    intended = {body["index"]: body["document"] for body in bodies if body["kind"] == "intent" and body["request"] == request_id}
    return [intended[body["follows"]] for body in bodies if body["kind"] == "released" and body["follows"] in intended]


def sign_class(
    client: SignerClient,
    request_id: str,
    *,
    break_at: dict[int, Callable[[], None]],
    told: list[Progress] | None = None,
    timeout_s: float = 180.0,
) -> list[DocumentResult]:
    """Signs CARDS; once so many results have come, `break_at` breaks something."""
    documents = [Document(name, content) for name, content in CARDS.items()]
    results: list[DocumentResult] = []
    on_progress = told.append if told is not None else None
    for result in client.sign_batch(
        documents, school_id=SCHOOL, credential_id="gvcn", level="b-b", request_id=request_id, timeout_s=timeout_s, on_progress=on_progress
    ):
        results.append(result)
        break_at.get(len(results), lambda: None)()
    return results


def test_a_connection_cut_three_times_loses_and_doubles_nothing(world: World, breaking_daemon: Running) -> None:
    told: list[Progress] = []
    request_id = fresh_id()
    with Proxy(breaking_daemon.port) as proxy, client_through(world, proxy) as client:
        results = sign_class(client, request_id, break_at={1: proxy.cut, 9: proxy.cut, 20: proxy.cut}, told=told)
        assert proxy.connections >= 2
    assert sorted(result.document_id for result in results) == sorted(CARDS)
    assert all(result.content.startswith(CARDS[result.document_id]) for result in results)
    assert sorted(released(world, request_id)) == sorted(CARDS)
    waits = [progress for progress in told if progress.phase is Phase.WAITING]
    assert waits
    assert all(isinstance(progress.problem, ServiceUnreachable) for progress in waits)
    assert told[-1].interruptions == len(waits)


@pytest.mark.parametrize("answered_bytes", [1_000, 30_000, 31_000, 60_000])
def test_a_cut_at_any_byte_of_an_answer_loses_and_doubles_nothing(world: World, breaking_daemon: Running, answered_bytes: int) -> None:
    request_id = fresh_id()
    with Proxy(breaking_daemon.port) as proxy, client_through(world, proxy) as client:
        results = sign_class(client, request_id, break_at={2: lambda: proxy.cut_after(answered_bytes)})
    assert sorted(result.document_id for result in results if result.ok) == sorted(CARDS)
    assert sorted(released(world, request_id)) == sorted(CARDS)


def test_a_connection_that_falls_silent_is_given_up_and_made_anew(world: World, breaking_daemon: Running) -> None:
    request_id = fresh_id()
    told: list[Progress] = []
    with Proxy(breaking_daemon.port) as proxy, client_through(world, proxy, stall_s=2.5) as client:
        results = sign_class(client, request_id, break_at={3: proxy.be_silent}, told=told)
    assert sorted(result.document_id for result in results if result.ok) == sorted(CARDS)
    assert any(progress.problem and "nothing came for" in progress.problem.message for progress in told)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_daemon_killed_or_stopped_and_started_again_finishes_the_class(new_world: Callable[[], World], how: signal.Signals) -> None:
    world = new_world()
    config = world.config(limits={"batch_in_flight_documents": 2}, server={"drain_s": 0})
    daemons = [start_daemon(config)]

    def restart() -> None:
        daemons[-1].process.send_signal(how)
        daemons[-1].process.wait(30)
        daemons.append(start_daemon(config))
        proxy.target_port = daemons[-1].port

    try:
        with Proxy(daemons[0].port) as proxy, client_through(world, proxy) as client:
            results = sign_class(client, fresh_id(), break_at={5: restart})
    finally:
        daemons[-1].stop()
    assert len(daemons) == 2
    assert sorted(result.document_id for result in results if result.ok) == sorted(CARDS)


def test_a_daemon_that_stops_is_waited_for_until_the_callers_deadline_and_the_request_continues_later(
    world: World, breaking_daemon: Running
) -> None:
    request_id = fresh_id()
    results: list[DocumentResult] = []
    with Proxy(breaking_daemon.port) as proxy, client_through(world, proxy) as client:

        def go_away() -> None:
            proxy.target_port = 1
            proxy.cut()

        started_s = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="the same request"):
            sign_class(client, request_id, break_at={5: go_away}, timeout_s=10.0)
        assert time.monotonic() - started_s > 9.0
        proxy.target_port = breaking_daemon.port
        results = sign_class(client, request_id, break_at={})
    assert sorted(result.document_id for result in results if result.ok) == sorted(CARDS)
    assert sum(result.replayed for result in results) >= 5
    assert sorted(released(world, request_id)) == sorted(CARDS)


def test_a_caller_who_breaks_off_uses_no_further_key(world: World, breaking_daemon: Running) -> None:
    request_id = fresh_id()
    documents = [Document(name, content) for name, content in CARDS.items()]
    with Proxy(breaking_daemon.port) as proxy, client_through(world, proxy) as client:
        with client.sign_batch(documents, school_id=SCHOOL, credential_id="gvcn", level="b-b", request_id=request_id) as batch:
            assert next(batch).ok
        looks: list[int] = []

        def rests() -> bool:
            looks.append(len(released(world, request_id)))
            return looks[-3:] == [looks[-1]] * 3

        until(rests, "the key to rest", poll_s=0.5)
        assert looks[-1] < len(CARDS)


def test_document_workers_killed_in_the_middle_cost_time_and_no_document(new_world: Callable[[], World]) -> None:
    world = new_world()
    with running_daemon(world.config(documents={"processes": 1}, limits={"batch_in_flight_documents": 4})) as daemon:

        def kill_document_workers() -> None:
            for pid in daemon.worker_pids("documents"):
                os.kill(pid, signal.SIGKILL)

        with Proxy(daemon.port) as proxy, client_through(world, proxy) as client:
            results = sign_class(client, fresh_id(), break_at={2: kill_document_workers})
    assert sorted(result.document_id for result in results if result.ok) == sorted(CARDS)
