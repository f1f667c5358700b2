"""Which layouts of records are known, and which schools they name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from signer.people.client import SchoolTier
from signer.settings import Identifier


@dataclass(frozen=True, slots=True)
class SchoolSettings:
    """`[[records.schools]]`: what a school's id does not tell of it."""

    id: Annotated[Identifier, Field(description="The school, as `clients.schools` and `credentials.school` name it.")]
    code: Annotated[
        str,
        Field(
            max_length=64,
            description="MA_TRUONG in its records, when it is not the id; one that differs is reported, and nothing is signed.",
        ),
    ] = ""
    tier: Annotated[
        SchoolTier, Field(description="What it teaches, for signer_signatures_by_class_total; `signer schools set --tier` has precedence.")
    ] = SchoolTier.UNKNOWN


@dataclass(frozen=True, slots=True)
class RecordSettings:
    """`[records]`: report cards as the Ministry's XML."""

    layouts_folder: Annotated[
        Path | None,
        Field(
            description="Folder of further layouts, one `*.toml` a version of the record (docs/records.md). One of them replaces the "
            "appliance's own of the same id. Read when the daemon starts."
        ),
    ] = None
    schools: Annotated[
        tuple[SchoolSettings, ...], Field(description="Schools whose MA_TRUONG is not their id, or whose tier is to be known.")
    ] = ()
    seal_in_person: Annotated[
        bool,
        Field(
            description="Whether records are sealed only under an authorisation that somebody with the clerk's role (văn thư) gives in "
            "person, whichever key seals. Switched off, school software may seal alone; then see to it by other means."
        ),
    ] = True
