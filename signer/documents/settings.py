"""What the document workers may spend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field


@dataclass(frozen=True, slots=True)
class DocumentSettings:
    """`[documents]`: the processes that parse what strangers send."""

    processes: Annotated[int, Field(ge=0, le=256, description="Document workers; 0 = one a core.")] = 0
    memory_mib_max: Annotated[
        int,
        Field(
            ge=128,
            le=65_536,
            description="Address space of one worker; a document that needs more fails alone with DOCUMENT_TOO_COSTLY.",
        ),
    ] = 1024
    document_s_max: Annotated[
        float,
        Field(
            gt=0,
            le=600,
            description="Longest work on one document; beyond it DOCUMENT_TOO_COSTLY for that one alone, and its worker is replaced.",
        ),
    ] = 20.0
