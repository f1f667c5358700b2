"""What an evidence record proves of documents (RFC 4998 §4.3, §5.3): since when they exist unchanged, and until when that can be shown.

Two questions, asked apart because a class shares its timestamps:
- coverage: do the documents' digests stand in the first list of every chain's first ArchiveTimeStamp? (`Coverage`)
- timestamps: does each tree lead to what was stamped, each later ArchiveTimeStamp cover the one before, and was each timestamp still valid
  when the next one was made, the last one at the time of verification? (`check_timestamps`)

The digest algorithms known here are held secure throughout; one that stops being so leaves the table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Protocol

from signer.algorithms import DigestAlgorithm
from signer.errors import InvalidArgument, SignerError, VerificationFailed
from signer.formats.evidence.record import ArchiveTimeStamp, EvidenceRecord
from signer.formats.evidence.renewal import bound_digest, chains_digest, timestamp_digest

Digests = Mapping[DigestAlgorithm, Collection[bytes]]
"""Of one document or of one group of documents, by each of `EvidenceRecord.algorithms`."""

CLOCKS_APART = timedelta(minutes=5)
"""How far a timestamp may lie after the moment of verification."""


@dataclass(frozen=True, slots=True)
class StampedTime:
    """A timestamp that stood verification. time: its gen time. valid_until: until when its certificates are. authority: whose it is."""

    time: datetime
    valid_until: datetime
    authority: str


class TimestampJudge(Protocol):
    """Says what a timestamp is worth: verifies its imprint, signature and chain at its gen time; raises TimestampInvalid."""

    def __call__(self, timestamp: bytes, imprint: bytes, algorithm: DigestAlgorithm, /) -> StampedTime:
        """timestamp: TimeStampToken, DER. imprint: what it must have stamped, by `algorithm`."""


@dataclass(frozen=True, slots=True)
class Proof:
    """That documents existed at `proven_time`, which can be shown until `renew_before`. timestamps: chain by chain, oldest first."""

    proven_time: datetime
    renew_before: datetime
    timestamps: tuple[tuple[StampedTime, ...], ...]


@dataclass(frozen=True, slots=True)
class Coverage:
    """The documents that a record is about, as sets of hashes: for each chain its algorithm, ha of the chains before, and its hashes."""

    _chains: tuple[tuple[DigestAlgorithm, bytes, frozenset[bytes]], ...]

    @classmethod
    def of(cls, record: EvidenceRecord) -> Coverage:
        """Of a record that was read."""
        found = []
        for number, chain in enumerate(record.chains):
            algorithm = chain[0].algorithm
            before = chains_digest(record.chains[:number], algorithm) if number else b""
            found.append((algorithm, before, frozenset(chain[0].covered)))
        return cls(tuple(found))

    def check(self, digests: Digests) -> None:
        """VerificationFailed, `metadata["check"]` being "coverage", unless all these digests are covered by every chain.

        Raises InvalidArgument for a digest that is needed and not given.
        """
        for number, (algorithm, before, covered) in enumerate(self._chains, 1):
            bound = _bound(digests, algorithm, before)
            if not bound <= covered:
                raise VerificationFailed(
                    f"chain {number} does not cover this content: it was changed, or is not what was stamped", check="coverage"
                )

    def unmatched(self, documents: Iterable[Digests]) -> int:
        """How many hashes of the last chain are of none of these documents: for a record of a whole class, the missing ones."""
        algorithm, before, covered = self._chains[-1]
        return len(covered.difference(*(_bound(digests, algorithm, before) for digests in documents)))


def _bound(digests: Digests, algorithm: DigestAlgorithm, before: bytes) -> frozenset[bytes]:
    given = digests.get(algorithm)
    if not given:
        raise InvalidArgument(f"the record needs {algorithm.value} digests of its documents", field="digests")
    return frozenset(bound_digest(digest, before, algorithm) if before else digest for digest in given)


def verify(record: EvidenceRecord, digests: Digests, judge: TimestampJudge, at: datetime) -> Proof:
    """What the record proves of these documents at a moment (aware), or VerificationFailed with what is wrong in `metadata["check"]`.

    All documents given must be covered; of a group, none may be left out by the caller who wants it whole.
    """
    Coverage.of(record).check(digests)
    return check_timestamps(record, judge, at)


def check_timestamps(record: EvidenceRecord, judge: TimestampJudge, at: datetime) -> Proof:
    """The same without documents: everything that the records of a class have in common."""
    chains = []
    for number, chain in enumerate(record.chains, 1):
        chains.append(tuple(_judged(f"chain {number}, timestamp {place}", stamp, judge) for place, stamp in enumerate(chain, 1)))
        _check_links(number, record.chains[number - 1])
    flat = [stamped for chain in chains for stamped in chain]
    for earlier, later in pairwise(flat):
        if not earlier.time <= later.time <= earlier.valid_until:
            raise _failed("order", f"the timestamp of {_text(earlier.time)} was not renewed while it was valid, but at {_text(later.time)}")
    if flat[-1].time > at + CLOCKS_APART:
        raise _failed("order", f"the last timestamp, of {_text(flat[-1].time)}, is later than the moment of verification")
    if flat[-1].valid_until < at:
        raise _failed("expired", f"the last timestamp could be believed until {_text(flat[-1].valid_until)}; it was not renewed in time")
    return Proof(flat[0].time, flat[-1].valid_until, tuple(chains))


def _judged(name: str, stamp: ArchiveTimeStamp, judge: TimestampJudge) -> StampedTime:
    if stamp.root != stamp.imprint:
        raise _failed("hash-tree", f"{name}: the hash tree does not lead to what was stamped")
    try:
        return judge(stamp.timestamp, stamp.root, stamp.algorithm)
    except SignerError as refused:
        raise _failed("timestamp", f"{name}: {refused.message}") from refused


def _check_links(number: int, chain: tuple[ArchiveTimeStamp, ...]) -> None:
    """Within a chain: one algorithm, and each ArchiveTimeStamp covers the timestamp before (§5.3 step 2)."""
    for place, (earlier, later) in enumerate(pairwise(chain), 2):
        if later.algorithm is not earlier.algorithm:
            raise _failed("algorithm", f"chain {number}, timestamp {place}: another digest algorithm than its chain's")
        if timestamp_digest(earlier) not in later.covered:
            raise _failed("renewal", f"chain {number}, timestamp {place}: it does not cover the timestamp before it")


def _failed(check: str, text: str) -> VerificationFailed:
    return VerificationFailed(text, check=check)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
