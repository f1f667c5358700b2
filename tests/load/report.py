"""docs/load.md and docs/load.png: the figures as tables, the run as a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.load.arrivals import Arrival, Season, Visit
from tests.load.figures import felt, finished_per_s, lateness_s, taken
from tests.load.generator import End
from tests.load.watch import Look

_COLOURS = mpl.colormaps["tab10"].colors  # type: ignore[attr-defined]  # a ListedColormap has them
_BUCKET_S = 2.0


@dataclass(frozen=True, slots=True)
class Run:
    """All of one run. machine: where, in words."""

    season: Season
    arrivals: Sequence[Arrival]
    ends: Sequence[End]
    looks: Sequence[Look]
    machine: str


def text(run: Run) -> str:
    """docs/load.md."""
    season = run.season
    users = [
        f"| {row.visit.value} | {row.visits} | {row.documents} | {row.p50_s:.2f} | {row.p95_s:.2f} | {row.p99_s:.2f} | {row.slowest_s:.2f} "
        f"| {row.error_share:.2%}{''.join(f'<br>{reason} {count}' for reason, count in row.errors.most_common(3))} |"
        for row in felt(run.ends)
    ]
    processes = [
        f"| {row.group.replace('_', ' ')} | {row.cores_mean:.2f} | {row.cores_highest:.2f} | {row.rss_mb_highest:.0f} |"
        for row in taken(run.looks)
    ]
    return f"""# The last week of May

`make load` writes this page: {season.seconds:.0f} s of schools that arrive when they like (open model: nobody waits for others' answers),
with {season.documents_per_s:g} documents a second offered at the height; after four fifths of the run the rate falls again. PDFs of 30 to
60 KB over gRPC with mutual TLS, SoftHSM, a journal on disk. A principal's school ({season.school_documents} records) and single
records are signed at B-T by the built-in authority, the others at B-B. Nothing is sent twice: a refusal is an error.

{run.machine}

**Wanted:** every document signed; 95 of 100 classes within 10 s of their teacher's click (the alert `SignerClassSlow` speaks up at 30 s),
95 of 100 single records within 2 s, while principals' schools run beside them; no process that grows.

| visit | visits | documents | p50 s | p95 s | p99 s | slowest s | documents with errors |
|---|---|---|---|---|---|---|---|
{_lines(users)}

Signed: {finished_per_s(run.ends):.0f} documents a second over the whole run. Seconds count from the planned moment to the last answer of
the visit; the generator itself was at most {lateness_s(run.ends) * 1e3:.0f} ms late in 99 of 100 visits.

| processes | CPU cores, mean | highest half second | highest memory, MB |
|---|---|---|---|
{_lines(processes)}

![offered and signed, what users felt, what the processes took](load.png)
"""


def _lines(rows: Sequence[str]) -> str:
    return "\n".join(rows)


def picture(run: Run) -> Figure:
    """Offered and signed documents a second; what users felt; CPU and memory."""
    figure = Figure(figsize=(12, 11), layout="constrained")
    rates, latencies, cores, memory = figure.subplots(4, 1, sharex=True)
    _rate(rates, [(arrival.at_s, arrival.kind.documents) for arrival in run.arrivals], "offered")
    _rate(rates, [(end.ended_s, end.signed) for end in run.ends], "signed, when the visit ended")
    rates.set_ylabel("documents/s")
    for number, visit in enumerate(Visit):
        of_kind = [(end.planned_s, end.ended_s - end.planned_s) for end in run.ends if end.visit is visit]
        if of_kind:
            latencies.scatter(*zip(*of_kind, strict=True), s=14, color=_COLOURS[number], label=visit.value)
    latencies.set_yscale("log")
    latencies.set_ylabel("seconds to the last answer")
    _by_group(cores, run.looks, lambda look: look.cores)
    cores.set_ylabel("CPU cores")
    _by_group(memory, run.looks, lambda look: look.rss_mb)
    memory.set_ylabel("memory, MB")
    memory.set_xlabel("seconds")
    for axes in (rates, latencies, cores, memory):
        axes.legend(loc="upper left", fontsize=8)
        axes.grid(visible=True, alpha=0.3)
    return figure


def _rate(axes: Any, documents: Sequence[tuple[float, int]], label: str) -> None:
    counts = [0] * (int(max(at_s for at_s, _ in documents) / _BUCKET_S) + 1)
    for at_s, count in documents:
        counts[int(at_s / _BUCKET_S)] += count
    axes.step([place * _BUCKET_S for place in range(len(counts))], [count / _BUCKET_S for count in counts], where="post", label=label)


def _by_group(axes: Any, looks: Sequence[Look], value: Callable[[Look], dict[str, float]]) -> None:
    for number, group in enumerate(value(looks[0]) if looks else ()):
        axes.plot(
            [look.at_s for look in looks], [value(look)[group] for look in looks], label=group.replace("_", " "), color=_COLOURS[number]
        )


def write(run: Run, folder: Path) -> None:
    """load.md and load.png in this folder."""
    (folder / "load.md").write_text(text(run), encoding="utf-8")
    picture(run).savefig(folder / "load.png", dpi=80)
