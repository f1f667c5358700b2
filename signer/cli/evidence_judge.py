"""The verdicts of `signer evidence verify`: each document by its own record, else by the class's, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

from signer.cli.evidence_files import CLASS_NAME, Item
from signer.errors import SignerError, VerificationFailed
from signer.formats.evidence import Coverage, Digests, EvidenceRecord, Proof, TimestampJudge, check_timestamps, read_evidence_record


class Status(Enum):
    """What was found; the names are keys of JSON and never change."""

    PROVEN = "PROVEN"
    ALTERED = "ALTERED"
    MISSING = "MISSING"
    NOT_COVERED = "NOT_COVERED"
    NOT_PROVEN = "NOT_PROVEN"
    RECORD_DAMAGED = "RECORD_DAMAGED"
    UNREADABLE = "UNREADABLE"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of a document, or of the class record as a whole. name: below the folder. check: which check failed, empty if none."""

    name: str
    status: Status
    proof: Proof | None = None
    problem: str = ""
    check: str = ""
    is_class: bool = False

    @property
    def is_fine(self) -> bool:
        """Whether it is proven."""
        return self.status is Status.PROVEN


@dataclass(frozen=True, slots=True)
class _Record:
    """A record that can be read; failed: why its timestamps don't stand."""

    coverage: Coverage
    record: EvidenceRecord
    proof: Proof | None
    failed: VerificationFailed | None


def judge_all(items: Sequence[Item], records: Mapping[str, Path], judge: TimestampJudge, at: datetime) -> list[Verdict]:
    """A verdict for each document, for each record without document, and for the class record."""
    known = {item.name for item in items}
    class_file = records.get(CLASS_NAME) if CLASS_NAME not in known else None
    whole = None if class_file is None else _open(CLASS_NAME, class_file, judge, at)
    verdicts, digests = [], []
    for item in items:
        own = records.get(item.name)
        opened = _open(item.name, own, judge, at) if own else whole
        verdict, found = _judge(item, opened, has_own=own is not None, whole=whole)
        verdicts.append(verdict)
        digests += [] if found is None else [found]
    strays = [name for name in records if name not in known and not (name == CLASS_NAME and class_file)]
    verdicts += [Verdict(name, Status.MISSING, problem="it has a record, but is not there") for name in strays]
    return verdicts if whole is None else [*verdicts, _judge_class(whole, digests)]


def _open(name: str, file: Path, judge: TimestampJudge, at: datetime) -> _Record | Verdict:
    try:
        record = read_evidence_record(file.read_bytes())
    except OSError as error:
        return Verdict(name, Status.UNREADABLE, problem=f"{file}: {error.strerror}", is_class=name == CLASS_NAME)
    except SignerError as error:
        return Verdict(name, Status.RECORD_DAMAGED, problem=error.message, check="encoding", is_class=name == CLASS_NAME)
    try:
        return _Record(Coverage.of(record), record, check_timestamps(record, judge, at), None)
    except VerificationFailed as failed:
        return _Record(Coverage.of(record), record, None, failed)


def _judge(
    item: Item, opened: _Record | Verdict | None, *, has_own: bool, whole: _Record | Verdict | None
) -> tuple[Verdict, Digests | None]:
    """The verdict, and the digests for the class record where the document can be read."""
    readable = [one.record for one in (opened, whole) if isinstance(one, _Record)]
    try:
        digests = item.digests({algorithm for record in readable for algorithm in record.algorithms})
    except OSError as error:
        return Verdict(item.name, Status.UNREADABLE, problem=error.strerror or str(error)), None
    if opened is None:
        return Verdict(item.name, Status.NOT_COVERED, problem="there is no record of it", check="coverage"), digests
    if isinstance(opened, Verdict):
        return Verdict(item.name, opened.status, problem=opened.problem, check=opened.check), digests
    return _compare(item.name, opened, digests, Status.ALTERED if has_own else Status.NOT_COVERED), digests


def _compare(name: str, opened: _Record, digests: Digests, otherwise: Status) -> Verdict:
    try:
        opened.coverage.check(digests)
    except VerificationFailed as failed:
        return Verdict(name, otherwise, problem=failed.message, check=failed.metadata["check"])
    if opened.failed is not None:
        return Verdict(name, Status.NOT_PROVEN, problem=opened.failed.message, check=opened.failed.metadata["check"])
    return Verdict(name, Status.PROVEN, opened.proof)


def _judge_class(whole: _Record | Verdict, digests: Sequence[Digests]) -> Verdict:
    if isinstance(whole, Verdict):
        return whole
    if whole.failed is not None:
        return Verdict(CLASS_NAME, Status.NOT_PROVEN, problem=whole.failed.message, check=whole.failed.metadata["check"], is_class=True)
    missing = whole.coverage.unmatched(digests)
    if missing:
        problem = f"{missing} documents of the class are missing or were changed"
        return Verdict(CLASS_NAME, Status.MISSING, whole.proof, problem, "coverage", is_class=True)
    return Verdict(CLASS_NAME, Status.PROVEN, whole.proof, is_class=True)
