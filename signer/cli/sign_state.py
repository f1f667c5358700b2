"""The small file that lets an interrupted `signer sign` or `extend` continue: the request's id and plan, and each signed file's hashes.

JSON Lines, appended to: the first line is the request, every other one a signed file, written just before the output takes its place. A
torn last line is dropped. Lines that are lost cost nothing but time: the daemon answers the same ids with the same signatures.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

import click

from signer.cli.sign_files import Job, sha256_of

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed file as the state remembers it; hex SHA-256."""

    document_id: str
    signed_sha256: str


class RequestState:
    """The state of one request, locked while it is open. Use as a context manager."""

    def __init__(self, file: TextIO, request_id: str, signed: dict[str, list[Signed]]) -> None:
        self.request_id = request_id
        self._file = file
        self._signed = defaultdict(list, signed)

    @classmethod
    def open(cls, path: Path, parameters: Mapping[str, str], request_id: str = "", *, fresh: bool = False) -> RequestState:
        """The request to continue, or a new one.

        Raises UsageError if another run holds it, or if the file is of another request than these parameters (and request_id, if given).
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="ascii", errors="surrogateescape")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise click.UsageError(f"another `signer` is writing there (it holds {path}); wait for it") from None
        lines = [] if fresh else _lines(file, path)
        if lines:
            _require_same(lines[0], parameters, request_id, path)
            signed: dict[str, list[Signed]] = {}
            for line in lines[1:]:
                signed.setdefault(line["file"], []).append(Signed(line["document_id"], line["signed_sha256"]))
            return cls(file, str(lines[0]["request_id"]), signed)
        file.truncate(0)
        state = cls(file, request_id or _new_request_id(), {})
        state._append({"version": _VERSION, "request_id": state.request_id, "parameters": dict(parameters)})
        return state

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._file.close()

    def is_done(self, job: Job) -> bool:
        """Whether this very content is signed and its output is in place, byte for byte."""
        known = [signed.signed_sha256 for signed in self._signed[job.name] if signed.document_id == job.document_id]
        return bool(known) and sha256_of(job.output) in known

    def is_ours(self, job: Job) -> bool:
        """Whether the output may be replaced: there is none, or this request wrote it and nobody changed it since."""
        if not os.path.lexists(job.output):
            return True
        found = sha256_of(job.output)
        return any(signed.signed_sha256 == found for signed in self._signed[job.name])

    def record(self, job: Job, signed_sha256: str) -> None:
        """Remembers a signed file; to be called before its output takes its place."""
        self._signed[job.name].append(Signed(job.document_id, signed_sha256))
        self._append({"file": job.name, "document_id": job.document_id, "signed_sha256": signed_sha256})

    def _append(self, line: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


def _lines(file: TextIO, path: Path) -> list[dict[str, Any]]:
    """The whole lines; a torn last one is cut off the file."""
    file.seek(0)
    lines: list[dict[str, Any]] = []
    good_bytes = 0
    for text in file:
        try:
            line = json.loads(text) if text.endswith("\n") else None
        except ValueError:
            line = None
        if not isinstance(line, dict):
            break
        lines.append(line)
        good_bytes += len(text.encode("ascii", "surrogateescape"))
    if good_bytes < path.stat().st_size:
        os.truncate(path, good_bytes)
    if lines and lines[0].get("version") != _VERSION:
        raise click.UsageError(f"{path} was written by another release of signer; finish with that one, or begin anew with --fresh")
    return lines


def _require_same(header: Mapping[str, Any], parameters: Mapping[str, str], request_id: str, path: Path) -> None:
    before: Mapping[str, str] = header.get("parameters", {})
    changed = [f"--{name} was {before.get(name, '')!r}" for name, value in parameters.items() if before.get(name, "") != value]
    if request_id and request_id != header["request_id"]:
        changed.append(f"--request-id was {header['request_id']!r}")
    if changed:
        raise click.UsageError(
            f"{path.parent} holds the outputs of another request ({'; '.join(changed)}). Choose another --out, or begin anew with --fresh"
        )


def _new_request_id() -> str:
    return f"cli-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
