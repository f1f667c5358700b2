"""`make soak`: one long run and its report. Exit code 1 when anything grew.

python -m tests.soak [--rounds N] [--out FOLDER]
"""

from __future__ import annotations

import os
import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from tests.soak.looks import Look
from tests.soak.report import faults, text
from tests.soak.run import LONG, settings, soak
from tests.support.archive import archive
from tests.support.daemon import running_daemon


@click.command()
@click.option("--rounds", type=click.IntRange(min=LONG.warm_up + 4), default=LONG.rounds, show_default=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("docs"), show_default=True)
def main(rounds: int, out: Path) -> None:
    """Do the same work again and again, and report what grew."""
    pace, busy = msgspec.structs.replace(LONG, rounds=rounds), os.getloadavg()[0]
    with (
        tempfile.TemporaryDirectory() as folder,
        archive(Path(folder) / "world") as cas,
        running_daemon(cas.world.config(**settings(cas.world))) as daemon,
    ):
        run = soak(cas.world, daemon, pace, _tell)
    (out / "soak.md").write_text(text(run, _machine(busy)), encoding="utf-8")
    grown = faults(run)
    click.echo("\n".join(grown) or f"nothing grew; {out / 'soak.md'}")
    if grown:
        raise click.exceptions.Exit(1)


def _tell(look: Look) -> None:
    held = " ".join(f"{name.replace('_', ' ')} {holding.rss_bytes / 1e6:.1f}" for name, holding in look.holdings.items())
    click.echo(f"{look.documents} documents · MB: {held}")


def _machine(busy: float) -> str:
    return (
        f"Run on {datetime.now(UTC):%d %B %Y} on {len(os.sched_getaffinity(0))} cores ({platform.machine()}), the client among them; "
        f"the machine's load was {busy:.1f} before it began."
    )


if __name__ == "__main__":
    main()
