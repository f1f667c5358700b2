"""The files of `signer records check`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click

from signer.cli.language import Text, say
from signer.client import Document

_SUFFIX = ".xml"
_NO_FILE = Text("no .xml file to check", "không có tệp .xml nào để kiểm tra")


@dataclass(frozen=True, slots=True)
class RecordFile:
    """One file. name: its path below the folder given, for people; it never reaches the daemon, since it may hold a pupil's name."""

    name: str
    document: Document


def find(sources: Iterable[Path]) -> list[RecordFile]:
    """The files given, and every .xml below the folders given; hidden ones are left out. UsageError when there is none."""
    found: dict[Path, str] = {}
    for source in sources:
        if source.is_file():
            found.setdefault(source, source.name)
            continue
        for file in sorted(source.rglob("*")):
            name = file.relative_to(source)
            if file.suffix.lower() == _SUFFIX and not any(part.startswith(".") for part in name.parts) and file.is_file():
                found.setdefault(file, name.as_posix())
    if not found:
        raise click.UsageError(say(_NO_FILE))
    return [RecordFile(name, Document.from_path(file, f"record-{number:05d}")) for number, (file, name) in enumerate(found.items(), 1)]
