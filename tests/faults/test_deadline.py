"""A deadline that passes in the middle of a batch on a slow token: no key is used after it, and a repeat completes the batch."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import grpc

from signer.errors import DeadlineExceeded
from tests.support.batch import B_B, BatchEnd, Plan, sign_batch, sign_until_done
from tests.support.rig import Books, Record, Rig, pdfsig_refusals, wait_until_quiet
from tests.support.shim import Door

SIGN_S = 0.8
DEADLINE_S = 3.0
"""Two processes make about seven signatures until then."""
IN_HAND = 4
SLACK_S = 1.0
QUIET_S = 1.5
PLAN = Plan(level=B_B)


def uses_after_deadline(rig: Rig, books: Books, began_ns: int, repeat_ns: int) -> int:
    """Keys used after the deadline (and a moment to begin the call), the repeat left out. Ten more would be, if nothing stopped them."""
    late_ns = began_ns + int((DEADLINE_S + SLACK_S) * 1e9)
    return books.document_key_uses(rig.shim, after_ns=late_ns) - books.document_key_uses(rig.shim, after_ns=repeat_ns)


def warm_up(channel: grpc.Channel, cards: dict[str, bytes]) -> None:
    """Connects, and has everything that is slow the first time behind it."""
    assert sign_batch(channel, dict(itertools.islice(cards.items(), 2)), "warm", PLAN).failure is None


def test_items_past_the_daemons_deadline_fail_each_with_its_status_and_a_repeat_completes(
    rig: Rig, cards: dict[str, bytes], record: Record, tmp_path: Path
) -> None:
    """The client sets no deadline, so the daemon's own holds, and its results still reach the client."""
    with rig.daemon(server={"deadline_s_default": DEADLINE_S}):
        with rig.channel() as channel:
            warm_up(channel, cards)
            rig.shim.delay(Door.SIGN, SIGN_S)
            began_ns = time.monotonic_ns()
            end = sign_batch(channel, cards, "late", PLAN)
        wait_until_quiet(rig.shim, QUIET_S)
        rig.shim.calm()
        repeat_ns = time.monotonic_ns()
        delivery = sign_until_done(rig.channel, cards, "late", PLAN)
    assert end.failure is None
    assert end.summary is not None
    assert set(end.reasons.values()) == {"DEADLINE_EXCEEDED"}
    assert (end.summary.received, end.summary.signed, end.summary.failed) == (len(cards), len(end.signed), len(end.reasons))
    assert end.signed
    _judge(rig, record, "the daemon's deadline passes mid-batch", end, uses_after_deadline(rig, rig.books(), began_ns, repeat_ns))
    assert sum(result.replayed for result in delivery.rounds[-1].signed.values()) >= len(end.signed)
    assert (delivery.lost, delivery.doubled) == (0, 0)
    assert {key: {result.appended} for key, result in end.signed.items()}.items() <= delivery.appended.items()
    assert pdfsig_refusals(delivery, tmp_path) == []


def test_a_call_past_the_clients_deadline_ends_and_a_repeat_completes(
    rig: Rig, cards: dict[str, bytes], record: Record, tmp_path: Path
) -> None:
    with rig.daemon():
        with rig.channel() as channel:
            warm_up(channel, cards)
            rig.shim.delay(Door.SIGN, SIGN_S)
            began_ns = time.monotonic_ns()
            end = sign_batch(channel, cards, "late", PLAN, timeout_s=DEADLINE_S)
        wait_until_quiet(rig.shim, QUIET_S)
        rig.shim.calm()
        repeat_ns = time.monotonic_ns()
        delivery = sign_until_done(rig.channel, cards, "late", PLAN)
    assert isinstance(end.failure, DeadlineExceeded)
    _judge(rig, record, "the client's deadline passes mid-batch", end, uses_after_deadline(rig, rig.books(), began_ns, repeat_ns))
    assert (delivery.lost, delivery.doubled) == (0, 0)
    assert pdfsig_refusals(delivery, tmp_path) == []


def _judge(rig: Rig, record: Record, fault: str, end: BatchEnd, late: int) -> None:
    books = rig.books()
    reasons = set(end.reasons.values()) | ({end.failure.reason.value} if end.failure else set())
    record(
        fault,
        client_saw=", ".join(sorted(reasons)) + "; the repeat: signed",
        lost=0,
        extra_key_uses=books.extra_key_uses(rig.shim),
        signed_before=len(end.signed),
        key_uses_after_deadline=late,
    )
    books.check(rig.shim)
    assert books.counts.open == books.counts.unknown == 0
    assert late <= IN_HAND
    assert len(rig.shim.key_uses()) == books.counts.released, "each document took one use of the key, however often it was sent"
