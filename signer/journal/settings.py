"""Where the journal is kept, how its commits are grouped and how long signature material stays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """`[journal]`: intents, outcomes and the material that repeats are answered from."""

    url: Annotated[
        str,
        Field(
            pattern=r"^[a-z][a-z0-9+]*://",
            description="Database as SQLAlchemy writes it: sqlite:////absolute/path, sqlite:///path (from the configuration file's "
            "folder). Its folder must exist. A password never stands here: use the driver's own password file.",
        ),
    ] = "sqlite:////var/lib/signer/journal.db"
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

    @property
    def sqlite_file(self) -> Path | None:
        """The database's file; None where a server keeps it."""
        return Path(self.url.removeprefix(_SQLITE)) if self.url.startswith(_SQLITE) else None

    def anchored(self, folder: Path) -> JournalSettings:
        """The same with a relative SQLite path read from `folder`."""
        path = self.url.removeprefix(_SQLITE)
        if path in {self.url, "", ":memory:"} or path.startswith("/"):
            return self
        return replace(self, url=f"{_SQLITE}{(folder / path).absolute()}")
