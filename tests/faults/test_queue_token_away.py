"""A token that is taken out of use while a queued batch is worked on: the batch says so, and goes on by itself."""

from __future__ import annotations

from functools import partial

from signer.errors import Reason
from signer.rpc_status import from_rpc_status
from signer.v1 import admin_pb2_grpc, admin_tokens_pb2, queue_pb2
from tests.support.queued import Queue
from tests.support.rig import Record, Rig
from tests.support.shim import Door
from tests.support.waiting import until

SIGN_S = 1.0
"""A class takes long enough for the blow to come in its middle."""


def _is_begun(rig: Rig) -> bool:
    return bool(rig.shim.key_uses())


def _waits(queue: Queue, batch_id: str) -> bool:
    return queue.get(batch_id).state == queue_pb2.BATCH_STATE_WAITING_FOR_TOKEN


def test_a_batch_whose_token_goes_away_in_the_middle_waits_and_says_so_and_loses_nothing(
    rig: Rig, cards: dict[str, bytes], record: Record
) -> None:
    rig.shim.delay(Door.SIGN, SIGN_S)
    with rig.daemon(queue={}) as daemon, rig.channel() as channel, rig.world.channel(daemon.port, "operator") as operators:
        queue, operator = Queue(channel), admin_pb2_grpc.AdminServiceStub(operators)
        batch_id = queue.submit(cards, "away").batch_id
        until(partial(_is_begun, rig), "the batch to be worked on")
        operator.PauseToken(admin_tokens_pb2.PauseTokenRequest(token_name="school-token", reason="night"))
        rig.shim.calm()
        until(partial(_waits, queue, batch_id), "the batch to wait")
        waits = queue.get(batch_id)
        operator.ResumeToken(admin_tokens_pb2.ResumeTokenRequest(token_name="school-token"))
        ended = queue.ended(batch_id)
        fetched = queue.fetch(batch_id)
    books = rig.books()
    record(
        "token taken out of use in a queued batch",
        client_saw="WAITING_FOR_TOKEN",
        lost=len(cards) - len(fetched.contents),
        extra_key_uses=books.extra_key_uses(rig.shim),
        documents=len(cards),
        doubled=books.doubled,
    )
    assert from_rpc_status(waits.waiting_status).reason is Reason.TOKEN_UNAVAILABLE
    assert waits.progress.signed < len(cards)
    assert (ended.summary.failed, fetched.reasons) == (0, {})
    assert fetched.results.keys() == cards.keys()
    books.check(rig.shim)
    assert books.counts.open == 0
