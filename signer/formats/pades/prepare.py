"""One door to both PAdES paths: the fast one where it is sure of a document, the complete one for all else.

A place beside a text is found first (`anchor`); both paths know rectangles only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from signer.algorithms import DigestAlgorithm
from signer.formats.pades import complete
from signer.formats.pades.anchor import placed
from signer.formats.pades.appearance.artwork import Artwork
from signer.formats.pades.fast.fallback import FallbackReason, HandOver
from signer.formats.pades.fast.path import prepare_fast
from signer.formats.pades.update import PreparedUpdate
from signer.model import FieldPlacement

Path: TypeAlias = Literal["fast", "complete"]
"""The values of telemetry's PreparationPath."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """update: complete but for the CMS. path: what made it. fallback: why not the fast path (a `FallbackReason`), empty if it did."""

    update: PreparedUpdate
    path: Path
    fallback: str


def prepare(
    document: bytes,
    placement: FieldPlacement,
    *,
    signing_time: datetime,
    contents_bytes: int,
    digest_algorithm: DigestAlgorithm,
    artwork: Artwork | None = None,
) -> Preparation:
    """Make the update that signs `document`, complete but for the CMS.

    Args:
        document: the PDF.
        placement: the field to fill and the texts of its signature dictionary.
        signing_time: written to /M with its offset; must be aware.
        contents_bytes: bytes reserved for the CMS (the hole has twice as many hex digits).
        digest_algorithm: the signature's digest, for fields whose seed values or locks name one.
        artwork: what the placement's appearance shows; None for an invisible signature.

    Raises:
        InvalidArgument: the placement can't be written into a PDF.
        DocumentError: one of its leaves. Both come from the complete path, or from the search for an anchor: the fast one refuses nothing
            by itself.
    """
    placement = placed(document, placement)
    try:
        update = prepare_fast(document, placement, signing_time=signing_time, contents_bytes=contents_bytes, artwork=artwork)
    except HandOver as handed_over:
        reason = handed_over.reason
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  # a bug of the fast path must cost a document some milliseconds, not its signature; it is counted
        reason = FallbackReason.UNEXPECTED
    else:
        return Preparation(update, "fast", "")
    update = complete.prepare(
        document,
        placement,
        signing_time=signing_time,
        contents_bytes=contents_bytes,
        digest_algorithm=digest_algorithm,
        artwork=artwork,
    )
    return Preparation(update, "complete", reason.value)
