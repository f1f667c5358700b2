"""One evidence record over what a batch released: judged by others, complete over resumed runs, and never in a signature's way."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from signer.errors import InvalidArgument
from signer.v1 import common_pb2, plan_pb2, signing_pb2_grpc, timestamp_pb2
from tests.support import pdfs, pki, rfc4998
from tests.support.calls import Answers, Request, fresh_id, header, plan, reason_of, refused, sign_batch, sign_document, start
from tests.support.daemon import World, running_daemon
from tests.support.time_calls import SHA512, call, others_accept, proofs
from tests.support.tsa import TsaProcess, write_identity
from tests.support.waiting import until

CLASS = {f"pupil-{number}": pdfs.report_card(number, pages=1) for number in range(6)}
EVIDENCE = plan_pb2.EvidencePlan(create=True)


def with_evidence(**options: Any) -> plan_pb2.SigningPlan:
    return plan(evidence=options.pop("evidence", EVIDENCE), **options)


def covered(channel: grpc.Channel, answers: Answers) -> timestamp_pb2.EvidenceRecord:
    """The record that a batch's summary names."""
    assert answers.summary is not None
    assert answers.summary.HasField("evidence_status")
    assert answers.summary.evidence_status.code == 0, answers.summary.evidence_status
    record: timestamp_pb2.EvidenceRecord = call(
        channel, "GetEvidenceRecord", evidence_record_id=answers.summary.evidence_record_id
    ).evidence_record
    return record


