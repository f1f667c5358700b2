"""What the document workers may spend, and what visible signatures are made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from signer.model import AppearanceStyle
from signer.settings import Identifier, OptionalIdentifier


def _of_an_image(style: AppearanceStyle) -> AppearanceStyle:
    if not style.takes_image:
        message = "expected 'person' or 'organisation': the other styles are text alone"
        raise ValueError(message)
    return style


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


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """`[[appearance.images]]`: an image for visible signatures, as the contract's Image has it."""

    id: Annotated[Identifier, Field(description="What Appearance.image_id names; unique in each of its schools.")]
    schools: Annotated[
        tuple[Identifier, ...], Field(min_length=1, description="The schools it belongs to; for any other it does not exist.")
    ]
    style: Annotated[
        AppearanceStyle,
        AfterValidator(_of_an_image),
        Field(description="What it is of: a person's signature (blue), or an organisation's seal (red, shown in its actual size)."),
    ]
    width_pt: Annotated[
        float, Field(gt=0, le=600, description="Actual width on paper, points of 1/72 inch; the height follows from the image.")
    ]
    file: Annotated[
        Path, Field(description="PNG, transparent where paper shows, at most 1 MiB and 4,000 pixels a side. Read when it is first needed.")
    ]
    credential: Annotated[
        OptionalIdentifier, Field(description="The credential whose image it is when a request names none; empty: none's.")
    ] = ""


@dataclass(frozen=True, slots=True)
class AppearanceSettings:
    """`[appearance]`: what visible signatures are made of."""

    font: Annotated[
        Path,
        Field(
            description="TrueType font of their text, embedded in part. Debian's fonts-liberation2 has the default, with the measures of "
            "Times New Roman and every Vietnamese letter. Needed for text only: without it a visible text is refused with CONFIG_INVALID."
        ),
    ] = Path("/usr/share/fonts/truetype/liberation2/LiberationSerif-Regular.ttf")
    images: Annotated[tuple[ImageSettings, ...], Field(description="Signature images and seals.")] = ()
