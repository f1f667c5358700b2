"""The engine of the queue is there for whoever wants it, and for nobody else; and it takes a turn when it can be taken."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
from collections.abc import Iterator

import pytest

from signer.errors import JournalUnavailable
from signer.queue.line import Place, open_line
from signer.queue.model import QueuePriority
from tests.support.stores import Store
from tests.support.waiting import until

_LOADED = "import sys, json, signer.server.serve; print(json.dumps([name for name in ('dbos', 'yaml', 'croniter') if name in sys.modules]))"
_WITHIN_S = 60.0


def test_a_daemon_without_a_queue_does_not_load_its_engine() -> None:
    told = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True).stdout
    assert json.loads(told) == []


@pytest.fixture
def url(store: Store) -> Iterator[str]:
    """Of a database for a line, on both."""
    if store.url.startswith("sqlite:"):
        yield f"{store.url}.turns"
        return
    yield store.url
    store.tamper("DROP SCHEMA signer_queue CASCADE")


def test_what_is_put_is_taken_without_a_wait_and_what_stood_behind_a_turn_when_that_ends(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signer.queue.dbos_line._POLL_S", 3_600.0)  # by itself the engine would look again in an hour
    monkeypatch.setattr("signer.queue.dbos_line._AFTER_TURN_S", (0.05,) * 1_000)  # however long it takes to write a turn's end down
    begun: queue.Queue[tuple[str, int]] = queue.Queue()
    may_end: queue.Queue[None] = queue.Queue()

    def work(batch_id: str, turn: int) -> None:
        begun.put((batch_id, turn))
        may_end.get(timeout=_WITHIN_S)

    line = open_line(url, "a-daemon", 4, work)
    line.start()
    try:
        line.put(Place("first", 0, "school", QueuePriority.NORMAL))
        assert begun.get(timeout=_WITHIN_S) == ("first", 0)
        line.put(Place("second", 3, "school", QueuePriority.NORMAL))
        line.put(Place("elsewhere", 0, "other school", QueuePriority.NORMAL))
        assert begun.get(timeout=_WITHIN_S) == ("elsewhere", 0)
        may_end.put(None)
        may_end.put(None)
        assert begun.get(timeout=_WITHIN_S) == ("second", 3)
        may_end.put(None)
    finally:
        line.stop()


def test_a_turn_that_was_given_back_undone_is_taken_anew_and_one_under_way_is_not_taken_twice(url: str) -> None:
    begun: queue.Queue[str] = queue.Queue()
    may_end: queue.Queue[None] = queue.Queue()
    broken = ["first"]

    def work(batch_id: str, _turn: int) -> None:
        begun.put(batch_id)
        if batch_id in broken:
            broken.remove(batch_id)
            raise JournalUnavailable("rows are away")
        may_end.get(timeout=_WITHIN_S)

    line = open_line(url, "a-daemon", 4, work)
    line.start()
    try:
        first, second = (Place(name, 0, name, QueuePriority.NORMAL) for name in ("first", "second"))
        line.put(first)
        assert begun.get(timeout=_WITHIN_S) == "first"

        def taken_anew() -> bool:
            line.put_again(first)
            return not begun.empty()

        until(taken_anew, "the turn to be taken anew")
        assert begun.get(timeout=_WITHIN_S) == "first"
        line.put_again(first)
        line.put(second)
        assert begun.get(timeout=_WITHIN_S) == "second", "the first is under way: it is not taken again"
        may_end.put(None)
        may_end.put(None)
    finally:
        line.stop()
