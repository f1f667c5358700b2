"""Evidence records: what it costs to prove a class with one timestamp, over hashing its documents. Needs no daemon.

The subject is what a batch would do: hash every document, build the tree, ask the authority, make the class's record; and then every
document's own one. The reference hashes the same bytes. Both sides of a pair read the documents from memory.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, log2
from time import perf_counter, sleep

from signer.algorithms import DigestAlgorithm, SignatureAlgorithm
from signer.formats.evidence import Reduced, build_groups, evidence_record, evidence_records
from signer.timestamp.authority import Authority
from signer.timestamp.template import TimestampTemplate
from tests.bench.ground import Ground
from tests.bench.measure import Spread
from tests.bench.row import Row, Target
from tests.support import pki

ROUND_TRIP_S = 0.020
_DOCUMENT_BYTES = 27_000
_SHA256 = DigestAlgorithm.SHA256
_LARGE = 10_000
_DIFFERENT = 64
"""Documents kept in memory, used over again with a number in front."""


@dataclass(frozen=True, slots=True)
class EvidenceFigures:
    """Seconds of one run, the authority's round trip taken out. *_bytes: of a document's record, and its parts."""

    documents: int
    hashing_s: float
    class_record_s: float
    all_records_s: float
    record_bytes_max: int
    hashes_bytes_max: int
    timestamp_bytes: int

    @property
    def class_ratio(self) -> float:
        """Hashing, tree, request and the class's record over hashing alone."""
        return self.class_record_s / self.hashing_s

    @property
    def all_ratio(self) -> float:
        """The same with every document's own record."""
        return self.all_records_s / self.hashing_s

    @property
    def fixed_bytes(self) -> int:
        """Of the largest record, beside 32 bytes a level."""
        return self.record_bytes_max - 32 * ceil(log2(self.documents)) if self.documents > 1 else self.record_bytes_max


class _Tsa:
    """The built-in authority behind a simulated network; `spent_s` is what it took."""

    def __init__(self) -> None:
        algorithm, issued, numbers = SignatureAlgorithm.RSA_PKCS1_SHA256, pki.tsa(), itertools.count(1)

        async def sign(digest: bytes, _serial: int) -> bytes:
            return pki.sign(issued.key, algorithm, digest)

        async def serials() -> int:
            return next(numbers)

        template = TimestampTemplate.build(issued.der, (pki.authority().der,), algorithm, policy_oid="2.999.3161.1", accuracy_ms=1000)
        self._authority = Authority(template, sign, serials, lambda: datetime.now(UTC))
        self.spent_s = 0.0

    def stamp(self, root: bytes) -> bytes:
        begun = perf_counter()
        sleep(ROUND_TRIP_S)
        timestamp = asyncio.run(self._authority.stamp(root, _SHA256))
        self.spent_s = perf_counter() - begun
        return timestamp


def measure_evidence(n: int) -> EvidenceFigures:
    """One run over n documents of 27 KB; whoever wants a median runs it several times."""
    pool, tsa = [os.urandom(_DOCUMENT_BYTES - 4) for _ in range(_DIFFERENT)], _Tsa()
    gc.collect()
    begun = perf_counter()
    _digests(pool, n)
    hashing_s = perf_counter() - begun

    begun = perf_counter()
    digests = _digests(pool, n)
    tree = build_groups([*zip(digests, strict=True), digests], _SHA256)
    timestamp = tsa.stamp(tree.root)
    evidence_record(timestamp, tree.reduced(n), _SHA256).encoded()
    class_record_s = perf_counter() - begun - tsa.spent_s

    begun = perf_counter()
    sizes = list(map(len, evidence_records(timestamp, tree)))
    all_records_s = class_record_s + perf_counter() - begun
    hashes = max(_hashes_bytes(tree.reduced(number)) for number in range(n))
    return EvidenceFigures(n, hashing_s, class_record_s, all_records_s, max(sizes[:n]), hashes, len(timestamp))


def _digests(pool: list[bytes], n: int) -> list[bytes]:
    found = []
    for number in range(n):
        running = hashlib.sha256(number.to_bytes(4))
        running.update(pool[number % _DIFFERENT])
        found.append(running.digest())
    return found


def _hashes_bytes(reduced: Reduced) -> int:
    """Of the hashes that are not the document's own."""
    return sum(32 * len(hashes) for hashes in reduced) - (32 if reduced else 0)


def evidence(ground: Ground) -> Iterator[Row]:
    """One evidence record for 35 and for 10,000 documents: time over hashing them, and the size of each document's proof."""
    for n in (35, _LARGE):
        measure_evidence(n)
        runs = [measure_evidence(n) for _ in range(ground.pace.pairs)]
        last = runs[-1]
        yield Row(
            bench=f"evidence-record-{n}",
            target=Target(1.2, is_ceiling=True) if n == _LARGE else None,
            reference="hashing the documents; one TSA round trip taken out",
            figure=Spread.of(run.class_ratio for run in runs),
            pairs=len(runs),
            details={
                "documents": n,
                "document_kb": _DOCUMENT_BYTES / 1000,
                "with_every_documents_record": round(Spread.of(run.all_ratio for run in runs).median, 3),
                "record_bytes_max": last.record_bytes_max,
                "hashes_bytes_max": last.hashes_bytes_max,
                "timestamp_bytes": last.timestamp_bytes,
                "fixed_bytes": last.fixed_bytes,
            },
        )
