"""`make bench` and `make bench-compare`: runs benches, prints JSON lines and a table. Exit code 1 when a bench failed, 0 otherwise.

Figures that miss what was promised are said, not punished: a machine with other work on it misses them too.
"""

from __future__ import annotations

import fcntl
import os
import sys
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from tests.bench.benches import BENCHES, Bench
from tests.bench.ground import FULL, QUICK, Ground, NotSigned, Skipped
from tests.bench.lines import ProgramFailed
from tests.bench.measure import Calm
from tests.bench.report import Report
from tests.bench.row import Row

_FOLDER = Path("var/bench")


@click.command()
@click.argument("names", nargs=-1)
@click.option("--quick", is_flag=True, help="Short runs, to see that benches work; figures are rough.")
@click.option("--list", "list_only", is_flag=True, help="Say which benches there are.")
@click.option("--pairs", type=click.IntRange(1), help="Repetitions of reference and subject.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Length of each side of a pair.")
@click.option("--calm", type=click.FloatRange(0, 100), help="Take a pair again when the host took more percent of all cores meanwhile.")
def main(names: tuple[str, ...], *, quick: bool, list_only: bool, pairs: int | None, seconds: float | None, calm: float | None) -> None:
    """Measure the daemon against the token behind it. NAMES: benches to run; those whose name begins so."""
    if list_only:
        for bench in BENCHES:
            click.echo(f"{bench.name:24} {bench.about}")
        return
    _run_alone()
    pace = QUICK if quick else FULL
    calm_pairs = None if calm is None else Calm(calm / 100)
    ground = Ground(_FOLDER.resolve(), replace(pace, pairs=pairs or pace.pairs, seconds=seconds or pace.seconds, calm=calm_pairs))
    report = Report(_FOLDER / "latest.jsonl", {"quick": quick, "cores": len(os.sched_getaffinity(0))})
    failed = [bench.name for bench in _chosen(names) if not _run(bench, ground, report)]
    report.show(Console(stderr=not sys.stdout.isatty(), width=None if sys.stderr.isatty() else 220))
    if failed:
        raise click.ClickException(f"failed: {', '.join(failed)}")


def _run_alone() -> None:
    """Two runs at once would measure each other. The lock ends with the process."""
    _FOLDER.mkdir(parents=True, exist_ok=True)
    lock = os.open(_FOLDER / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise click.ClickException("another run of the benches is under way") from error


def _chosen(names: tuple[str, ...]) -> list[Bench]:
    chosen = [bench for bench in BENCHES if any(bench.name.startswith(name) for name in names) or (not names and bench.in_default)]
    if not chosen:
        raise click.ClickException(f"no bench begins with {' or '.join(names)}: see --list")
    return chosen


def _run(bench: Bench, ground: Ground, report: Report) -> bool:
    """Adds its rows; False when it failed."""
    try:
        for row in bench.run(ground):
            report.add(row)
    except Skipped as reason:
        report.add(Row(bench=bench.name, target=None, reference="", skipped=str(reason)))
    except (ProgramFailed, NotSigned, AssertionError) as failure:
        click.echo(f"{bench.name} failed: {failure}", err=True)
        report.add(Row(bench=bench.name, target=None, reference="", skipped=f"failed: {failure}"))
        return False
    return True


if __name__ == "__main__":
    main()
