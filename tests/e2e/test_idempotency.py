"""request_id + document_id identify one signature for good: a repeat returns it and uses the key no second time."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from signer.errors import RequestIdReused
from signer.v1 import common_pb2
from tests.support import pdfs
from tests.support.calls import fresh_id, intents, metric, plan, reason_of, refused, sign_batch, sign_digests, sign_document
from tests.support.daemon import Running, World, running_daemon

CLASS = {f"pupil-{number}": pdfs.report_card(number) for number in range(4)}
B_T = common_pb2.LEVEL_B_T


def test_a_repeated_class_is_answered_byte_for_byte_without_a_key(school: grpc.Channel, world: World, daemon: Running) -> None:
    ids: dict[str, Any] = {"request_id": fresh_id(), "plan": plan(level=B_T)}
    first = sign_batch(school, CLASS, **ids)
    port = daemon.metrics_port()
    entries = metric(port, "signer_journal_entries_total")
    signed = metric(port, "signer_signatures_total", outcome="signed")
    again = sign_batch(school, CLASS, **ids)
    assert again.signed() == first.signed()
    assert all(result.replayed for result in again.results)
    assert {result.document_id: result.info for result in again.results} == {result.document_id: result.info for result in first.results}
    assert again.summary is not None
    assert (again.summary.signed, again.summary.replayed, again.summary.received) == (0, len(CLASS), len(CLASS))
    assert all(result.times.token.ToNanoseconds() == 0 for result in again.results)
    assert metric(port, "signer_journal_entries_total") == entries, "no intent: neither the key nor the authority's was used"
    assert metric(port, "signer_signatures_total", outcome="signed") == signed
    assert sorted(intents(world.folder / "shared.db", ids["request_id"])) == sorted(CLASS)


def test_a_class_sent_again_with_more_documents_signs_only_the_new_ones(school: grpc.Channel) -> None:
    ids = {"request_id": fresh_id()}
    sign_batch(school, dict(list(CLASS.items())[:2]), **ids)
    again = sign_batch(school, CLASS, **ids)
    assert {result.document_id for result in again.results if result.replayed} == {"pupil-0", "pupil-1"}
    assert again.signed().keys() == CLASS.keys()


@pytest.mark.parametrize(
    "change",
    [
        {"plan": plan("cbql")},
        {"plan": plan(level=B_T)},
        {"plan": plan(field_name="OTHER")},
        {"plan": plan(algorithm=common_pb2.SIGNATURE_ALGORITHM_RSA_PSS_SHA256)},
        {"document": pdfs.report_card(99)},
    ],
    ids=["credential", "level", "field", "algorithm", "content"],
)
def test_the_same_ids_with_anything_else_are_refused_and_the_first_stands(
    change: dict[str, Any], school: grpc.Channel, world: World
) -> None:
    ids = {"request_id": fresh_id()}
    first = sign_document(school, CLASS["pupil-0"], **ids)
    with refused(RequestIdReused, grpcCode="ALREADY_EXISTS", documentId="d"):
        sign_document(school, **({"document": CLASS["pupil-0"]} | ids | change))
    assert sign_document(school, CLASS["pupil-0"], **ids).content == first.content
    assert intents(world.folder / "shared.db", ids["request_id"]) == ["d"]


def test_a_reused_id_fails_alone_in_its_class(school: grpc.Channel) -> None:
    ids = {"request_id": fresh_id()}
    sign_batch(school, CLASS, **ids)
    answers = sign_batch(school, CLASS | {"pupil-1": pdfs.report_card(77)}, **ids)
    assert answers.reasons() == {1: "REQUEST_ID_REUSED"}
    assert len(answers.signed()) == len(CLASS) - 1


def test_ids_are_a_schools_own(school: grpc.Channel, world: World, daemon: Running) -> None:
    """Another school may use the same request_id and document_id: it neither gets the first's signature nor an error that tells of it."""
    ids = {"request_id": fresh_id()}
    first = sign_document(school, CLASS["pupil-0"], **ids)
    with world.channel(daemon.port, "other-school") as channel:
        theirs = sign_document(channel, CLASS["pupil-0"], school_id="79000002", plan=plan("other"), **ids)
    assert not theirs.replayed
    assert theirs.content != first.content


