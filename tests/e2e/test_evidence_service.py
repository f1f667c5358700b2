"""Evidence records over gRPC: made once, kept, given document by document, renewed; judged by others than us."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from signer.algorithms import DigestAlgorithm
from signer.errors import (
    BatchTooLarge,
    DocumentDamaged,
    EvidenceRecordNotFound,
    InvalidArgument,
    RequestIdReused,
    SchoolNotFound,
    SignerError,
)
from signer.formats.evidence import build, evidence_record
from signer.rpc_status import from_rpc_status
from signer.v1 import timestamp_pb2
from tests.support import rfc4998
from tests.support.calls import fresh_id, reason_of, refused
from tests.support.daemon import OTHER_SCHOOL, Running, World
from tests.support.stamping import stamp
from tests.support.time_calls import SHA256, SHA512, call, create, digests, items, others_accept, proofs

CLASS = {f"pupil-{number:02}": b"%%PDF signed report card %d" % number for number in range(35)}
BY_TIMESTAMP = timestamp_pb2.RENEWAL_KIND_TIMESTAMP
BY_HASH_TREE = timestamp_pb2.RENEWAL_KIND_HASH_TREE


def verdict(channel: grpc.Channel, proof: bytes, content: bytes, *algorithms: int) -> timestamp_pb2.VerifyEvidenceRecordResponse:
    answer: timestamp_pb2.VerifyEvidenceRecordResponse = call(
        channel, "VerifyEvidenceRecord", evidence_record=proof, digests=digests(content, *algorithms)
    )
    return answer


def test_every_pupil_of_a_class_gets_a_proof_that_others_accept(school: grpc.Channel, world: World, tmp_path: Path) -> None:
    record = create(school, CLASS)
    assert (record.document_count, record.digest_algorithm, record.chain_count, record.school_id) == (35, SHA256, 1, "79000001")
    assert record.first_time == record.latest_time
    given = proofs(school, record.evidence_record_id, CLASS)
    timestamps = {rfc4998.stamps_that_prove(proof, [CLASS[name]])[0].timestamp for name, proof in given.items()}
    assert len(timestamps) == 1, "one timestamp for all"
    assert others_accept(given["pupil-07"], CLASS["pupil-07"], world, tmp_path) == 1
    for name in ("pupil-00", "pupil-34"):
        answer = verdict(school, given[name], CLASS[name])
        assert answer.verdict.code == 0
        assert (answer.proven_time, answer.renew_before) == (record.first_time, record.renew_before)


def test_what_was_tampered_with_is_not_proven(school: grpc.Channel) -> None:
    record = create(school, CLASS)
    proof = proofs(school, record.evidence_record_id, {"pupil-03": b""})["pupil-03"]
    changed = verdict(school, proof, CLASS["pupil-03"] + b" ")
    neighbour = verdict(school, proof, CLASS["pupil-04"])
    for answer in (changed, neighbour):
        assert reason_of(answer.verdict) == "VERIFICATION_FAILED"
        assert not answer.HasField("proven_time")
    leaf = hashlib.sha256(CLASS["pupil-03"]).digest()
    at = proof.index(leaf)
    forged = proof[:at] + hashlib.sha256(b"forged").digest() + proof[at + 32 :]
    assert reason_of(verdict(school, forged, b"forged").verdict) == "VERIFICATION_FAILED"
    with refused(DocumentDamaged):
        verdict(school, proof[:-1], CLASS["pupil-03"])
    with pytest.raises(AssertionError):
        rfc4998.stamps_that_prove(forged, [b"forged"])


def test_a_repeat_returns_the_same_record_whatever_its_order_and_other_content_is_refused(school: grpc.Channel) -> None:
    ids = {"request_id": fresh_id()}
    first = create(school, CLASS, **ids)
    assert create(school, dict(reversed(CLASS.items())), **ids) == first
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: create(school, CLASS, **ids), range(8)))
    assert answers == [first] * 8
    for other in ({**CLASS, "pupil-00": b"else"}, {"pupil-00": CLASS["pupil-00"]}):
        with refused(RequestIdReused, grpcCode="ALREADY_EXISTS"):
            create(school, other, **ids)
    with refused(RequestIdReused):
        create(school, CLASS, digest_algorithm=SHA512, **ids)


def test_parallel_first_requests_make_one_record(school: grpc.Channel) -> None:
    ids = {"request_id": fresh_id()}
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: create(school, CLASS, **ids), range(8)))
    assert len({answer.evidence_record_id for answer in answers}) == 1


def test_documents_that_are_not_covered_have_their_own_status(school: grpc.Channel) -> None:
    record = create(school, CLASS)
    given = call(school, "GetEvidenceRecord", evidence_record_id=record.evidence_record_id, document_ids=["pupil-01", "nobody", "pupil-02"])
    assert given.evidence_record == record
    assert [proof.status.code for proof in given.proofs] == [0, grpc.StatusCode.NOT_FOUND.value[0], 0]
    assert reason_of(given.proofs[1].status) == "DOCUMENT_NOT_FOUND"
    assert not given.proofs[1].evidence_record
    assert not call(school, "GetEvidenceRecord", evidence_record_id=record.evidence_record_id).proofs


def test_another_schools_record_looks_as_if_it_did_not_exist(school: grpc.Channel, world: World, daemon: Running) -> None:
    record = create(school, CLASS)
    with world.channel(daemon.port, "other-school") as channel:
        told: list[str] = []
        for record_id in (record.evidence_record_id, "er-" + "0" * 32):
            with refused(EvidenceRecordNotFound, grpcCode="NOT_FOUND") as caught:
                call(channel, "GetEvidenceRecord", school_id=OTHER_SCHOOL, evidence_record_id=record_id)
            told.append(caught.value.message.replace(record_id, "…"))
            with refused(EvidenceRecordNotFound):
                renewal = {"request_id": fresh_id(), "kind": BY_TIMESTAMP, "evidence_record_id": record_id}
                call(channel, "RenewEvidenceRecord", school_id=OTHER_SCHOOL, **renewal)
            with refused(InvalidArgument):
                call(channel, "ListEvidenceRecords", school_id=OTHER_SCHOOL, page_token=record_id)
        assert told[0] == told[1]
        assert not call(channel, "ListEvidenceRecords", school_id=OTHER_SCHOOL).evidence_records
        theirs = create(channel, CLASS, school_id=OTHER_SCHOOL, request_id=record.request_id)
        assert theirs.evidence_record_id != record.evidence_record_id
        for method in ("CreateEvidenceRecord", "GetEvidenceRecord", "ListEvidenceRecords", "RenewEvidenceRecord", "StampImprints"):
            request = {"request_id": "r"} if method in {"CreateEvidenceRecord", "RenewEvidenceRecord"} else {}
            with refused(SchoolNotFound, grpcCode="NOT_FOUND"):
                call(channel, method, **request)


def test_records_are_listed_newest_first_page_by_page(world: World, daemon: Running) -> None:
    with world.channel(daemon.port, "other-school") as channel:
        before = len(call(channel, "ListEvidenceRecords", school_id=OTHER_SCHOOL).evidence_records)
        made = [create(channel, {"a": b"%d" % number}, school_id=OTHER_SCHOOL) for number in range(5)]
        pages: list[list[str]] = []
        token = ""
        while True:
            answer = call(channel, "ListEvidenceRecords", school_id=OTHER_SCHOOL, page_size=2, page_token=token)
            pages.append([record.evidence_record_id for record in answer.evidence_records])
            token = answer.next_page_token
            if not token:
                break
        assert all(len(page) == 2 for page in pages[:-1])
        listed = [record_id for page in pages for record_id in page]
        assert listed[:5] == [record.evidence_record_id for record in reversed(made)]
        assert len(listed) == 5 + before
        soon, late = Timestamp(), Timestamp()
        soon.FromDatetime(datetime.now(UTC) + timedelta(days=1))
        late.FromDatetime(datetime.now(UTC) + timedelta(days=36_500))
        assert not call(channel, "ListEvidenceRecords", school_id=OTHER_SCHOOL, renew_before=soon).evidence_records
        assert len(call(channel, "ListEvidenceRecords", school_id=OTHER_SCHOOL, renew_before=late).evidence_records) == 5 + before


def test_renewals_by_timestamp_and_by_hash_tree_keep_what_came_before(school: grpc.Channel, world: World, tmp_path: Path) -> None:
    record = create(school, CLASS)
    record_id = record.evidence_record_id
    first = proofs(school, record_id, CLASS)
    renewal: dict[str, Any] = {"request_id": fresh_id(), "evidence_record_id": record_id, "kind": BY_TIMESTAMP}
    renewed = call(school, "RenewEvidenceRecord", **renewal).evidence_record
    assert (renewed.chain_count, renewed.first_time) == (1, record.first_time)
    assert renewed.latest_time.ToDatetime() >= record.latest_time.ToDatetime()
    assert call(school, "RenewEvidenceRecord", **renewal).evidence_record == renewed, "a repeat renews no second time"
    with refused(RequestIdReused):
        other = create(school, CLASS)
        call(school, "RenewEvidenceRecord", **{**renewal, "evidence_record_id": other.evidence_record_id})
    second = proofs(school, record_id, CLASS)
    assert all(others_accept(second[name], CLASS[name], world, tmp_path) == 2 for name in ("pupil-00", "pupil-34"))

    tree = {"request_id": fresh_id(), "evidence_record_id": record_id, "kind": BY_HASH_TREE, "digest_algorithm": SHA512}
    again = call(school, "RenewEvidenceRecord", items=items(CLASS, SHA512), **tree).evidence_record
    assert (again.chain_count, again.digest_algorithm) == (2, SHA512)
    third = proofs(school, record_id, CLASS)
    call(school, "RenewEvidenceRecord", **{**renewal, "request_id": fresh_id()})
    last = proofs(school, record_id, CLASS)
    for name, content in CLASS.items():
        stamps = rfc4998.stamps_that_prove(last[name], [content])
        assert [stamp.digest for stamp in stamps] == ["sha256", "sha256", "sha512", "sha512"]
        earlier = rfc4998.stamps_that_prove(first[name], [content])
        assert stamps[0] == earlier[0]
        assert stamps[:3] == rfc4998.stamps_that_prove(third[name], [content])
    assert others_accept(last["pupil-05"], CLASS["pupil-05"], world, tmp_path) == 4
    assert verdict(school, last["pupil-05"], CLASS["pupil-05"], SHA256, SHA512).verdict.code == 0
    with refused(InvalidArgument):
        verdict(school, last["pupil-05"], CLASS["pupil-05"], SHA256)
    answer = verdict(school, first["pupil-05"], CLASS["pupil-05"])
    assert answer.verdict.code == 0, "the proof from before the renewals stands until its own timestamp ends"


def test_a_record_of_a_sha512_tree_is_made_and_proven(school: grpc.Channel, world: World, tmp_path: Path) -> None:
    record = create(school, CLASS, digest_algorithm=SHA512)
    proof = proofs(school, record.evidence_record_id, {"pupil-11": b""})["pupil-11"]
    assert others_accept(proof, CLASS["pupil-11"], world, tmp_path) == 1


ONE = {"a": b"a"}
TWICE = [*items(ONE), *items({"b": b"a"})]
REFUSALS: dict[str, tuple[str, dict[str, Any], type[SignerError]]] = {
    "no documents": ("CreateEvidenceRecord", {"items": []}, InvalidArgument),
    "an id twice": ("CreateEvidenceRecord", {"items": [*items(ONE), *items({"a": b"b"})]}, InvalidArgument),
    "a digest twice": ("CreateEvidenceRecord", {"items": TWICE}, InvalidArgument),
    "a short digest": ("CreateEvidenceRecord", {"items": [timestamp_pb2.EvidenceItem(document_id="a", digest=b"x")]}, InvalidArgument),
    "another digest's length": ("CreateEvidenceRecord", {"digest_algorithm": SHA512}, InvalidArgument),
    "an unknown digest": ("CreateEvidenceRecord", {"digest_algorithm": 9}, InvalidArgument),
    "no request id": ("CreateEvidenceRecord", {"request_id": ""}, InvalidArgument),
    "a document id that is none": ("CreateEvidenceRecord", {"items": items({"Nguyễn Văn A": b""})}, InvalidArgument),
    "more than a batch": (
        "CreateEvidenceRecord",
        {"items": items({str(number): b"%d" % number for number in range(10_001)})},
        BatchTooLarge,
    ),
    "no record id": ("GetEvidenceRecord", {}, InvalidArgument),
    "no such record": ("GetEvidenceRecord", {"evidence_record_id": "er-0"}, EvidenceRecordNotFound),
    "too many proofs": ("GetEvidenceRecord", {"evidence_record_id": "er-0", "document_ids": ["a"] * 1001}, BatchTooLarge),
    "a page token of nowhere": ("ListEvidenceRecords", {"page_token": "7"}, InvalidArgument),
    "a time that is none": ("ListEvidenceRecords", {"renew_before": Timestamp(seconds=1 << 60)}, InvalidArgument),
    "no evidence": ("VerifyEvidenceRecord", {"evidence_record": b"", "digests": digests(b"")}, DocumentDamaged),
    "evidence that is none": ("VerifyEvidenceRecord", {"evidence_record": b"\x30\x00", "digests": digests(b"")}, DocumentDamaged),
    "no digest to verify": ("VerifyEvidenceRecord", {"evidence_record": b"\x30\x00"}, InvalidArgument),
    "two documents' digests": ("VerifyEvidenceRecord", {"digests": [*digests(b"a"), *digests(b"b")]}, InvalidArgument),
    "a digest of no algorithm": ("VerifyEvidenceRecord", {"digests": [timestamp_pb2.DocumentDigest(digest=bytes(32))]}, InvalidArgument),
    "no kind of renewal": ("RenewEvidenceRecord", {"evidence_record_id": "er-0"}, InvalidArgument),
    "an unknown kind": ("RenewEvidenceRecord", {"evidence_record_id": "er-0", "kind": 7}, InvalidArgument),
    "a renewal of nothing": ("RenewEvidenceRecord", {"evidence_record_id": "er-0", "kind": BY_TIMESTAMP}, EvidenceRecordNotFound),
    "digests for a timestamp": (
        "RenewEvidenceRecord",
        {"evidence_record_id": "er-0", "kind": BY_TIMESTAMP, "items": items(ONE)},
        InvalidArgument,
    ),
    "no digest for a tree": (
        "RenewEvidenceRecord",
        {"evidence_record_id": "er-0", "kind": BY_HASH_TREE, "items": items(ONE)},
        InvalidArgument,
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_the_contract_refuses_is_refused_by_name_and_nothing_is_made(name: str, school: grpc.Channel) -> None:
    method, fields, kind = REFUSALS[name]
    if method in {"CreateEvidenceRecord", "RenewEvidenceRecord"}:
        fields = {"request_id": fresh_id()} | fields
    if method == "CreateEvidenceRecord":
        fields = {"items": items(ONE)} | fields
    with refused(kind):
        call(school, method, **fields)
    if method == "CreateEvidenceRecord" and fields["request_id"]:
        assert create(school, {"free": b"free"}, request_id=fields["request_id"]).document_count == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"items": items(dict(list(CLASS.items())[1:]), SHA512)},
        {"items": items({**CLASS, "stranger": b""}, SHA512)},
        {"items": items({**dict(list(CLASS.items())[1:]), "stranger": b""}, SHA512)},
        {"items": items(CLASS), "digest_algorithm": SHA256},
        {"items": items(CLASS), "digest_algorithm": SHA512},
    ],
    ids=["one missing", "one too many", "one for another", "the same digest again", "digests of another length"],
)
def test_a_hash_tree_that_does_not_fit_the_record_is_refused_and_the_record_stays(wrong: dict[str, Any], school: grpc.Channel) -> None:
    record = create(school, CLASS)
    ids = {"request_id": fresh_id(), "evidence_record_id": record.evidence_record_id, "kind": BY_HASH_TREE}
    with refused(InvalidArgument):
        call(school, "RenewEvidenceRecord", **({"digest_algorithm": SHA512} | ids | wrong))
    assert call(school, "GetEvidenceRecord", evidence_record_id=record.evidence_record_id).evidence_record == record


def test_more_proofs_than_fit_one_message_are_refused_with_how_many_do(school: grpc.Channel) -> None:
    documents = {f"d{number}": b"%d" % number for number in range(1000)}
    record = create(school, documents)
    renewal = {"evidence_record_id": record.evidence_record_id, "kind": BY_TIMESTAMP}
    for _ in range(2):
        call(school, "RenewEvidenceRecord", request_id=fresh_id(), **renewal)
    with refused(BatchTooLarge) as caught:
        proofs(school, record.evidence_record_id, documents)
    limit = int(caught.value.metadata["limitCount"])
    assert 100 < limit < 1000
    assert len(proofs(school, record.evidence_record_id, dict(list(documents.items())[:limit]))) == limit


def test_evidence_of_a_timestamp_whose_ca_is_not_trusted_proves_nothing(school: grpc.Channel) -> None:
    tree = build([hashlib.sha256(b"a").digest()], DigestAlgorithm.SHA256)
    foreign = evidence_record(stamp(tree.root, DigestAlgorithm.SHA256), tree.reduced(0), DigestAlgorithm.SHA256).encoded()
    answer = verdict(school, foreign, b"a")
    assert from_rpc_status(answer.verdict).metadata["check"] == "timestamp"
