"""The files of `signer verify`, judged one by one or in several processes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates

from signer.errors import ConfigError, SignerError
from signer.formats.xml.reading import read
from signer.formats.xml.search import Finder
from signer.records.layout import Layout
from signer.records.layout_files import load_layouts
from signer.records.verification import rules_of
from signer.validation.content import DocumentKind, recognise
from signer.validation.document import verify_document
from signer.validation.report import DocumentReport, Indication
from signer.validation.summary import Language, summary
from signer.validation.trust import TrustAnchors

_WORTH_A_PROCESS = 24
"""Files: starting a process costs about what judging so many does."""


_SUFFIXES = frozenset({".pdf", ".xml", ".p7s", ".p7m", ".p7b"})
_DETACHED = ".p7s"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One file. signatures, slots: as their reports give them to JSON. reason: set when the file itself can't be read."""

    file: Path
    indication: str
    problems: tuple[str, ...] = ()
    signatures: tuple[dict[str, Any], ...] = ()
    slots: tuple[dict[str, Any], ...] = ()
    reason: str = ""
    summary_vi: str = ""
    summary_en: str = ""


@dataclass(frozen=True, slots=True)
class Manner:
    """How files are judged; as it crosses to other processes, where parsed certificates can't go.

    content: what a detached signature signs; None for the file beside it.
    """

    signing: tuple[bytes, ...]
    timestamping: tuple[bytes, ...]
    intermediates: tuple[bytes, ...]
    at: datetime
    content: Path | None = None

    @classmethod
    def of(cls, trust: TrustAnchors, at: datetime, content: Path | None = None) -> Manner:
        """By whom the caller believes."""
        return cls(trust.signing, trust.timestamping, trust.intermediates, at, content)

    @property
    def trust(self) -> TrustAnchors:
        """Whom to believe."""
        return _anchors(self.signing, self.timestamping, self.intermediates)


def anchors(trust: Iterable[Path], tsa_trust: Sequence[Path], intermediates: Iterable[Path]) -> TrustAnchors:
    """Whom to believe; ConfigError for a file without PEM certificates. Without `trust`, SIGNER_TRUST may name a file."""
    files = list(trust) or [Path(path) for path in [os.environ.get("SIGNER_TRUST", "")] if path]
    return TrustAnchors(_certificates(files), _certificates(tsa_trust or files), _certificates(intermediates))


def find(sources: Iterable[Path]) -> list[Path]:
    """The files given, and every signed kind below the folders given; hidden ones are left out, and what a .p7s beside it signs."""
    found: dict[Path, None] = {}
    for source in sources:
        below = sorted(source.rglob("*")) if source.is_dir() else [source]
        found.update((file, None) for file in below if source.is_file() or _is_to_judge(file.relative_to(source), file))
    return list(found)


def judge_all(files: Sequence[Path], manner: Manner, jobs: int | None) -> list[Verdict]:
    """A verdict for each file, in their order."""
    processes = jobs or min(len(os.sched_getaffinity(0)), len(files) // _WORTH_A_PROCESS)
    if processes <= 1:
        return [judge(file, manner) for file in files]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return list(pool.map(partial(judge, manner=manner), files, chunksize=4))


def judge(file: Path, manner: Manner) -> Verdict:
    """One file's verdict. A file that can't be read at all is TOTAL_FAILED, with the reason."""
    try:
        document = file.read_bytes()
        beside = manner.content or _signed_by(file)
        content = beside.read_bytes() if beside is not None else None
    except OSError as error:
        return Verdict(file, Indication.TOTAL_FAILED.value, (f"can't be read: {error.strerror}",), reason="INVALID_ARGUMENT")
    try:
        report = _report(document, content, manner)
    except SignerError as error:
        return Verdict(file, Indication.TOTAL_FAILED.value, (error.message,), reason=error.reason.value)
    members: Any = report.to_json()
    return Verdict(
        file,
        members["indication"],
        tuple(members["problems"]),
        tuple(members["signatures"]),
        tuple(members["slots"]),
        summary_vi=summary(report, Language.VIETNAMESE),
        summary_en=summary(report, Language.ENGLISH),
    )


def _report(document: bytes, content: bytes | None, manner: Manner) -> DocumentReport:
    """A record in XML is held against its layout as well."""
    rules = rules_of(Finder(read(document)), _layouts()) if recognise(document) is DocumentKind.XML else None
    slots = () if rules is None else rules.expectations
    verified = verify_document(document, manner.trust, manner.at, content=content, slots=slots)
    report = verified.settled(manner.at)
    return report if rules is None else rules.with_order(report)


def _signed_by(file: Path) -> Path | None:
    """What a detached signature signs: the file of the same name without .p7s."""
    beside = file.with_suffix("")
    return beside if file.suffix.lower() == _DETACHED and beside.is_file() else None


def _is_to_judge(below: Path, file: Path) -> bool:
    is_visible = file.suffix.lower() in _SUFFIXES and not any(part.startswith(".") for part in below.parts) and file.is_file()
    return is_visible and not file.with_name(file.name + _DETACHED).is_file()


@cache
def _layouts() -> tuple[Layout, ...]:
    return load_layouts()


@lru_cache(maxsize=1)
def _anchors(signing: tuple[bytes, ...], timestamping: tuple[bytes, ...], intermediates: tuple[bytes, ...]) -> TrustAnchors:
    return TrustAnchors(signing, timestamping, intermediates)


def _certificates(files: Iterable[Path]) -> tuple[bytes, ...]:
    found: list[bytes] = []
    for file in files:
        try:
            found += [certificate.public_bytes(Encoding.DER) for certificate in load_pem_x509_certificates(file.read_bytes())]
        except OSError as error:
            raise ConfigError(f"{file}: can't be read: {error.strerror}", file=str(file)) from error
        except ValueError as error:
            raise ConfigError(f"{file}: holds no PEM certificate", file=str(file)) from error
    return tuple(found)
