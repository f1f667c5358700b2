"""Which files are signed, and where each signed one goes.

Inputs are never written to: an output that is an input, by whatever path or link, is refused before anything is sent. Document ids are
hashes, because file names hold pupils' names; an id changes with the file's content, so a corrected report card is signed anew.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

_ID_HEX_DIGITS = 40


@dataclass(frozen=True, slots=True)
class FileKind:
    """Which files are meant, and what is added to the name of what becomes of them. suffix: lower case; empty for any file."""

    suffix: str
    added: str = ""

    def has(self, name: str) -> bool:
        """Whether a file of that name is meant; hidden ones never are."""
        return name.lower().endswith(self.suffix) and not name.startswith(".")


PDF = FileKind(".pdf")


@dataclass(frozen=True, slots=True)
class Job:
    """One file to sign. name: its path below the folder given, for people and for the state file. unreadable: why it can't be read."""

    name: str
    source: Path
    output: Path
    source_sha256: str
    document_id: str
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """What was given on the command line, resolved. state_file: where the request's state is kept."""

    source: Path
    output: Path
    state_file: Path
    kind: FileKind = PDF

    @classmethod
    def of(cls, source: Path, out: Path | None, suffix: str = "signed", kind: FileKind = PDF) -> Layout:
        """A folder goes to `NAME-signed/`, a file to `NAME-signed.pdf` or its name with what the kind adds, unless `out` says otherwise."""
        if source.is_dir():
            named = source if source.name not in {"", ".."} else source.resolve()
            folder = out or named.with_name(f"{named.name}-{suffix}")
            return cls(source, folder, folder / ".signer-state.jsonl", kind)
        name = source.name + kind.added if kind.added else f"{source.stem}-{suffix}{source.suffix}"
        target = out or source.with_name(name)
        if target.is_dir() or (out is not None and out.suffix.lower() != (kind.added or kind.suffix)):
            target = target / (source.name + kind.added)
        return cls(source, target, target.with_name(f".{target.name}.signer-state.jsonl"), kind)

    def jobs(self) -> list[Job]:
        """One for each file of the kind, in the order of names. UsageError if there is none, or an output would be an input."""
        names = [Path(self.source.name)] if self.source.is_file() else sorted(self._names())
        if not names:
            raise click.UsageError(f"no {self.kind.suffix} file in {self.source}")
        jobs = [self._job(name) for name in names]
        inputs = {(stat.st_dev, stat.st_ino) for stat in (job.source.stat() for job in jobs if not job.unreadable)}
        for job in jobs:
            if job.output.exists() and (job.output.stat().st_dev, job.output.stat().st_ino) in inputs:
                raise click.UsageError(f"{job.output} is one of the files to sign; inputs are never overwritten: choose another --out")
        return jobs

    def _names(self) -> Iterator[Path]:
        """Below the folder, without hidden files and without what lies in the output folder."""
        output = self.output.resolve()
        if output == self.source.resolve():
            raise click.UsageError("--out is the folder to sign; inputs are never overwritten: choose another --out")
        for folder, subfolders, files in os.walk(self.source):
            here = Path(folder)
            subfolders[:] = [name for name in subfolders if not name.startswith(".") and (here / name).resolve() != output]
            for name in files:
                if self.kind.has(name):
                    yield (here / name).relative_to(self.source)

    def _job(self, name: Path) -> Job:
        is_folder = self.source.is_dir()
        source = self.source / name if is_folder else self.source
        output = self.output / name.with_name(name.name + self.kind.added) if is_folder else self.output
        try:
            sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
        except OSError as error:
            return Job(name.as_posix(), source, output, "", "", unreadable=error.strerror or str(error))
        # os.fsencode: a name that is no UTF-8 has its own bytes, and its own id.
        document_id = hashlib.sha256(os.fsencode(name.as_posix()) + b"\0" + sha256.encode()).hexdigest()[:_ID_HEX_DIGITS]
        return Job(name.as_posix(), source, output, sha256, document_id)


def kinds_in(source: Path, kinds: Iterable[FileKind]) -> set[FileKind]:
    """Which kinds of files there are below a folder, or which one a file is."""
    names = [source.name] if source.is_file() else [name for _folder, _subfolders, files in os.walk(source) for name in files]
    return {kind for kind in kinds if any(kind.has(name) for name in names)}


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file that is there whole or not at all, also after a power cut. OSError as the file system gives it.

    What a kill in the middle leaves has a name of this file's own, so the repeat clears it away. One process writes a folder at a time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:_ID_HEX_DIGITS]}.partial")
    partial.unlink(missing_ok=True)
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fdatasync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Hex; empty if it is no file that can be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
