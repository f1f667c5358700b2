"""Where the journal is kept, how its commits are grouped and how long signature material stays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from signer.settings import Identifier
from signer.store.urls import with_password_file

_SQLITE = "sqlite:///"
SEGMENT_ENTRIES: Final = (256, 65_536)
"""Powers of 256: of so many entries the log keeps the root anyway."""


@dataclass(frozen=True, slots=True)
class CheckpointSettings:
    """`[journal.checkpoints]`: the journal's size and root, signed, for a witness outside; without it a cut at its end can't be shown."""

    credential: Annotated[Identifier, Field(description="What signs them: a credential of no school, for nothing else.")]
    origin: Annotated[
        str,
        Field(
            pattern=r"^[^\s+]{1,256}$",
            description="Names this log for good, as a URL without scheme: signer.so-gddt.example/journal.",
        ),
    ]
    interval_s: Annotated[
        float,
        Field(ge=1, le=86_400, description="Between two checkpoints, where the journal has grown. Each is a signature and two entries."),
    ] = 300.0
    file: Annotated[
        Path | None,
        Field(description="Each note is appended here as well, for a collector to take away; empty: in the database and over gRPC alone."),
    ] = None


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """`[journal.archive]`: where old entries go; without it all stay in the database. Proofs go on either way."""

    directory: Annotated[
        Path,
        Field(description="Files of archived entries, one for `segment_entries` of them. It must exist, and be part of the backup."),
    ]
    keep_days: Annotated[
        int,
        Field(ge=0, le=36_500, description="How long entries stay in the database; 0: until their segment is full."),
    ] = 400
    interval_s: Annotated[float, Field(ge=1, le=86_400, description="Between two looks whether a segment is due.")] = 3600.0
    segment_entries: Annotated[
        int,
        Field(ge=SEGMENT_ENTRIES[0], le=SEGMENT_ENTRIES[-1], description="Entries of a file: 65536, or 256 for trying it out."),
    ] = 65_536


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """`[journal]`: intents, outcomes and the material that repeats are answered from."""

    url: Annotated[
        str,
        Field(
            pattern=r"^[a-z][a-z0-9+]*://",
            description="Database: sqlite:////absolute/path, sqlite:///path (from the configuration file's folder; it must exist), or "
            "postgresql://user@host/database (15 or later), which several daemons may share, with libpq's parameters behind `?`: "
            "sslmode, sslrootcert, host more than once, passfile. A password never stands here.",
        ),
    ] = "sqlite:////var/lib/signer/journal.db"
    password_file: Annotated[
        Path | None,
        Field(
            description="Holds the password of a postgresql:// database and nothing else; read at every connection. Without it: passfile."
        ),
    ] = None
    commit_interval_ms: Annotated[
        float,
        Field(
            ge=0,
            le=1000,
            description="How long a commit waits for more entries to join it while several come at once; who comes alone never waits.",
        ),
    ] = 4.0
    commit_entries_max: Annotated[int, Field(ge=1, le=100_000, description="Entries that make a commit start without waiting further.")] = (
        512
    )
    material_days: Annotated[
        int,
        Field(
            ge=1, le=36_500, description="How long a signature is kept to answer a repeat of its ids; after that a repeat would sign anew."
        ),
    ] = 400

    checkpoints: Annotated[CheckpointSettings | None, Field(description="Signed checkpoints; leave it out to make none.")] = None
    archive: Annotated[ArchiveSettings | None, Field(description="Files for old entries; leave it out to keep all in the database.")] = None

    @property
    def is_shared(self) -> bool:
        """Whether other daemons may use it as well: a server's database, not a file."""
        return not self.url.startswith("sqlite")

    @property
    def sqlite_file(self) -> Path | None:
        """The database's file; None where a server keeps it."""
        return Path(self.url.removeprefix(_SQLITE)) if self.url.startswith(_SQLITE) else None

    def anchored(self, folder: Path) -> JournalSettings:
        """The same with relative paths read from `folder`."""
        marks = self.checkpoints
        if marks is not None and marks.file is not None:
            marks = replace(marks, file=(folder / marks.file).absolute())
        archive = self.archive and replace(self.archive, directory=(folder / self.archive.directory).absolute())
        secret = self.password_file and (folder / self.password_file).absolute()
        return replace(self, checkpoints=marks, archive=archive, password_file=secret, url=self._anchored_url(folder, secret))

    def _anchored_url(self, folder: Path, password_file: Path | None) -> str:
        if password_file is not None:
            return with_password_file(self.url, password_file)
        path = self.url.removeprefix(_SQLITE)
        stays = path in {self.url, "", ":memory:"} or path.startswith("/")
        return self.url if stays else f"{_SQLITE}{(folder / path).absolute()}"
