"""Rows as they come, one JSON object a line on stdout and in a file, and a table for people at the end."""

# ruff: noqa: T201 - printed lines are its answers

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.row import Row


class Report:
    """What was measured so far. The file is written line by line: a run cut off keeps what it has."""

    def __init__(self, path: Path, machine: dict[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._machine = machine
        self._rows: list[Row] = []
        path.write_text("", encoding="utf-8")

    def add(self, row: Row) -> None:
        """Prints and keeps one row."""
        self._rows.append(row)
        line = json.dumps({**row.as_json(), **self._machine}, ensure_ascii=False)
        print(line, flush=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    @property
    def missed(self) -> int:
        return sum(row.is_met is False for row in self._rows)

    def show(self, console: Console) -> None:
        """The table: figures are medians, with least and greatest of the pairs behind them."""
        table = Table(
            "bench", "items/s", "reference", "its items/s", "figure", "least–greatest", "must be", "", "p50 ms", "p99 ms", "µs CPU an item"
        )
        for row in self._rows:
            table.add_row(*_cells(row))
        console.print(table)


def _cells(row: Row) -> list[str]:
    if row.skipped:
        return [row.bench, "", f"skipped: {row.skipped}", "", "", "", str(row.target or ""), "–", "", "", ""]
    verdict = {True: "[green]met[/]", False: "[red]missed[/]", None: "–"}[row.is_met]
    figure = row.figure
    cpu = " ".join(f"{group.replace('_workers', '')} {value:.0f}" for group, value in row.cpu_us_per_item.items())
    return [
        row.bench,
        _number(row.items_per_s),
        row.reference,
        _number(row.reference_items_per_s),
        _number(figure.median if figure else None, 3),
        f"{figure.least:.3g}–{figure.greatest:.3g}" if figure else "",
        str(row.target or ""),
        verdict,
        _number(row.p50_ms, 3),
        _number(row.p99_ms, 3),
        cpu,
    ]


def _number(value: float | None, digits: int = 4) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 10 ** (digits - 1) else f"{value:.{digits}g}"
