"""The files of `signer verify`, judged one by one or in several processes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates

from signer.errors import ConfigError, SignerError
from signer.validation.document import verify_document
from signer.validation.report import Indication
from signer.validation.trust import TrustAnchors

_WORTH_A_PROCESS = 24
"""Files: starting a process costs about what judging so many does."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One file. signatures: as `SignatureReport` gives them to JSON. reason: set when the file itself can't be read."""

    file: Path
    indication: str
    problems: tuple[str, ...] = ()
    signatures: tuple[dict[str, Any], ...] = ()
    reason: str = ""


def anchors(trust: Iterable[Path], tsa_trust: Sequence[Path], intermediates: Iterable[Path]) -> TrustAnchors:
    """Whom to believe; ConfigError for a file without PEM certificates. Without `trust`, SIGNER_TRUST may name a file."""
    files = list(trust) or [Path(path) for path in [os.environ.get("SIGNER_TRUST", "")] if path]
    return TrustAnchors(_certificates(files), _certificates(tsa_trust or files), _certificates(intermediates))


def find(sources: Iterable[Path]) -> list[Path]:
    """The files given, and every .pdf below the folders given; hidden ones are left out."""
    found: dict[Path, None] = {}
    for source in sources:
        below = sorted(source.rglob("*")) if source.is_dir() else [source]
        found.update((file, None) for file in below if source.is_file() or _is_visible_pdf(file.relative_to(source), file))
    return list(found)


def judge_all(files: Sequence[Path], trust: TrustAnchors, at: datetime, jobs: int | None) -> list[Verdict]:
    """A verdict for each file, in their order."""
    processes = jobs or min(len(os.sched_getaffinity(0)), len(files) // _WORTH_A_PROCESS)
    if processes <= 1:
        return [judge(file, trust, at) for file in files]
    plain = partial(_judge_with, trust.signing, trust.timestamping, trust.intermediates, at)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return list(pool.map(plain, files, chunksize=4))


def judge(file: Path, trust: TrustAnchors, at: datetime) -> Verdict:
    """One file's verdict. A file that can't be read at all is TOTAL_FAILED, with the reason."""
    try:
        content = file.read_bytes()
    except OSError as error:
        return Verdict(file, Indication.TOTAL_FAILED.value, (f"can't be read: {error.strerror}",), reason="INVALID_ARGUMENT")
    try:
        report = verify_document(content, trust, at).settled(at).to_json()
    except SignerError as error:
        return Verdict(file, Indication.TOTAL_FAILED.value, (error.message,), reason=error.reason.value)
    members: Any = report
    return Verdict(file, members["indication"], tuple(members["problems"]), tuple(members["signatures"]))


def _judge_with(
    signing: tuple[bytes, ...], timestamping: tuple[bytes, ...], intermediates: tuple[bytes, ...], at: datetime, file: Path
) -> Verdict:
    """In another process, where parsed certificates can't go."""
    return judge(file, TrustAnchors(signing, timestamping, intermediates), at)


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


def _is_visible_pdf(below: Path, file: Path) -> bool:
    return file.suffix.lower() == ".pdf" and not any(part.startswith(".") for part in below.parts) and file.is_file()
