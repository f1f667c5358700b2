"""What the demonstration shows: rounds, verdicts, metrics, and where things lie."""

from __future__ import annotations

import urllib.request
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from signer.demo.judge import Verdict
from signer.demo.stage import Round, Stage

_SHOWN_METRICS = ("signer_signatures_total", "signer_token_workers", "signer_journal_commits_total", "signer_journal_entries_total")


@dataclass(frozen=True, slots=True)
class Signed:
    """One round as `signer sign --json` told it. *_ms: mean of an item."""

    of: Round
    items: int
    signed: int
    failed: int
    elapsed_s: float
    queue_ms: float
    document_ms: float
    token_ms: float
    timestamp_ms: float
    journal_ms: float

    @classmethod
    def from_json(cls, of: Round, told: dict[str, Any]) -> Signed:
        """From the command's JSON."""
        summary = told["summary"]
        signed = summary["signed"] + summary["replayed"]
        means = {stage: 1000 * seconds / max(1, summary["signed"]) for stage, seconds in summary["times_s"].items()}
        return cls(
            of,
            summary["documents"],
            signed,
            summary["failed"],
            summary["elapsed_s"],
            means.get("queue", 0.0),
            means.get("document", 0.0),
            means.get("token", 0.0),
            means.get("timestamp", 0.0),
            means.get("journal", 0.0),
        )


def show_rounds(console: Console, rounds: list[Signed]) -> None:
    """A line a round; times are means of an item, and stages of different items overlap."""
    table = Table(
        title="Three PAdES signatures on each record, level B-T (times: mean ms of an item)",
        box=None,
        padding=(0, 1, 0, 0),
    )
    table.add_column("signed by", no_wrap=True)
    for heading in ("items", "signed", "failed", "sig./s", "queue", "token", "TSA", "doc.", "journal"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in rounds:
        times = [f"{ms:.1f}" for ms in (one.queue_ms, one.token_ms, one.timestamp_ms, one.document_ms, one.journal_ms)]
        rate = f"{one.signed / one.elapsed_s:.0f}" if one.elapsed_s else "-"
        table.add_row(one.of.title, str(one.items), str(one.signed), str(one.failed), rate, *times)
    console.print(table)


def show_verdict(console: Console, stage: Stage, own: Verdict, pdfsig: Verdict) -> None:
    """How many files each judge accepted."""
    total = len(stage.school_class.pupils)
    for judge, verdict in (("signer verify", own), ("pdfsig", pdfsig)):
        colour = "green" if verdict.passed == total else "red"
        console.print(f"   {judge}: {verdict.passed} of {total} files with 3 valid signatures of trusted certificates", style=colour)
        for complaint in verdict.complaints:
            console.print(f"     not accepted: {complaint}", soft_wrap=True)


def show_metrics(console: Console, port: int) -> None:
    """A few lines of what Prometheus would scrape now."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    console.print(f"\nMetrics now (http://127.0.0.1:{port}/metrics; each is explained in docs/metrics.md):")
    for line in lines:
        if line.startswith(_SHOWN_METRICS) and not line.endswith(" 0.0"):
            console.print(f"   {line}", soft_wrap=True)


def show_where(console: Console, stage: Stage, elapsed_s: float) -> None:
    """Where the results lie."""
    console.print(
        f"\nDone in {elapsed_s:.0f} s. The signed records: [bold]{stage.signed}[/bold], one PDF a pupil with its three signatures."
    )
    console.print(f"Look at one:  pdfsig -nssdir sql:{stage.folder / 'nss'} -no-ocsp FILE   or open it in a PDF reader.", soft_wrap=True)
    console.print("To keep the daemon up and play:  make demo-serve   (metrics, `signer tokens`, `signer credentials`).", soft_wrap=True)
