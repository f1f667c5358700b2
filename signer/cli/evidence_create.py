"""The first evidence of a class: hash, build one tree, ask for one timestamp, write each document its record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from signer.algorithms import DigestAlgorithm
from signer.cli.evidence_files import CLASS_NAME, Item, record_path
from signer.cli.evidence_stamp import Stamper
from signer.cli.sign_files import write_whole
from signer.errors import ConfigError, DocumentEmpty
from signer.formats.evidence import Proof, TimestampJudge, build_groups, check_timestamps, evidence_record, evidence_records


@dataclass(frozen=True, slots=True)
class Created:
    """What was written. records: how many files, class_record among them. root: what was stamped."""

    documents: int
    records: int
    class_record: Path | None
    algorithm: DigestAlgorithm
    root: bytes
    timestamp: bytes
    record_bytes_max: int

    def prove(self, judge: TimestampJudge, at: datetime) -> Proof:
        """What the timestamp states, as a verifier will find it."""
        return check_timestamps(evidence_record(self.timestamp, (), self.algorithm), judge, at)


def create_records(
    items: Sequence[Item], folder: Path, algorithm: DigestAlgorithm, stamper: Stamper, *, of_documents: bool, of_class: bool
) -> Created:
    """One TSA request, then one file for each item and one for all. Nothing is asked or written when a document can't be read.

    Raises UsageError where there is evidence already: the older it is, the more it is worth.
    """
    names = [*(item.name for item in items if of_documents), *([CLASS_NAME] if of_class else [])]
    paths = [record_path(folder, name) for name in names]
    if len(set(paths)) < len(paths):
        raise click.UsageError(f"a document's record would be named {CLASS_NAME} too; choose --records documents")
    there = next((path for path in paths if path.exists()), None)
    if there is not None:
        raise click.UsageError(f"{there}: there is evidence already; renew it, or choose another --out")
    groups = [_digests(item, algorithm) for item in items]
    everything = [digest for group in groups for digest in group]
    tree = build_groups([*(groups if of_documents else []), *([everything] if of_class else [])], algorithm)
    timestamp = stamper.stamp(tree.root, algorithm)
    sizes = []
    for path, encoded in zip(paths, evidence_records(timestamp, tree), strict=True):
        _write(path, encoded)
        sizes.append(len(encoded))
    largest = max(sizes[: len(items)] if of_documents else sizes)
    return Created(len(items), len(paths), paths[-1] if of_class else None, algorithm, tree.root, timestamp, largest)


def _digests(item: Item, algorithm: DigestAlgorithm) -> Sequence[bytes]:
    try:
        for file in item.files:
            if file.stat().st_size == 0:
                raise DocumentEmpty(f"{file} is empty: there is nothing to prove")
        return tuple(item.digests([algorithm])[algorithm])
    except OSError as error:
        raise ConfigError(f"{error.filename}: can't be read: {error.strerror}", file=str(error.filename)) from error


def _write(path: Path, encoded: bytes) -> None:
    try:
        write_whole(path, encoded)
    except OSError as error:
        raise ConfigError(f"{path}: can't be written: {error.strerror}", file=str(path)) from error
