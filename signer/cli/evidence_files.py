"""Documents, their companions, and the evidence records beside them.

Every document `sub/name.pdf` of a folder has its record at `sub/name.pdf.er` in the evidence folder; `class.er` is the one of all. With
companions (`name.pdf.p7s`, `name.xml`) as one group, the record is `sub/name.er`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import click
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates

from signer.algorithms import DigestAlgorithm
from signer.errors import ConfigError
from signer.formats.evidence import Digests

SUFFIX = ".er"
CLASS_NAME = "class"
DOCUMENT_SUFFIXES = (".pdf", ".xml", ".p7m", ".p7s")
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Item:
    """What has one record: a document, or one with its companions. name: of the record, without suffix, below the folder."""

    name: str
    files: tuple[Path, ...]

    def digests(self, algorithms: Collection[DigestAlgorithm]) -> Digests:
        """Of each file, by each algorithm. OSError as the file system gives it."""
        found: dict[DigestAlgorithm, list[bytes]] = {algorithm: [] for algorithm in algorithms}
        for file in self.files:
            for algorithm, digest in _digests_of(file, algorithms).items():
                found[algorithm].append(digest)
        return found


def _digests_of(file: Path, algorithms: Collection[DigestAlgorithm]) -> dict[DigestAlgorithm, bytes]:
    hashes = {algorithm: hashlib.new(algorithm.value) for algorithm in algorithms}
    with file.open("rb", buffering=0) as content:
        while chunk := content.read(_CHUNK_BYTES):
            for running in hashes.values():
                running.update(chunk)
    return {algorithm: running.digest() for algorithm, running in hashes.items()}


def evidence_folder(source: Path, chosen: Path | None) -> Path:
    """Where the records are: what was chosen, else beside the documents, `NAME-evidence`."""
    return chosen or source.with_name(f"{source.resolve().name}-evidence")


def find_items(source: Path, evidence: Path, *, grouped: bool) -> list[Item]:
    """The documents of a folder in the order of their names, or the one file. grouped: each with its companions."""
    if source.is_file():
        return [Item(source.name, (source,))]
    groups: dict[str, list[Path]] = {}
    for name in sorted(_names(source, evidence.resolve())):
        groups.setdefault(_stem(name) if grouped else name, []).append(source / name)
    return [Item(name, tuple(files)) for name, files in groups.items()]


def find_records(evidence: Path) -> dict[str, Path]:
    """Every record in the evidence folder, by name."""
    found = sorted(file for file in evidence.rglob(f"*{SUFFIX}") if file.is_file() and not _is_hidden(file.relative_to(evidence)))
    return {file.relative_to(evidence).as_posix().removesuffix(SUFFIX): file for file in found}


def record_path(evidence: Path, name: str) -> Path:
    """Where the record of that name is, or goes."""
    return evidence / f"{name}{SUFFIX}"


def trust_files(chosen: Sequence[Path]) -> list[Path]:
    """PEM files of the CAs whose timestamps are believed: those chosen, else the one that SIGNER_TRUST names. UsageError without any."""
    found = list(chosen) or [Path(path) for path in [os.environ.get("SIGNER_TRUST", "")] if path]
    if not found:
        raise click.UsageError("--tsa-trust is needed: the CAs whose timestamps are believed")
    return found


def trust_anchors(files: Iterable[Path]) -> tuple[bytes, ...]:
    """Their certificates, DER. ConfigError for a file without any."""
    return tuple(certificate for file in files for certificate in _certificates(file))


def _certificates(file: Path) -> Iterable[bytes]:
    try:
        return [certificate.public_bytes(Encoding.DER) for certificate in load_pem_x509_certificates(file.read_bytes())]
    except OSError as error:
        raise ConfigError(f"{file}: can't be read: {error.strerror}", file=str(file)) from error
    except ValueError as error:
        raise ConfigError(f"{file}: holds no PEM certificate", file=str(file)) from error


def _names(source: Path, evidence: Path) -> Iterator[str]:
    for folder, subfolders, files in os.walk(source):
        here = Path(folder)
        subfolders[:] = [name for name in subfolders if not name.startswith(".") and (here / name).resolve() != evidence]
        for name in files:
            if name.lower().endswith(DOCUMENT_SUFFIXES) and not name.startswith("."):
                yield (here / name).relative_to(source).as_posix()


def _is_hidden(below: Path) -> bool:
    return any(part.startswith(".") for part in below.parts)


def _stem(name: str) -> str:
    """The name without all of its document suffixes."""
    path = PurePosixPath(name)
    while path.suffix.lower() in DOCUMENT_SUFFIXES:
        path = path.with_suffix("")
    return path.as_posix()