def test_a_result_form_may_differ_between_repeats(school: grpc.Channel) -> None:
    ids = {"request_id": fresh_id()}
    first = sign_document(school, CLASS["pupil-0"], **ids)
    tail = sign_document(school, CLASS["pupil-0"], result_form=2, **ids)
    assert tail.replayed
    assert CLASS["pupil-0"] + tail.content == first.content


def test_fifty_parallel_duplicates_sign_once_and_share_the_outcome(school: grpc.Channel, world: World) -> None:
    ids: dict[str, Any] = {"request_id": fresh_id(), "plan": plan(level=B_T)}
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda _: sign_document(school, CLASS["pupil-0"], **ids), range(50)))
    assert len({answer.content for answer in answers}) == 1
    assert [answer.replayed for answer in answers].count(False) == 1
    assert intents(world.folder / "shared.db", ids["request_id"]) == ["d"]


def test_parallel_duplicates_of_a_class_in_different_orders_sign_each_once(school: grpc.Channel, world: World) -> None:
    ids = {"request_id": fresh_id()}
    orders = [dict(sorted(CLASS.items(), reverse=bool(turn % 2))) for turn in range(8)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda documents: sign_batch(school, documents, **ids), orders))
    assert all(answer.signed() == answers[0].signed() for answer in answers)
    assert sorted(intents(world.folder / "shared.db", ids["request_id"])) == sorted(CLASS)


def test_parallel_digest_calls_that_overlap_sign_each_digest_once(school: grpc.Channel, world: World) -> None:
    request_id = fresh_id()
    digests = {f"d{index}": hashlib.sha256(b"%d" % index).digest() for index in range(40)}
    orders = [dict(sorted(digests.items(), reverse=bool(turn % 2))) for turn in range(8)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda some: sign_digests(school, some, request_id=request_id, credential_id="ec"), orders))
    signatures = [{result.document_id: result.signature for result in answer.results} for answer in answers]
    assert all(found == signatures[0] for found in signatures), "ECDSA is not deterministic: equal bytes mean one signature"
    assert sorted(intents(world.folder / "shared.db", request_id)) == sorted(digests)


def test_digests_are_repeated_and_refused_like_documents(school: grpc.Channel) -> None:
    ids = {"request_id": fresh_id(), "credential_id": "ec"}
    first = sign_digests(school, {"a": bytes(32), "b": b"b" * 32}, **ids)
    again = sign_digests(school, {"b": b"b" * 32, "a": bytes(32), "c": b"c" * 32}, **ids)
    assert [result.replayed for result in again.results] == [True, True, False]
    assert again.results[1].signature == first.results[0].signature
    changed = sign_digests(school, {"a": b"x" * 32, "b": b"b" * 32}, **ids)
    assert reason_of(changed.results[0].status) == "REQUEST_ID_REUSED"
    assert changed.results[1].replayed


def test_what_was_signed_is_still_answered_after_the_daemon_was_started_again(world: World) -> None:
    few = {"processes": 1}
    config = world.config("restarted.toml", journal={"url": "sqlite:///restarted.db"}, token=few, documents=few)
    ids: dict[str, Any] = {"request_id": fresh_id(), "plan": plan(level=B_T)}
    with running_daemon(config) as before, world.channel(before.port) as channel:
        first = sign_batch(channel, CLASS, **ids)
        digest = sign_digests(channel, {"x": bytes(32)}, request_id=ids["request_id"], credential_id="ec").results[0]
    with running_daemon(config) as after, world.channel(after.port) as channel:
        again = sign_batch(channel, CLASS, **ids)
        assert again.signed() == first.signed()
        assert all(result.replayed for result in again.results)
        repeated = sign_digests(channel, {"x": bytes(32)}, request_id=ids["request_id"], credential_id="ec").results[0]
        assert (repeated.signature, repeated.replayed) == (digest.signature, True)
        with refused(RequestIdReused):
            sign_document(channel, CLASS["pupil-1"], document_id="pupil-0", **ids)
    assert sorted(intents(world.folder / "restarted.db", ids["request_id"])) == [*sorted(CLASS), "x"]
