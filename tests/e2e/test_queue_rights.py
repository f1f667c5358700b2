"""Who may have what signed holds for queued batches as it does for streamed ones: the holder's word, and quotas."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from signer.errors import Reason
from signer.rpc_status import from_rpc_status
from signer.v1 import admin_clients_pb2, admin_pb2_grpc, queue_pb2, signature_pb2
from tests.support import pdfs
from tests.support.calls import fresh_id, plan
from tests.support.daemon import SCHOOL, World
from tests.support.holders import Holders, holders, target
from tests.support.queued import Queue, refusal
from tests.support.waiting import until
from tests.support.worlds import copy_of

CARDS = {f"card-{number}": pdfs.report_card(number, pages=1) for number in range(3)}


@pytest.fixture(scope="module")
def desk(pristine_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holders]:
    with holders(copy_of(pristine_world, tmp_path_factory.mktemp("queue-rights") / "it"), 2, queue={}) as made:
        yield made


@pytest.fixture(scope="module")
def queue(desk: Holders) -> Queue:
    return Queue(desk.office.channel("school"))


def test_a_holders_word_is_asked_at_the_door_holds_for_its_batch_and_covers_what_it_lists(desk: Holders, queue: Queue) -> None:
    holder = desk.next()
    wanted = plan(holder.credential_id)
    listed = dict(list(CARDS.items())[:2])
    entries = [hashlib.sha256(content).digest() for content in listed.values()]
    sad = desk.authorize(holder, target(holder, entries, wanted)).sad
    activation = signature_pb2.Activation(sad=sad)
    assert refusal(lambda: queue.submit(CARDS, fresh_id(), plan=wanted)).reason is Reason.AUTHORIZATION_REQUIRED
    request_id = fresh_id()
    accepted = queue.submit(CARDS, request_id, plan=wanted, activation=activation)
    assert refusal(lambda: queue.submit(CARDS, fresh_id(), plan=wanted, activation=activation)).reason is Reason.AUTHORIZATION_SPENT
    assert queue.ended(accepted.batch_id).summary.signed == 2
    assert queue.fetch(accepted.batch_id).reasons == {"card-2": Reason.DOCUMENT_NOT_AUTHORIZED.value}


def test_beyond_a_quota_the_batch_waits_and_goes_on_when_it_is_raised(desk: Holders, queue: Queue) -> None:
    holder = desk.next()
    wanted = plan(holder.credential_id)
    entries = [hashlib.sha256(content).digest() for content in CARDS.values()]
    sad = desk.authorize(holder, target(holder, entries, wanted)).sad
    operator = admin_pb2_grpc.AdminServiceStub(desk.office.channel("operator"))

    def allow(a_day: int) -> None:
        quota = admin_clients_pb2.Quota(school_id=SCHOOL, signatures_per_day_max=a_day)
        operator.SetQuota(admin_clients_pb2.SetQuotaRequest(quota=quota), timeout=60)

    allow(1)
    accepted = queue.submit(CARDS, fresh_id(), plan=wanted, activation=signature_pb2.Activation(sad=sad))
    until(lambda: queue.get(accepted.batch_id).state == queue_pb2.BATCH_STATE_WAITING_FOR_TOKEN, "the batch to wait")
    waits = queue.get(accepted.batch_id)
    assert from_rpc_status(waits.waiting_status).reason is Reason.QUOTA_EXCEEDED
    assert waits.progress.signed <= 1
    queue.pause(accepted.batch_id)
    allow(0)
    queue.resume(accepted.batch_id)
    assert queue.ended(accepted.batch_id).summary.signed == 3
