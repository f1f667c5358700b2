"""What school software asks of the appliance about time: timestamps over digests, and evidence records (RFC 4998).

with SignerClient(…) as signer:
    record = signer.time.create_evidence(digests, school_id="79000001", request_id="1A-2026-evidence")
    for proof in signer.time.proofs(record.id, digests, school_id="79000001"):
        Path(f"{proof.document_id}.er").write_bytes(proof.content)
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Protocol, TypeVar

import grpc

from signer.algorithms import DigestAlgorithm
from signer.client import convert_time as convert
from signer.client.channel import Connection
from signer.client.retries import RetryPolicy
from signer.client.time_values import EvidenceProof, EvidenceRecord, ProvenTime, StampedImprint, TimestampAuthority
from signer.client.unary import call_patiently
from signer.errors import BatchTooLarge
from signer.v1 import timestamp_pb2, timestamp_pb2_grpc

TIMEOUT_S = 60.0
_STAMPS_PER_CALL = 250
_PROOFS_PER_CALL = 500

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class _Call(Protocol):
    """One portion's call."""

    def __call__(self, portion: list[Any], /) -> Iterable[Any]: ...


class TimeClient:
    """`SignerClient.time`. Every method repeats what may pass until its deadline, and raises the leaf of `signer.errors` that ended it."""

    def __init__(self, connection: Connection, policy: RetryPolicy) -> None:
        self._connection = connection
        self._policy = policy

    def stamp(
        self,
        imprints: Sequence[bytes],
        *,
        school_id: str,
        digest_algorithm: DigestAlgorithm | str = DigestAlgorithm.SHA256,
        policy_oid: str = "",
        with_certificates: bool = True,
        timeout_s: float = TIMEOUT_S,
    ) -> list[StampedImprint]:
        """A timestamp over each digest, or why there is none, in order; in as many calls as it takes.

        policy_oid: the TSA policy to stamp under, dotted; empty: the authority's own. A repeat makes new timestamps.
        """
        algorithm = convert.digest_number(digest_algorithm)
        deadline_s = time.monotonic() + timeout_s

        def call(portion: list[bytes]) -> Iterable[timestamp_pb2.TimestampResult]:
            request = timestamp_pb2.StampImprintsRequest(
                school_id=school_id,
                digest_algorithm=algorithm,
                imprints=portion,
                policy_oid=policy_oid,
                omit_certificate=not with_certificates,
            )
            return self._call(self._stub.StampImprints, request, deadline_s).results

        return list(map(convert.stamped_imprint, _in_portions(call, imprints, _STAMPS_PER_CALL)))

    def authorities(self, *, timeout_s: float = TIMEOUT_S) -> list[TimestampAuthority]:
        """Who gives timestamps, in order of preference, and how each does."""
        request = timestamp_pb2.ListTimestampAuthoritiesRequest()
        response = self._call(self._stub.ListTimestampAuthorities, request, time.monotonic() + timeout_s)
        return list(map(convert.timestamp_authority, response.authorities))

    def create_evidence(
        self,
        digests: Mapping[str, bytes],
        *,
        school_id: str,
        request_id: str,
        digest_algorithm: DigestAlgorithm | str = DigestAlgorithm.SHA256,
        timeout_s: float = TIMEOUT_S,
    ) -> EvidenceRecord:
        """One evidence record over documents, given by id and digest: one timestamp for 35 or 10,000. A repeat returns the same one."""
        request = timestamp_pb2.CreateEvidenceRecordRequest(
            request_id=request_id,
            school_id=school_id,
            digest_algorithm=convert.digest_number(digest_algorithm),
            items=convert.evidence_items(digests),
        )
        return convert.evidence_record(self._call(self._stub.CreateEvidenceRecord, request, time.monotonic() + timeout_s).evidence_record)

    def evidence_record(self, record_id: str, *, school_id: str, timeout_s: float = TIMEOUT_S) -> EvidenceRecord:
        """A record by its id, without its proofs."""
        request = timestamp_pb2.GetEvidenceRecordRequest(school_id=school_id, evidence_record_id=record_id)
        return convert.evidence_record(self._call(self._stub.GetEvidenceRecord, request, time.monotonic() + timeout_s).evidence_record)

    def proofs(
        self, record_id: str, document_ids: Iterable[str], *, school_id: str, timeout_s: float = TIMEOUT_S
    ) -> Iterator[EvidenceProof]:
        """The proof of each document, or why there is none, in order; in as many calls as it takes."""
        deadline_s = time.monotonic() + timeout_s

        def call(portion: list[str]) -> Iterable[timestamp_pb2.EvidenceProof]:
            request = timestamp_pb2.GetEvidenceRecordRequest(school_id=school_id, evidence_record_id=record_id, document_ids=portion)
            return self._call(self._stub.GetEvidenceRecord, request, deadline_s).proofs

        return map(convert.evidence_proof, _in_portions(call, document_ids, _PROOFS_PER_CALL))

    def evidence_records(
        self, school_id: str, *, renew_before: datetime | None = None, timeout_s: float = TIMEOUT_S
    ) -> Iterator[EvidenceRecord]:
        """A school's records, newest first; with `renew_before` (aware) those that must be renewed before then."""
        deadline_s = time.monotonic() + timeout_s
        request = timestamp_pb2.ListEvidenceRecordsRequest(school_id=school_id)
        if renew_before is not None:
            request.renew_before.FromDatetime(renew_before)
        while True:
            response = self._call(self._stub.ListEvidenceRecords, request, deadline_s)
            yield from map(convert.evidence_record, response.evidence_records)
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token

    def verify_evidence(
        self, record: bytes, digests: Mapping[DigestAlgorithm, bytes] | Mapping[str, bytes], *, timeout_s: float = TIMEOUT_S
    ) -> ProvenTime:
        """What an evidence record, DER, proves of one document, given by its digests; VerificationFailed when it does not."""
        request = timestamp_pb2.VerifyEvidenceRecordRequest(evidence_record=record, digests=convert.document_digests(digests))
        response = self._call(self._stub.VerifyEvidenceRecord, request, time.monotonic() + timeout_s)
        return convert.proven_time(response)

    def renew_evidence(
        self,
        record_id: str,
        *,
        school_id: str,
        request_id: str,
        digests: Mapping[str, bytes] | None = None,
        digest_algorithm: DigestAlgorithm | str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> EvidenceRecord:
        """The record, renewed by a new timestamp; with every document's digest by another algorithm, by a new hash tree."""
        request = timestamp_pb2.RenewEvidenceRecordRequest(
            request_id=request_id, school_id=school_id, evidence_record_id=record_id, kind=timestamp_pb2.RENEWAL_KIND_TIMESTAMP
        )
        if digests is not None:
            request.kind = timestamp_pb2.RENEWAL_KIND_HASH_TREE
            request.digest_algorithm = convert.digest_number(digest_algorithm or DigestAlgorithm.SHA512)
            request.items.extend(convert.evidence_items(digests))
        return convert.evidence_record(self._call(self._stub.RenewEvidenceRecord, request, time.monotonic() + timeout_s).evidence_record)

    @property
    def _stub(self) -> timestamp_pb2_grpc.TimestampServiceStub:
        return timestamp_pb2_grpc.TimestampServiceStub(self._connection.channel)

    def _call(self, method: grpc.UnaryUnaryMultiCallable[_Item, _Result], request: _Item, deadline_s: float) -> _Result:
        return call_patiently(method, request, policy=self._policy, deadline_s=deadline_s)


def _in_portions(call: _Call, items: Iterable[Any], count: int) -> Iterator[Any]:
    """The results of all items; portions become as small as the daemon says they must be."""
    waiting = iter(items)
    portion = list(islice(waiting, count))
    while portion:
        try:
            results = call(portion[:count])
        except BatchTooLarge as error:
            limit = int(error.metadata.get("limitCount", 0))
            if not 0 < limit < min(count, len(portion)):
                raise
            count = limit
            continue
        yield from results
        portion = [*portion[count:], *islice(waiting, max(0, count - len(portion[count:])))]
