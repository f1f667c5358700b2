"""The proofs of `signer sign --evidence`: one file beside each signed one, named as `signer evidence create` names them.

A proof is written only when it covers the very bytes of the signed file, and what has such a proof keeps it: the older it is, the more
it is worth.
"""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from signer.cli.evidence_files import evidence_folder, record_path
from signer.cli.sign_files import Job, write_whole
from signer.errors import ConfigError, SignerError, VerificationFailed

if TYPE_CHECKING:
    from signer.client import BatchEvidence, SignerClient


@dataclass(slots=True)
class Evidence:
    """Where the proofs are and what became of them.

    record_id: empty until the appliance told it. kept: signed files that have their proof from an earlier run; lacking: that have none.
    error: why not all could be had.
    """

    folder: Path
    is_single: bool
    record_id: str = ""
    kept: list[Job] = field(default_factory=list)
    lacking: list[Job] = field(default_factory=list)
    written: list[Job] = field(default_factory=list)
    error: SignerError | None = None

    @classmethod
    def beside(cls, output: Path, jobs: Sequence[Job], in_place: Sequence[Job]) -> Evidence:
        """For a folder of signed files, or the one file. in_place: the jobs whose signed file is there already."""
        made = cls(evidence_folder(output, None), is_single=len(jobs) == 1 and jobs[0].output == output)
        for job in in_place:
            (made.kept if made._has_proof(job) else made.lacking).append(job)
        return made

    @property
    def is_complete(self) -> bool:
        """Whether every signed file has its proof."""
        return self.error is None

    def path(self, job: Job) -> Path:
        """Where a signed file's proof is, or goes."""
        return record_path(self.folder, job.output.name if self.is_single else job.name)

    def fetch(self, client: SignerClient, school_id: str, evidence: BatchEvidence | None, new: Sequence[Job]) -> None:
        """Writes the proofs of what lacks one and of what is new. evidence: what the batch ended with.

        Raises ConfigError for a folder that can't be written, and what ends the calls.
        """
        wanted = {job.document_id: job for job in (*self.lacking, *new)}
        self.error = evidence.error if evidence is not None and wanted else None
        if evidence is None or not evidence.record_id:
            return
        self.record_id = evidence.record_id
        for proof in client.time.proofs(evidence.record_id, wanted, school_id=school_id):
            self.error = proof.error or self._write(wanted[proof.document_id], proof.record) or self.error

    def _write(self, job: Job, record: bytes) -> SignerError | None:
        """Why it was not written, if it was not."""
        if not _covers(record, job.output):
            return VerificationFailed(f"the proof of {job.name} is not of the signed file in place; it was not written")
        try:
            write_whole(self.path(job), record)
        except OSError as error:
            raise ConfigError(f"{self.path(job)}: can't be written: {error.strerror}", file=str(self.path(job))) from error
        self.written.append(job)
        return None

    def _has_proof(self, job: Job) -> bool:
        try:
            return _covers(self.path(job).read_bytes(), job.output)
        except OSError:
            return False


def _covers(record: bytes, file: Path) -> bool:
    """Whether an evidence record is about the file as it is; whether its timestamps stand is `signer evidence verify`'s to say."""
    from signer.formats.evidence import Coverage, read_evidence_record

    try:
        found = read_evidence_record(record)
        content = file.read_bytes()
        digests = {algorithm: [hashlib.new(algorithm.value, content).digest()] for algorithm in found.algorithms}
        Coverage.of(found).check(digests)
    except SignerError:
        return False
    return True
