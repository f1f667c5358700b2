"""`SignerClient.time` and evidence over batches, against the real daemon: what school software is promised about time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from signer.algorithms import DigestAlgorithm
from signer.client import Document, SignerClient
from signer.errors import DocumentNotFound, EvidenceRecordNotFound, InvalidArgument, RequestIdReused, SchoolNotFound, VerificationFailed
from tests.e2e.test_client_batches import client_of
from tests.support import pdfs, rfc4998
from tests.support.calls import fresh_id
from tests.support.daemon import OTHER_SCHOOL, SCHOOL, Running, World
from tests.support.proxy import Proxy
from tests.support.time_calls import others_accept

CARDS = {f"pupil-{number}": pdfs.report_card(number, pages=1) for number in range(30)}


@pytest.fixture(scope="module")
def client(world: World, daemon: Running) -> Iterator[SignerClient]:
    with client_of(world, daemon.port) as made:
        yield made


def digests(documents: dict[str, bytes], algorithm: str = "sha256") -> dict[str, bytes]:
    return {name: hashlib.new(algorithm, content).digest() for name, content in documents.items()}


def test_more_imprints_than_one_call_takes_are_stamped_in_their_order(client: SignerClient) -> None:
    imprints = [hashlib.sha256(b"%d" % number).digest() for number in range(600)]
    stamps = client.time.stamp(imprints, school_id=SCHOOL, timeout_s=120)
    assert all(stamp.ok for stamp in stamps)
    assert len({stamp.serial for stamp in stamps}) == 600
    assert all(imprint in stamp.timestamp for imprint, stamp in zip(imprints, stamps, strict=True))
    assert {stamp.authority_name for stamp in stamps} == {"built-in"}
    [bare] = client.time.stamp(imprints[:1], school_id=SCHOOL, with_certificates=False)
    assert len(bare.timestamp) < len(stamps[0].timestamp)
    with pytest.raises(InvalidArgument):
        client.time.stamp(imprints[:1], school_id=SCHOOL, policy_oid="1.2.3")
    with pytest.raises(InvalidArgument, match="sha1"):
        client.time.stamp([bytes(20)], school_id=SCHOOL, digest_algorithm="sha1")
    with pytest.raises(SchoolNotFound):
        client.time.stamp(imprints[:1], school_id=OTHER_SCHOOL)


def test_authorities_are_told_with_their_state(client: SignerClient) -> None:
    [built_in] = client.time.authorities()
    assert (built_in.name, built_in.is_built_in, built_in.state) == ("built-in", True, "READY")
    assert built_in.not_after is not None


def test_evidence_of_a_grade_is_made_given_verified_listed_and_renewed(client: SignerClient, world: World, tmp_path: Path) -> None:
    """Of 1,200 pupils: more proofs than one answer holds, so the client asks in several calls."""
    documents = {f"pupil-{number}": b"card %d" % number for number in range(1200)}
    request_id = fresh_id()
    record = client.time.create_evidence(digests(documents), school_id=SCHOOL, request_id=request_id)
    assert record == client.time.create_evidence(digests(documents), school_id=SCHOOL, request_id=request_id)
    with pytest.raises(RequestIdReused):
        client.time.create_evidence({"a": bytes(32)}, school_id=SCHOOL, request_id=request_id)
    for number in range(3):
        renewed = client.time.renew_evidence(record.id, school_id=SCHOOL, request_id=f"{request_id}/{number}")
    tree = client.time.renew_evidence(record.id, school_id=SCHOOL, request_id=f"{request_id}/tree", digests=digests(documents, "sha512"))
    assert (record.chains, renewed.chains, tree.chains, tree.digest_algorithm) == (1, 1, 2, DigestAlgorithm.SHA512)
    proofs = list(client.time.proofs(record.id, [*documents, "nobody"], school_id=SCHOOL))
    assert [proof.document_id for proof in proofs] == [*documents, "nobody"]
    assert sum(len(proof.record) for proof in proofs) > 4 * 1024 * 1024, "more than one message"
    with pytest.raises(DocumentNotFound):
        _ = proofs[-1].content
    assert others_accept(proofs[7].content, documents["pupil-7"], world, tmp_path) == 5
    both = {name: hashlib.new(name, documents["pupil-7"]).digest() for name in ("sha256", "sha512")}
    proven = client.time.verify_evidence(proofs[7].content, both)
    assert (proven.proven_time, proven.renew_before) == (record.first_time, tree.renew_before)
    with pytest.raises(VerificationFailed):
        client.time.verify_evidence(proofs[8].content, both)
    listed = client.time.evidence_records(SCHOOL, renew_before=datetime.now(UTC) + timedelta(days=36_500))
    assert tree in list(listed)
    assert client.time.evidence_record(record.id, school_id=SCHOOL) == tree
    with pytest.raises(EvidenceRecordNotFound):
        client.time.evidence_record("er-0", school_id=SCHOOL)


def test_a_batch_over_broken_connections_ends_with_evidence_over_all_of_it(world: World, daemon: Running) -> None:
    with Proxy(daemon.port) as proxy, client_of(world, proxy.port) as client:
        proxy.cut_after(60_000)
        documents = [Document(name, content) for name, content in CARDS.items()]
        plan: dict[str, Any] = {"school_id": SCHOOL, "credential_id": "gvcn", "level": "b-b"}
        batch = client.sign_batch(documents, request_id=fresh_id(), evidence="sha256", **plan)
        signed = {result.document_id: result.content for result in batch}
        assert batch.summary.interruptions > 0
        assert batch.evidence is not None
        assert batch.evidence.error is None
        for proof in client.time.proofs(batch.evidence.record_id, signed, school_id=SCHOOL):
            rfc4998.stamps_that_prove(proof.content, [signed[proof.document_id]])
        again = client.sign_batch([], request_id=batch.request_id, evidence="sha256", **plan)
        assert list(again) == []
        assert again.evidence == batch.evidence


def test_a_batch_without_evidence_tells_of_none_and_one_with_nothing_signed_says_why(client: SignerClient) -> None:
    plan: dict[str, Any] = {"school_id": SCHOOL, "credential_id": "gvcn", "level": "b-b"}
    batch = client.sign_batch([Document("a", CARDS["pupil-0"])], request_id=fresh_id(), **plan)
    assert [result.ok for result in batch] == [True]
    assert batch.evidence is None
    bad = client.sign_batch([Document("a", b"no PDF")], request_id=fresh_id(), evidence="sha256", **plan)
    assert [result.ok for result in bad] == [False]
    assert bad.evidence is not None
    assert isinstance(bad.evidence.error, DocumentNotFound)
    with pytest.raises(InvalidArgument):
        client.sign_batch([], request_id=fresh_id(), evidence="md5", **plan)
