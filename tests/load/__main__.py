"""`make load`: one run and its report. Exit code 1 when a document was not signed.

python -m tests.load [--short] [--documents-per-s N] [--out FOLDER]
"""

from __future__ import annotations

import os
import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from tests.load.arrivals import LONG, SHORT
from tests.load.report import write
from tests.load.run import run_on
from tests.support.daemon import build_world, running_daemon

_LIMITS = {"concurrent_rpcs_max": 1000}
_SHORT = " **A short form, to see that it works: its figures are rough.**"


@click.command()
@click.option("--short", is_flag=True, help="Half a minute, to see that it works; figures are rough.")
@click.option("--documents-per-s", type=click.FloatRange(min=1), help="Offered at the height of the run.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("docs"), show_default=True)
def main(short: bool, documents_per_s: float | None, out: Path) -> None:
    """Load the appliance as the last week of May does, and report."""
    season = SHORT if short else LONG
    if documents_per_s is not None:
        season = msgspec.structs.replace(season, documents_per_s=documents_per_s)
    with tempfile.TemporaryDirectory() as folder:
        world = build_world(Path(folder) / "world")
        config = world.config(server=_LIMITS, token={"processes": 0}, documents={"processes": 0})
        with running_daemon(config) as daemon:
            run = run_on(world, daemon, season, machine=_machine() + (_SHORT if short else ""))
    write(run, out)
    missing = sum(end.documents - end.signed for end in run.ends)
    click.echo(f"{sum(end.signed for end in run.ends)} signed, {missing} not; {out / 'load.md'}")
    if missing:
        raise click.exceptions.Exit(1)


def _machine() -> str:
    busy = os.getloadavg()[0]
    cores = len(os.sched_getaffinity(0))
    return (
        f"Run on {datetime.now(UTC):%d %B %Y} on {cores} cores ({platform.machine()}), the schools' generator among them; "
        f"the machine's load was {busy:.1f} before it began."
    )


if __name__ == "__main__":
    main()
