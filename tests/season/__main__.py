"""`make season`: writes docs/season.md. python -m tests.season [--schools N] [--seed N] [--out FILE]"""

from __future__ import annotations

from pathlib import Path

import click

from tests.season.report import page


@click.command()
@click.option("--schools", type=click.IntRange(1), default=120, show_default=True)
@click.option("--seed", type=int, default=2026, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), default=Path("docs/season.md"), show_default=True)
def main(schools: int, seed: int, out: Path) -> None:
    """Compute the last week of May, and report."""
    out.write_text(page(schools, seed), encoding="utf-8")
    click.echo(str(out))


if __name__ == "__main__":
    main()
