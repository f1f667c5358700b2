"""The daemon and its workers as they run: what each of them gave up, seen from outside."""

from __future__ import annotations

from pathlib import Path

import grpc

from tests.support import pdfs
from tests.support.calls import metric, sign_batch
from tests.support.daemon import Running
from tests.support.waiting import until


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def processes(daemon: Running) -> dict[str, list[int]]:
    return {
        "daemon": [daemon.process.pid],
        "token": daemon.worker_pids("school-token"),
        "document": daemon.worker_pids("documents"),
    }


def test_all_of_them_are_there(daemon: Running, school: grpc.Channel) -> None:
    assert sign_batch(school, {"a": pdfs.report_card(pages=1)}).signed(), "the workers have worked"
    wanted = {"daemon": 1, "token": 2, "document": 2}
    until(lambda: {kind: len(pids) for kind, pids in processes(daemon).items()} == wanted, "every worker")


def test_workers_run_under_a_filter_that_nothing_lifts_again(daemon: Running) -> None:
    found = {kind: {(status(pid)["Seccomp"], status(pid)["NoNewPrivs"]) for pid in pids} for kind, pids in processes(daemon).items()}
    assert found == {"daemon": {("0", "0")}, "token": {("2", "1")}, "document": {("2", "1")}}
    events = [event for event in daemon.events() if event["event"] == "worker shut in"]
    assert {event["level"] for event in events} == {"info"}, "a warning says that the kernel lacks something"
    assert {event["process"].partition(":")[0] for event in events} == {"token", "document"}


def test_none_of_them_leaves_a_core(daemon: Running) -> None:
    """By the one call that closes its memory to others as well (tests/unit/test_confinement.py)."""
    for pids in processes(daemon).values():
        for pid in pids:
            limits = Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
            assert limits.partition("Max core file size")[2].split()[:2] == ["0", "0"]


def test_token_workers_memory_is_locked_where_it_may_be(daemon: Running) -> None:
    """In the others there is no PIN."""
    told = {event["memory_locked"] for event in daemon.events() if event["event"] == "worker shut in" and "memory_locked" in event}
    locked = {int(status(pid)["VmLck"].split()[0]) > 0 for pid in processes(daemon)["token"]}
    assert locked == told
    assert {status(pid)["VmLck"] for pid in processes(daemon)["document"]} == {"0 kB"}


def test_their_figures_are_still_seen(daemon: Running) -> None:
    """Though /proc/PID of a process that shut itself in may be out of the daemon's sight (hidepid)."""
    port = daemon.metrics_port()
    for kind in ("token", "document"):
        until(lambda of=kind: metric(port, "signer_worker_resident_memory_bytes", kind=of) > 1e6, f"{kind} workers")  # type: ignore[misc]
