"""The Grafana dashboards of deploy/observability as their readers see them: panels and their queries, variables filled in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.prometheus import OBSERVABILITY

_VARIABLES = {"$instance": ".*", "$__rate_interval": "10s"}


@dataclass(frozen=True, slots=True)
class Query:
    """One target of a panel. legend: as Grafana writes it, `{{label}}` in it."""

    expression: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """What a panel shows. kind: Grafana's panel type."""

    dashboard: str
    title: str
    kind: str
    unit: str
    stacked: bool
    width: int
    queries: tuple[Query, ...]

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.title}"


def dashboards() -> dict[str, dict[str, Any]]:
    """Each file as it stands, by its name; the overview first."""
    files = sorted((OBSERVABILITY / "dashboards").glob("*.json"), key=lambda file: (file.stem != "overview", file.stem))
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}


def panels() -> Iterator[Panel]:
    """All of them, in their order."""
    for name, board in dashboards().items():
        for panel in board["panels"]:
            defaults = panel["fieldConfig"]["defaults"]
            yield Panel(
                dashboard=name,
                title=panel["title"],
                kind=panel["type"],
                unit=defaults["unit"],
                stacked=defaults.get("custom", {}).get("stacking", {}).get("mode") == "normal",
                width=panel["gridPos"]["w"],
                queries=tuple(Query(_filled(target["expr"]), target.get("legendFormat", "")) for target in panel["targets"]),
            )


def _filled(expression: str) -> str:
    for variable, value in _VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression
