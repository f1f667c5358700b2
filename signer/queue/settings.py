"""`[queue]`: what is kept of batches that are signed later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """`[queue]`: batches that are accepted now and signed when the token allows. Left out: SubmitBatch is refused, and nothing is loaded.

    Needs the packages of `signer[queue]`. Documents are kept encrypted (`activation.secrets`) until they are acknowledged: beside an SQLite
    journal in `<journal>.queue`, else in the journal's own database.
    """

    bytes_max: Annotated[
        int,
        Field(ge=1, description="What all queued batches may take; beyond it SubmitBatch answers QUEUE_FULL. Keep as much disk free."),
    ] = 20 * _GIB
    documents_max: Annotated[int, Field(ge=1, le=1_000_000, description="Documents a batch; beyond it BATCH_TOO_LARGE.")] = 200_000
    school_batches_max: Annotated[
        int, Field(ge=1, le=10_000, description="Batches of one school that have not ended; beyond it QUEUE_FULL.")
    ] = 50
    batches_at_once: Annotated[
        int,
        Field(ge=1, le=64, description="Batches that one daemon works on at once, each of another school; a school's own go one by one."),
    ] = 4
    deadline_days_max: Annotated[
        float, Field(gt=0, le=365, description="How long a batch may take; what has not ended by then fails with DEADLINE_EXCEEDED.")
    ] = 14.0
    results_days: Annotated[
        float, Field(gt=0, le=365, description="How long after a batch's end its documents wait to be fetched; then they are deleted.")
    ] = 14.0
    history_days: Annotated[
        float, Field(gt=0, le=3650, description="How long after a batch's end it is still listed, with each document's outcome.")
    ] = 90.0
