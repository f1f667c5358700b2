"""Debian's prometheus on a port of its own, with the rules of deploy/observability: what an operator would see, asked over its API."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.mortal import mortal
from tests.support.ports import free_port
from tests.support.waiting import until

OBSERVABILITY = Path(__file__).parents[2] / "deploy/observability"
_EVERY = "1s"
Sample = tuple[dict[str, str], float]
"""A series' labels and its value."""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running one."""

    url: str

    def query(self, expression: str) -> list[Sample]:
        """An instant query's samples."""
        return [(found["metric"], float(found["value"][1])) for found in self._ask("query", query=expression)["result"]]

    def query_range(self, expression: str, start_s: float, end_s: float, step_s: float) -> list[tuple[dict[str, str], list[Any]]]:
        """Labels, and [time, value as text] pairs of each series."""
        found = self._ask("query_range", query=expression, start=start_s, end=end_s, step=step_s)["result"]
        return [(series["metric"], series["values"]) for series in found]

    def alerts_firing(self) -> set[str]:
        """By name."""
        return {alert["labels"]["alertname"] for alert in self._ask("alerts")["alerts"] if alert["state"] == "firing"}

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its health."""
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def _ask(self, path: str, **parameters: Any) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=60) as answer:  # noqa: S310
            data: dict[str, Any] = json.load(answer)["data"]
        return data

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
        return False


@contextlib.contextmanager
def prometheus(folder: Path, *targets: str) -> Iterator[Prometheus]:
    """Scrapes the targets every second while the block runs; the operator's own configuration otherwise."""
    folder.mkdir(parents=True)
    shutil.copytree(OBSERVABILITY / "rules", folder / "rules")
    configuration = yaml.safe_load((OBSERVABILITY / "prometheus.yml").read_text(encoding="utf-8"))
    configuration["global"] = {"scrape_interval": _EVERY, "evaluation_interval": _EVERY, "scrape_timeout": _EVERY}
    configuration["scrape_configs"][0]["static_configs"] = [{"targets": list(targets)}]
    del configuration["alerting"]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    arguments = {
        "config.file": folder / "prometheus.yml",
        "storage.tsdb.path": folder / "data",
        "web.listen-address": address,
        "enable-feature": "exemplar-storage",
    }
    with (folder / "log").open("wb") as log:
        command = mortal("prometheus", *(f"--{name}={value}" for name, value in arguments.items()))
        process = subprocess.Popen(command, stdout=log, stderr=log)
    running = Prometheus(f"http://{address}")
    try:
        until(lambda: running.is_ready() or process.poll() is not None, "prometheus to be ready")
        assert process.poll() is None, (folder / "log").read_text(encoding="utf-8")
        yield running
    finally:
        process.terminate()
        process.wait(90)
