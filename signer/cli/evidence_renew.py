"""Renewal of many records with one timestamp: whatever can't be renewed is told, and stays as it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from signer.algorithms import DigestAlgorithm
from signer.cli.evidence_files import CLASS_NAME, Item
from signer.cli.evidence_stamp import Stamper
from signer.cli.sign_files import write_whole
from signer.errors import SignerError, VerificationFailed
from signer.formats.evidence import (
    Coverage,
    Digests,
    EvidenceRecord,
    Proof,
    TimestampJudge,
    build_groups,
    check_timestamps,
    hash_tree_digests,
    read_evidence_record,
    renewed_by_hash_tree,
    renewed_by_timestamp,
    timestamp_digests,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one record. proof: of what stands now, None if nothing does. renewed: whether it is new. problem: why not."""

    name: str
    proof: Proof | None
    renewed: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Due:
    name: str
    file: Path
    record: EvidenceRecord
    digests: Digests | None = None


@dataclass(frozen=True, slots=True)
class Renewal:
    """What renewals stand on. due_before: records that can be shown for longer are left alone; None: none is."""

    stamper: Stamper
    judge: TimestampJudge
    now: Callable[[], datetime]
    due_before: datetime | None = None

    def by_timestamp(self, records: Mapping[str, Path]) -> list[Outcome]:
        """One TSA request for each digest algorithm in use. No documents are needed, and none is looked at."""
        due, outcomes = self._due(records, None, None)
        for algorithm in dict.fromkeys(one.record.last.algorithm for one in due):
            alike = [one for one in due if one.record.last.algorithm is algorithm]
            tree = build_groups([timestamp_digests(one.record) for one in alike], algorithm)
            timestamp = self.stamper.stamp(tree.root, algorithm)
            for number, one in enumerate(alike):
                outcomes.append(self._keep(one, renewed_by_timestamp(one.record, timestamp, tree.reduced(number))))
        return outcomes

    def by_hash_tree(self, records: Mapping[str, Path], items: Sequence[Item], algorithm: DigestAlgorithm) -> list[Outcome]:
        """One TSA request. Each record's documents must be there and be covered by it."""
        due, outcomes = self._due(records, items, algorithm)
        if due:
            tree = build_groups([hash_tree_digests(one.record, (one.digests or {})[algorithm], algorithm) for one in due], algorithm)
            timestamp = self.stamper.stamp(tree.root, algorithm)
            for number, one in enumerate(due):
                outcomes.append(self._keep(one, renewed_by_hash_tree(one.record, timestamp, tree.reduced(number), algorithm)))
        return outcomes

    def _due(
        self, records: Mapping[str, Path], items: Sequence[Item] | None, algorithm: DigestAlgorithm | None
    ) -> tuple[list[_Due], list[Outcome]]:
        """The records to renew, and the outcomes of the others."""
        due, outcomes = [], []
        documents = None if items is None else _by_name(items)
        for name, file in records.items():
            try:
                record = read_evidence_record(file.read_bytes())
                proof = check_timestamps(record, self.judge, self.now())
                if self.due_before is not None and proof.renew_before >= self.due_before:
                    outcomes.append(Outcome(name, proof))
                    continue
                due.append(_Due(name, file, record, None if documents is None else _digests(name, record, documents, algorithm)))
            except OSError as error:
                outcomes.append(Outcome(name, None, problem=error.strerror or str(error)))
            except SignerError as error:
                outcomes.append(Outcome(name, None, problem=error.message))
        return due, outcomes

    def _keep(self, one: _Due, renewed: EvidenceRecord) -> Outcome:
        """Replaces the record, if the new one stands."""
        try:
            encoded = renewed.encoded()
            again = read_evidence_record(encoded)
            proof = check_timestamps(again, self.judge, self.now())
            if one.digests is not None:
                Coverage.of(again).check(one.digests)
            write_whole(one.file, encoded)
        except OSError as error:
            return Outcome(one.name, None, problem=error.strerror or str(error))
        except SignerError as error:
            return Outcome(one.name, None, problem=error.message)
        return Outcome(one.name, proof, renewed=True)


def _by_name(items: Sequence[Item]) -> dict[str, Item]:
    """The items by the names of their records; all together by the class's, unless a document has that."""
    everything = Item(CLASS_NAME, tuple(file for item in items for file in item.files))
    return {CLASS_NAME: everything, **{item.name: item for item in items}}


def _digests(name: str, record: EvidenceRecord, documents: Mapping[str, Item], algorithm: DigestAlgorithm | None) -> Digests:
    """Digests of the record's documents by its algorithms and the new one; VerificationFailed unless the record is about just these."""
    mine = documents.get(name)
    if mine is None:
        raise VerificationFailed("its document is not there", check="coverage")
    digests = mine.digests({*record.algorithms, *([algorithm] if algorithm else [])})
    coverage = Coverage.of(record)
    coverage.check(digests)
    if name == CLASS_NAME and coverage.unmatched([digests]):
        raise VerificationFailed("documents of the class are missing: what is renewed would no longer prove them", check="coverage")
    return digests
