"""The files of `signer keys`: who gets a key (CSV), certificate requests (PEM) and issued certificates."""

from __future__ import annotations

import base64
import csv
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from signer.client import KeyOutcome, NewKey, Subject

COLUMNS = ("credential", "person", "common_name", "organization", "units", "locality", "user_id", "email", "display_name")
"""Of the CSV; `units` are separated by semicolons, outermost first."""
_REQUIRED = ("credential", "common_name")
CERTIFICATE_SUFFIXES = (".pem", ".crt", ".cer", ".der")


def read_people(file: Path, common: Mapping[str, Any]) -> list[NewKey]:
    """One key a row; UsageError names the line that is wrong. common: what all keys share."""
    with file.open(encoding="utf-8-sig", newline="") as content:
        rows = csv.DictReader(content)
        headings = rows.fieldnames or ()
        unknown = sorted(set(headings) - set(COLUMNS))
        missing = [name for name in _REQUIRED if name not in headings]
        if unknown or missing:
            wrong = f"unknown column {unknown[0]!r}" if unknown else f"column {missing[0]!r} is missing"
            raise click.UsageError(f"{file}: {wrong}; the columns are {', '.join(COLUMNS)}")
        return [_key(file, rows.line_num, row, common) for row in rows]


def _key(file: Path, line: int, row: Mapping[str | None, str | None], common: Mapping[str, Any]) -> NewKey:
    values = {str(name): (value or "").strip() for name, value in row.items() if name is not None}
    if None in row or not all(values.get(name) for name in _REQUIRED):
        raise click.UsageError(f"{file}, line {line}: {' and '.join(_REQUIRED)} are required, and there may be no more values than columns")
    subject = Subject(
        common_name=values["common_name"],
        locality=values.get("locality", ""),
        organization=values.get("organization", ""),
        organizational_units=tuple(unit.strip() for unit in values.get("units", "").split(";") if unit.strip()),
        user_id=values.get("user_id", ""),
        email=values.get("email", ""),
    )
    person, display_name = values.get("person", ""), values.get("display_name", "")
    return NewKey(values["credential"], person_id=person, subject=subject, display_name=display_name, **common)


def write_request(folder: Path, outcome: KeyOutcome) -> Path:
    """The request as PEM (RFC 7468), named after its credential."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{outcome.credential_id.replace('/', '_')}.csr"
    lines = textwrap.wrap(base64.b64encode(outcome.request).decode(), 64)
    file.write_text("\n".join(["-----BEGIN CERTIFICATE REQUEST-----", *lines, "-----END CERTIFICATE REQUEST-----", ""]), encoding="ascii")
    return file


def read_certificates(sources: Iterable[Path]) -> Iterator[tuple[Path, bytes]]:
    """Each file, and the certificate files of each folder by name; UsageError for what can't be read."""
    for source in sources:
        files = sorted(file for file in source.iterdir() if file.suffix.lower() in CERTIFICATE_SUFFIXES) if source.is_dir() else [source]
        if not files:
            raise click.UsageError(f"{source}: no file ends in {', '.join(CERTIFICATE_SUFFIXES)}")
        for file in files:
            try:
                yield file, file.read_bytes()
            except OSError as error:
                raise click.UsageError(f"{file}: can't be read: {error.strerror}") from error
