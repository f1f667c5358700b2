"""A client that goes away in the middle of its batch: the key rests, the journal balances, and a repeat completes without a second use."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.support.batch import Plan, collect, open_batch, sign_until_done
from tests.support.rig import Record, Rig, kill, only_full, pdfsig_refusals, wait_until, wait_until_quiet
from tests.support.shim import Door

SIGN_S = 0.4
"""A slow USB token's pace: with two processes, five B-T documents in two seconds, and eight for a class."""
RESULTS_BEFORE = 3
IN_HAND = 4
"""Two processes, two frames each, one digest in a frame at this pace."""
MARGIN = 6
"""Documents signed already whose result had not come yet, and those that began before the daemon noticed."""
QUIET_S = 1.5

Leave = Callable[[Rig, dict[str, bytes], Path], int]
"""Signs the batch `gone` and goes away after some results; time.monotonic_ns() then."""


def cancelled(rig: Rig, cards: dict[str, bytes], _folder: Path) -> int:
    return _leave_by(rig, cards, lambda call, _channel: call.cancel())


def closed(rig: Rig, cards: dict[str, bytes], _folder: Path) -> int:
    return _leave_by(rig, cards, lambda _call, channel: channel.close())


def _leave_by(rig: Rig, cards: dict[str, bytes], leave: Callable[[Any, grpc.Channel], None]) -> int:
    left_ns: list[int] = []
    channel = rig.channel()
    call = open_batch(channel, cards, "gone", Plan())

    def go() -> None:
        left_ns.append(time.monotonic_ns())
        leave(call, channel)

    def on_result(count: int) -> None:
        if count == RESULTS_BEFORE:
            threading.Thread(target=go).start()  # a call can't be cancelled from inside its own reading

    end = collect(call, lambda so_far: on_result(len(so_far.results)))
    channel.close()
    assert end.summary is None
    assert end.failure is not None
    return left_ns[0]


def killed(rig: Rig, cards: dict[str, bytes], folder: Path) -> int:
    order = folder / "order.json"
    paths = {key: folder / f"{key}.pdf" for key in cards}
    for key, path in paths.items():
        path.write_bytes(cards[key])
    assert rig.running is not None
    batch = {"port": rig.running.port, "request_id": "gone", "plan": asdict(Plan()), "pki": str(rig.world.pki)}
    order.write_text(json.dumps({**batch, "documents": {key: str(path) for key, path in paths.items()}}), encoding="utf-8")
    with subprocess.Popen([sys.executable, "-m", "tests.support.batch", str(order)], stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        for _ in range(RESULTS_BEFORE):
            assert client.stdout.readline(), "the client ended before it was killed"
        left_ns = time.monotonic_ns()
        assert kill(client.pid)
    return left_ns


@pytest.mark.parametrize("leave", [cancelled, pytest.param(closed, marks=only_full), killed], ids=lambda leave: leave.__name__)
def test_the_key_rests_when_the_client_is_gone_and_a_repeat_completes_the_batch(
    rig: Rig, cards: dict[str, bytes], record: Record, tmp_path: Path, leave: Leave
) -> None:
    with rig.daemon() as daemon:
        rig.shim.delay(Door.SIGN, SIGN_S)
        left_ns = leave(rig, cards, tmp_path)
        wait_until_quiet(rig.shim, QUIET_S)
        uses_then = len(rig.shim.key_uses())
        wait_until(lambda: any(event["event"] == "rpc" for event in daemon.events()), "the daemon has ended the call")
        rig.shim.calm()
        delivery = sign_until_done(rig.channel, cards, "gone", Plan())
    books = rig.books()
    uses_after = books.document_key_uses(rig.shim, after_ns=left_ns) - sum(not end.replayed for end in delivery.rounds[-1].signed.values())
    record(
        f"client {leave.__name__} in the middle of its batch",
        client_saw="nothing; the repeat: signed",
        lost=delivery.lost,
        extra_key_uses=books.extra_key_uses(rig.shim),
        documents=len(cards),
        document_key_uses_after_it_left=uses_after,
        replayed=sum(result.replayed for result in delivery.rounds[-1].signed.values()),
    )
    books.check(rig.shim)
    assert books.counts.open == books.counts.unknown == 0
    assert uses_then < 2 * len(cards), "the key was used to the batch's end"
    assert uses_after <= IN_HAND + MARGIN
    assert len(rig.shim.key_uses()) == 2 * len(cards), "each document and each timestamp took one use of a key, however often it was sent"
    assert RESULTS_BEFORE <= sum(result.replayed for result in delivery.rounds[-1].signed.values()) < len(cards)
    assert (delivery.lost, delivery.doubled) == (0, 0)
    assert pdfsig_refusals(delivery, tmp_path) == []
