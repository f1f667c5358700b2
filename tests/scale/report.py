"""docs/scale.md, computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.scale import demand
from tests.scale.needs import Needs, measured, needs, signature

_HEAD: Final = """# Scale on paper

What one signature costs, measured, and what that makes for a school, a city, a Department and the country in their worst hour. `make scale`
writes this page from [tests/scale/measured.toml](../tests/scale/measured.toml) and the assumptions below; a test holds it against them.
Nothing of it was run at that size. How long people wait at which rate of a token is in [season.md](season.md), a real load on one
machine in [load.md](load.md).
"""
_READING: Final = """
Machines and HSMs have one to spare; a school with a USB token has its one small machine, and no HSM. Cores are of the machines that sign:
daemons, document workers, token workers and the vendor's library, but not the HSM's own work. A daemon's interpreter uses one core, so a
machine runs several daemons behind the load balancer. Timestamps are key uses of the built-in authority here; from an outside authority
they are its requests instead, and an evidence record over a class is one request for 35 (RFC 4998): that line can fall to a thirty-fifth.

A log is one chain: whoever shares a database writes it in turn, so its writing does not grow with machines. That and the HSMs are the lines
to look at first; the others grow by adding. The country is no one appliance anyway: a log for each Department stays far below the limit.
PostgreSQL's log goes over the network too where a second server keeps a copy. What one HSM does is in its data sheet, and what its library
costs is an assumption; measure yours.
"""
_COUNTRY: Final = "- {peak:,g}/s for the country's {pupils:g} million pupils in its worst hour; TP.HCM has its pupils' share of it."
_LATER: Final = """
With `[journal.archive]` the second line takes the first one's place in the database after `keep_days`, and the third is files. Material
goes by itself after `material_days`.
"""


def page() -> str:
    """The whole page."""
    every = [needs(site) for site in demand.SITES]
    parts = [
        _HEAD,
        "## At the peak\n",
        _table(every, _PEAK),
        _READING,
        "## At a season's end\n",
        _table(every, _SEASON),
        _LATER,
        "## What a signature costs\n",
        _costs(),
        "\nCPU is of a calm machine ([performance.md](performance.md)) times the ratios of measured.toml. The average is of this mix: "
        + ", ".join(f"{share:.0%} {name}" for name, share in demand.MIX.items())
        + ".\n",
        "## What is assumed\n",
        "\n".join(f"- {each.value:,g}: {each.what}." for each in demand.ASSUMPTIONS),
        _COUNTRY.format(peak=demand.COUNTRY_PEAK_PER_S, pupils=demand.COUNTRY_PUPILS / 1e6),
    ]
    return "\n".join(parts) + "\n"


_Line = tuple[str, Callable[[Needs], str]]
_PEAK: Final[tuple[_Line, ...]] = (
    ("signatures/s", lambda each: f"{each.site.peak_per_s:,.0f}"),
    ("cores", lambda each: f"{each.cores:,.1f}"),
    ("daemons", lambda each: f"{each.daemons:,}"),
    (f"machines of {demand.MACHINE_CORES.value:g} cores", lambda each: f"{each.machines:,}"),
    ("key uses/s", lambda each: f"{each.key_uses_per_s:,.0f}"),
    (f"HSM partitions of {demand.HSM_PER_S.value:,g}/s", lambda each: f"{each.hsms:,}" if each.hsms else "–"),
    ("share of the time that the log is written", lambda each: f"{each.writer_share:.2f}"),
    ("logs, each in a database of its own, at least", lambda each: f"{each.logs:,}"),
    ("database commits/s, at most", lambda each: f"{each.commits_per_s:,.0f}"),
    ("rows written/s", lambda each: f"{each.rows_per_s:,.0f}"),
    ("PostgreSQL's log, MB/s", lambda each: f"{each.wal_bytes_per_s / 1e6:,.1f}"),
    ("network to schools, Mbit/s, both ways", lambda each: f"{each.network_bits_per_s / 1e6:,.0f}"),
    ("timestamps/s", lambda each: f"{each.timestamps_per_s:,.1f}"),
)
_SEASON: Final[tuple[_Line, ...]] = (
    ("signatures, millions", lambda each: f"{each.season_signatures / 1e6:,.2f}"),
    ("journal in the database, GB", lambda each: f"{each.journal_bytes / 1e9:,.2f}"),
    ("the same once archived, GB", lambda each: f"{each.archived_bytes / 1e9:,.2f}"),
    ("its archive files, GB", lambda each: f"{each.archive_file_bytes / 1e9:,.2f}"),
    ("material that answers repeats, GB", lambda each: f"{each.material_bytes / 1e9:,.2f}"),
)


def _table(every: list[Needs], lines: tuple[_Line, ...]) -> str:
    heads = [each.site.name for each in every]
    rows = [f"| | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    rows += [f"| {name} | {' | '.join(cell(each) for each in every)} |" for name, cell in lines]
    return "\n".join(rows)


def _costs() -> str:
    columns = ("format", "daemon, µs", "all CPU but the HSM's, µs", "key uses", "network, KB", "commits", "PostgreSQL's log, KB")
    heads = f"| {' | '.join((*columns, 'journal, KB', 'material, KB'))} |"
    rows = [heads, "|---|" + "---|" * 8]
    for name in [*measured()["formats"], ""]:
        one = signature({name: 1.0}) if name else signature()
        figures = (one.network_bytes, one.wal_bytes, one.journal_bytes, one.material_bytes)
        network, wal, journal, material = (f"{each / 1e3:.1f}" for each in figures)
        times = f"{one.daemon_s * 1e6:,.0f} | {one.cpu_s * 1e6:,.0f} | {one.key_uses:.2f}"
        rows.append(f"| {name or '**the average**'} | {times} | {network} | {one.commits:.2f} | {wal} | {journal} | {material} |")
    return "\n".join(rows)
