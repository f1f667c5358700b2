"""The journal: its commits, checkpoints and archive, and its disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from prometheus_client import Counter, Gauge, Histogram

from signer.telemetry.metrics.labels import STAGE_SECONDS
from signer.telemetry.spec import Spec


@dataclass(frozen=True)
class JournalMetrics:
    """Their part of `Metrics`."""

    journal_commits: Annotated[
        Counter, Spec("signer_journal_commits_total", "Durable commits; entries over commits is the size of a group.")
    ]
    journal_entries: Annotated[Counter, Spec("signer_journal_entries_total", "Entries made durable.")]
    journal_commit_duration_seconds: Annotated[
        Histogram, Spec("signer_journal_commit_duration_seconds", "Of a durable commit, on the journal's thread.", (), STAGE_SECONDS)
    ]
    checkpoint_made_seconds: Annotated[
        Gauge,
        Spec("signer_journal_checkpoint_made_timestamp_seconds", "When the journal's last checkpoint was signed (Unix time); 0: never."),
    ]
    checkpoint_entries: Annotated[Gauge, Spec("signer_journal_checkpoint_entries", "How many entries the last checkpoint covers.")]
    checkpoint_failures: Annotated[
        Counter,
        Spec("signer_journal_checkpoint_failures_total", "Checkpoints that could not be made.", (("reason", "an error's reason"),)),
    ]
    archived_entries: Annotated[
        Gauge,
        Spec(
            "signer_journal_archived_entries",
            "Entries, from the first one on, whose segments are archived; the others are in the database.",
        ),
    ]
    archive_made_seconds: Annotated[
        Gauge, Spec("signer_journal_archive_made_timestamp_seconds", "When the last segment was archived (Unix time); 0: never.")
    ]
    archive_failures: Annotated[
        Counter,
        Spec("signer_journal_archive_failures_total", "Segments that could not be archived.", (("reason", "an error's reason"),)),
    ]
    journal_size_bytes: Annotated[Gauge, Spec("signer_journal_size_bytes", "The journal's file, its write-ahead log included.")]
    journal_disk_bytes: Annotated[Gauge, Spec("signer_journal_disk_bytes", "The file system that holds the journal.")]
    journal_disk_free_bytes: Annotated[
        Gauge, Spec("signer_journal_disk_free_bytes", "What is free on it for the daemon; at 0 nothing is signed any more.")
    ]
