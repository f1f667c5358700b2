"""Calls of TimestampService on the bare contract, and how others judge what they give."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import grpc

from signer.v1 import common_pb2, timestamp_pb2, timestamp_pb2_grpc
from tests.support import rfc4998
from tests.support.calls import TIMEOUT_S, fresh_id, our_errors
from tests.support.daemon import SCHOOL, World

SHA256 = common_pb2.DIGEST_ALGORITHM_SHA256
SHA512 = common_pb2.DIGEST_ALGORITHM_SHA512
NAMES: dict[int, str] = {SHA256: "sha256", common_pb2.DIGEST_ALGORITHM_SHA384: "sha384", SHA512: "sha512"}


def call(channel: grpc.Channel, method: str, /, **fields: Any) -> Any:
    """A unary method by its name; school_id is SCHOOL unless given. Raises what it fails with."""
    request = getattr(timestamp_pb2, f"{method}Request")
    if "school_id" in request.DESCRIPTOR.fields_by_name:
        fields = {"school_id": SCHOOL} | fields
    with our_errors():
        return getattr(timestamp_pb2_grpc.TimestampServiceStub(channel), method)(request(**fields), timeout=TIMEOUT_S)


def items(documents: Mapping[str, bytes], algorithm: int = SHA256) -> list[timestamp_pb2.EvidenceItem]:
    """Digests of documents."""
    return [
        timestamp_pb2.EvidenceItem(document_id=name, digest=hashlib.new(NAMES[algorithm], content).digest())
        for name, content in documents.items()
    ]


def digests(content: bytes, *algorithms: int) -> list[timestamp_pb2.DocumentDigest]:
    """One document's, as VerifyEvidenceRecord takes them."""
    chosen = algorithms or (SHA256,)
    return [timestamp_pb2.DocumentDigest(algorithm=cast("Any", one), digest=hashlib.new(NAMES[one], content).digest()) for one in chosen]


def create(channel: grpc.Channel, documents: Mapping[str, bytes], **changes: Any) -> timestamp_pb2.EvidenceRecord:
    """CreateEvidenceRecord."""
    fields: dict[str, Any] = {"request_id": fresh_id(), "items": items(documents, changes.get("digest_algorithm") or SHA256)} | changes
    record: timestamp_pb2.EvidenceRecord = call(channel, "CreateEvidenceRecord", **fields).evidence_record
    return record


def proofs(channel: grpc.Channel, record_id: str, documents: Mapping[str, bytes], **changes: Any) -> dict[str, bytes]:
    """Every document's own record; AssertionError when one is missing."""
    given = call(channel, "GetEvidenceRecord", evidence_record_id=record_id, document_ids=list(documents), **changes)
    assert [proof.document_id for proof in given.proofs] == list(documents)
    assert all(proof.status.code == 0 for proof in given.proofs)
    return {proof.document_id: proof.evidence_record for proof in given.proofs}


def others_accept(proof: bytes, document: bytes, world: World, folder: Path) -> int:
    """A stranger's reading of RFC 4998 and `openssl ts -verify` of every timestamp in it; how many those were."""
    stamps = rfc4998.stamps_that_prove(proof, [document])
    roots = world.ca_file.read_bytes()
    assert all(rfc4998.openssl_accepts(stamp, roots, folder) for stamp in stamps)
    return len(stamps)