def require_proofs(channel: grpc.Channel, record: timestamp_pb2.EvidenceRecord, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Each file, as it was released, is proven by its own record."""
    assert record.document_count == len(files)
    given = proofs(channel, record.evidence_record_id, files)
    for name, content in files.items():
        rfc4998.stamps_that_prove(given[name], [content])
    return given


def test_the_files_of_a_batch_are_proven_by_one_timestamp(school: grpc.Channel, world: World, tmp_path: Path) -> None:
    answers = sign_batch(school, CLASS, plan=with_evidence())
    record = covered(school, answers)
    given = require_proofs(school, record, answers.signed())
    assert others_accept(given["pupil-0"], answers.signed()["pupil-0"], world, tmp_path) == 1


def test_a_document_that_failed_is_not_covered_and_a_repeat_gives_the_same_record(school: grpc.Channel) -> None:
    ids: dict[str, Any] = {"request_id": fresh_id(), "plan": with_evidence()}
    documents = {**CLASS, "letter": b"Dear parents", "empty": b""}
    first = sign_batch(school, documents, **ids)
    record = covered(school, first)
    require_proofs(school, record, first.signed())
    assert set(first.signed()) == set(CLASS)
    again = sign_batch(school, documents, **ids)
    assert covered(school, again) == record, "the same files: no further timestamp"


def test_a_resumed_batch_covers_what_earlier_runs_released(school: grpc.Channel) -> None:
    """The first stream is cut before its summary; the second brings the rest alone, as the client library and the command line do."""
    ids: dict[str, Any] = {"request_id": fresh_id(), "plan": with_evidence()}
    names = list(CLASS)
    early: dict[str, bytes] = {}
    messages = iter([Request(header=header(**ids)), *[start(name, CLASS[name]) for name in names[:3]]])
    stream = signing_pb2_grpc.SigningServiceStub(school).BatchSignDocuments(itertools.chain(messages, _nothing_more()), timeout=60)
    for message in stream:
        if message.WhichOneof("message") == "result":
            early[message.result.document_id] = message.result.content
            assert len(message.result.content) == message.result.content_size_bytes
        if len(early) == 3:
            stream.cancel()
            break
    listed = call(school, "ListEvidenceRecords").evidence_records
    assert ids["request_id"] not in {record.request_id for record in listed}, "a stream that was cut ends without evidence"
    later = sign_batch(school, {name: CLASS[name] for name in names[3:]}, **ids)
    require_proofs(school, covered(school, later), early | later.signed())


def _nothing_more() -> Any:
    """Keeps a stream open without sending."""
    threading.Event().wait(60)
    yield from ()


def test_a_run_that_adds_files_gets_a_further_record_over_all_and_the_first_one_stands(school: grpc.Channel) -> None:
    ids: dict[str, Any] = {"request_id": fresh_id(), "plan": with_evidence()}
    first = sign_batch(school, dict(list(CLASS.items())[:2]), **ids)
    second = sign_batch(school, dict(list(CLASS.items())[2:]), **ids)
    third = sign_batch(school, [], **ids)
    assert covered(school, first).document_count == 2
    require_proofs(school, covered(school, second), first.signed() | second.signed())
    assert covered(school, third) == covered(school, second), "a run without documents gives the record over all"


def test_parallel_runs_of_one_request_end_with_a_record_over_all_their_files(school: grpc.Channel) -> None:
    ids: dict[str, Any] = {"request_id": fresh_id(), "plan": with_evidence()}
    names = list(CLASS)
    with ThreadPoolExecutor(3) as threads:
        runs = list(
            threads.map(
                lambda part: sign_batch(school, {name: CLASS[name] for name in part}, **ids), (names[::3], names[1::3], names[2::3])
            )
        )
    largest = max((covered(school, run) for run in runs), key=lambda record: record.document_count)
    released = {name: content for run in runs for name, content in run.signed().items()}
    require_proofs(school, largest, released)
    assert covered(school, sign_batch(school, [], **ids)) == largest


def test_evidence_can_be_asked_for_after_a_class_was_signed(school: grpc.Channel) -> None:
    ids: dict[str, Any] = {"request_id": fresh_id()}
    signed = sign_batch(school, CLASS, plan=plan(), **ids)
    assert signed.summary is not None
    assert not signed.summary.HasField("evidence_status")
    later = sign_batch(school, [], plan=with_evidence(), **ids)
    require_proofs(school, covered(school, later), signed.signed())


def test_a_batch_of_which_nothing_is_signed_has_no_evidence_and_says_why(school: grpc.Channel) -> None:
    answers = sign_batch(school, {"letter": b"Dear parents"}, plan=with_evidence())
    assert answers.summary is not None
    assert answers.summary.evidence_record_id == ""
    assert reason_of(answers.summary.evidence_status) == "DOCUMENT_NOT_FOUND"


def test_two_documents_whose_signed_files_are_equal_are_both_proven(school: grpc.Channel) -> None:
    content = CLASS["pupil-0"]
    answers = sign_batch(school, {"one": content, "two": content}, plan=with_evidence())
    require_proofs(school, covered(school, answers), answers.signed())


def test_a_sha512_tree_covers_resumed_runs_too(school: grpc.Channel, world: World, tmp_path: Path) -> None:
    longer = with_evidence(evidence=plan_pb2.EvidencePlan(create=True, digest_algorithm=common_pb2.DIGEST_ALGORITHM_SHA512))
    ids: dict[str, Any] = {"request_id": fresh_id(), "plan": longer}
    first = sign_batch(school, dict(list(CLASS.items())[:2]), **ids)
    second = sign_batch(school, dict(list(CLASS.items())[2:]), **ids)
    record = covered(school, second)
    assert record.digest_algorithm == SHA512
    given = require_proofs(school, record, first.signed() | second.signed())
    assert others_accept(given["pupil-0"], first.signed()["pupil-0"], world, tmp_path) == 1


def test_a_digest_that_an_earlier_run_did_not_make_is_missing_until_its_documents_come_again(school: grpc.Channel) -> None:
    ids: dict[str, Any] = {"request_id": fresh_id()}
    longer = with_evidence(evidence=plan_pb2.EvidencePlan(create=True, digest_algorithm=common_pb2.DIGEST_ALGORITHM_SHA512))
    signed = sign_batch(school, CLASS, plan=plan(), **ids)
    missing = sign_batch(school, [], plan=longer, **ids)
    assert missing.summary is not None
    assert reason_of(missing.summary.evidence_status) == "INVALID_ARGUMENT"
    assert "send it again" in missing.summary.evidence_status.message
    again = sign_batch(school, CLASS, plan=longer, **ids)
    require_proofs(school, covered(school, again), signed.signed())


def test_evidence_is_for_batches_and_only_when_it_is_to_be_created(school: grpc.Channel) -> None:
    with refused(InvalidArgument, field="plan.evidence"):
        sign_document(school, CLASS["pupil-0"], plan=with_evidence())
    answers = sign_batch(school, CLASS, plan=with_evidence(evidence=plan_pb2.EvidencePlan(create=False)))
    assert answers.summary is not None
    assert not answers.summary.HasField("evidence_status")
    with refused(InvalidArgument):
        sign_batch(school, CLASS, plan=with_evidence(evidence=plan_pb2.EvidencePlan(create=True, digest_algorithm=9)))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Shortage:
    """A daemon whose one outside authority is down at first."""

    tsa: TsaProcess
    channel: grpc.Channel


@pytest.fixture
def shortage(world: World, tmp_path: Path) -> Iterator[Shortage]:
    write_identity(tmp_path / "tsa", pki.tsa())
    (tmp_path / "root.pem").write_bytes(pki.root().pem)
    tsa = TsaProcess(tmp_path / "tsa")
    tsa.start()
    tsa.kill()
    servers = [{"name": "only", "url": tsa.url, "ca_files": [str(tmp_path / "root.pem")], "timeout_s": 2.0, "pause_s_max": 1.0}]
    few = {"processes": 1}
    stamping = {"patience_s": 0.5, "complete_interval_s": 1.0}
    changes: dict[str, Any] = {"token": few, "documents": few, "tsas": servers, "stamping": stamping}
    config = world.config("shortage.toml", journal={"url": f"sqlite:///{tmp_path}/shortage.db"}, **changes)
    with running_daemon(config) as daemon, world.channel(daemon.port) as channel:
        yield Shortage(tsa, channel)
    tsa.kill()


def is_covered(answers: Answers) -> bool:
    return answers.summary is not None and answers.summary.evidence_record_id != ""


def last_of(run: Callable[[], Answers], is_enough: Callable[[Answers], bool]) -> Answers:
    """Runs until it is enough: the authority is left alone for a while after its failures."""
    runs: list[Answers] = []

    def again() -> bool:
        runs.append(run())
        return is_enough(runs[-1])

    until(again, "enough")
    return runs[-1]


def test_without_a_timestamp_the_signatures_stand_and_the_evidence_comes_later(shortage: Shortage) -> None:
    ids: dict[str, Any] = {"request_id": fresh_id(), "plan": with_evidence()}
    signed = sign_batch(shortage.channel, CLASS, **ids)
    assert set(signed.signed()) == set(CLASS)
    assert signed.summary is not None
    assert reason_of(signed.summary.evidence_status) == "TIMESTAMP_UNAVAILABLE"
    assert signed.summary.evidence_record_id == ""
    shortage.tsa.start()
    again = last_of(lambda: sign_batch(shortage.channel, [], **ids), is_covered)
    require_proofs(shortage.channel, covered(shortage.channel, again), signed.signed())


def test_parked_documents_are_covered_as_they_were_released(shortage: Shortage) -> None:
    """A parked document has no file yet; it is covered by the run that fetches it, and stays covered by later ones."""
    parking = with_evidence(level=common_pb2.LEVEL_B_T, timestamp_shortage=plan_pb2.TIMESTAMP_SHORTAGE_PARK)
    ids: dict[str, Any] = {"request_id": fresh_id(), "plan": parking}
    channel = shortage.channel
    parked = sign_batch(channel, CLASS, **ids)
    assert parked.summary is not None
    assert (parked.summary.pending, parked.summary.evidence_record_id) == (len(CLASS), "")
    shortage.tsa.start()
    fetched = last_of(
        lambda: sign_batch(channel, CLASS, **ids), lambda answers: len(answers.signed()) == len(CLASS) and is_covered(answers)
    )
    record = covered(channel, fetched)
    require_proofs(channel, record, fetched.signed())
    assert covered(channel, sign_batch(channel, [], **ids)) == record, "covered once, covered for good"
