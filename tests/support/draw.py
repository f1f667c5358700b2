"""Draws the Grafana dashboards from a real Prometheus' figures, where no Grafana runs: `make dashboards` → docs/dashboards.png.

    python -m tests.support.draw FILE

Starts a small season (`season`), loads it for half a minute and draws every panel's own queries with matplotlib: what the picture shows
is what the queries return, not what somebody imagined. Layout, stacking and titles are the panels'; colours and fonts are matplotlib's.
"""

from __future__ import annotations

import math
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.support.dashboards import Panel, dashboards, panels
from tests.support.prometheus import Prometheus, prometheus
from tests.support.season import season

_COLUMNS = 24
_ROUNDS = 6
_LEGENDS_MAX = 8
_COLOURS = mpl.colormaps["tab10"].colors  # type: ignore[attr-defined]  # a ListedColormap has them
_SCALES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def main(target: Path) -> None:
    """Writes the picture."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with season(place / "it") as running, prometheus(place / "prometheus", f"127.0.0.1:{running.daemon.metrics_port()}") as watching:
            started_s = time.time()
            for _ in range(_ROUNDS):
                running.load()
            with running.whole_school_under_way():
                time.sleep(5)
                _picture(watching, started_s, time.time()).savefig(target, dpi=64, bbox_inches="tight")


def _picture(watching: Prometheus, start_s: float, end_s: float) -> Figure:
    boards = dashboards()
    rows = [_rows([panel for panel in panels() if panel.dashboard == name]) for name in boards]
    figure = Figure(figsize=(24, sum(0.8 + sum(_height(row) for row in board) for board in rows)), facecolor="#f4f5f5")
    outer = figure.add_gridspec(len(boards), 1, height_ratios=[0.8 + sum(_height(row) for row in board) for board in rows], hspace=0.06)
    for place, (board, of_board) in enumerate(zip(boards.values(), rows, strict=True)):
        part = figure.add_subfigure(outer[place, 0], facecolor="#f4f5f5")
        part.suptitle(board["title"], x=0.13, ha="left", fontsize=20, fontweight="bold")
        grid = part.add_gridspec(len(of_board), _COLUMNS, height_ratios=[_height(row) for row in of_board], wspace=2.4, hspace=0.55)
        for line, row in enumerate(of_board):
            column = 0
            for panel in row:
                axes = part.add_subplot(grid[line, column : column + panel.width])
                _draw(axes, panel, watching, start_s, end_s)
                column += panel.width
    return figure


def _rows(of_board: Sequence[Panel]) -> list[list[Panel]]:
    rows: list[list[Panel]] = [[]]
    for panel in of_board:
        if sum(each.width for each in rows[-1]) + panel.width > _COLUMNS or (rows[-1] and rows[-1][0].kind != panel.kind):
            rows.append([])
        rows[-1].append(panel)
    return rows


def _height(row: Sequence[Panel]) -> float:
    return 1.3 if row[0].kind == "stat" else 3.4


def _draw(axes: Any, panel: Panel, watching: Prometheus, start_s: float, end_s: float) -> None:
    axes.set_title(panel.title, fontsize=11, loc="left")
    if panel.kind == "stat":
        _draw_stat(axes, panel, watching)
        return
    lines = []
    for query in panel.queries:
        for labels, points in watching.query_range(query.expression, start_s, end_s, 1.0):
            legend = re.sub(r"\{\{(\w+)\}\}", lambda found, of=labels: of.get(found[1], ""), query.legend)  # type: ignore[misc]
            lines.append((legend, {float(moment) - start_s: float(value) for moment, value in points}))
    _draw_lines(axes, panel, lines[: len(_COLOURS)])
    axes.tick_params(labelsize=8)
    axes.yaxis.set_major_formatter(lambda value, _position: _text(value, panel.unit))
    axes.grid(alpha=0.3)
    axes.set_xlim(0, end_s - start_s)


def _draw_lines(axes: Any, panel: Panel, lines: list[tuple[str, dict[float, float]]]) -> None:
    moments = sorted({moment for _legend, points in lines for moment in points})
    series = [[points.get(moment, math.nan) for moment in moments] for _legend, points in lines]
    if panel.stacked:
        axes.stackplot(moments, [[0 if math.isnan(value) else value for value in one] for one in series], colors=_COLOURS, alpha=0.6)
    for number, one in enumerate([] if panel.stacked else series):
        axes.plot(moments, one, color=_COLOURS[number], linewidth=1.3)
    handles = [mpl.patches.Patch(color=_COLOURS[number], label=legend) for number, (legend, _points) in enumerate(lines[:_LEGENDS_MAX])]
    values = [value for one in series for value in one if not math.isnan(value)]
    if values and min(values) >= 0:
        axes.set_ylim(bottom=0, top=None if max(values) else 1)
    axes.legend(handles=[handle for handle in handles if handle.get_label()], fontsize=7, ncol=2, loc="upper left", framealpha=0.6)


def _draw_stat(axes: Any, panel: Panel, watching: Prometheus) -> None:
    found = watching.query(panel.queries[0].expression)
    axes.text(0.5, 0.45, _text(found[0][1], panel.unit) if found else "no data", fontsize=20, ha="center", va="center", color="#1f60c4")
    axes.set_xticks([])
    axes.set_yticks([])


def _text(value: float, unit: str) -> str:
    """A figure as Grafana would write it."""
    if unit.startswith("dateTime"):
        return f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime(value / 1000))}"
    if unit == "percentunit":
        return f"{value:.1%}"
    suffix = {"s": " s", "bytes": "B", "ops": "/s"}.get(unit, "")
    for least, letter in _SCALES:
        if abs(value) >= least:
            return f"{value / least:.3g} {letter}{suffix}"
    return f"{value:.3g}{suffix}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
