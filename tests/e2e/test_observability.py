"""What an operator sees: Debian's prometheus scrapes a daemon under load, with the rules and dashboards of deploy/observability."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.daemon import World, running_daemon
from tests.support.dashboards import Panel, panels
from tests.support.prometheus import Prometheus, prometheus
from tests.support.season import Season, season
from tests.support.waiting import until

FIRST_FIGURES_S = 60.0


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Season, Prometheus]]:
    """Two classes signed while it was watched, and a whole school under way."""
    folder = tmp_path_factory.mktemp("season")
    with season(folder / "it") as running, prometheus(folder / "prometheus", f"127.0.0.1:{running.daemon.metrics_port()}") as watching:
        until(lambda: watching.query("signer_build_info"), "the first scrape")
        running.load()
        running.load()
        with running.whole_school_under_way():
            until(lambda: watching.query("instance:signer_backlog:documents > 1000"), "the backlog to be seen")
            yield running, watching


def has_figures(watching: Prometheus, expression: str) -> bool:
    return any(math.isfinite(value) for _labels, value in watching.query(expression))


@pytest.mark.parametrize("panel", list(panels()), ids=str)
def test_every_query_of_every_panel_returns_figures(panel: Panel, busy: tuple[Season, Prometheus]) -> None:
    _running, watching = busy
    for query in panel.queries:
        until(lambda expression=query.expression: has_figures(watching, expression), query.expression, FIRST_FIGURES_S)  # type: ignore[misc]


def test_every_rule_is_evaluated_and_every_recording_rule_returns_figures(busy: tuple[Season, Prometheus]) -> None:
    _running, watching = busy
    until(lambda: all(rule["health"] == "ok" for rule in watching.rules()), "every rule to be evaluated")
    for name in {rule["name"] for rule in watching.rules() if rule["type"] == "recording"}:
        until(lambda record=name: has_figures(watching, record), name, FIRST_FIGURES_S)  # type: ignore[misc]


def test_an_appliance_that_is_well_raises_no_alarm(busy: tuple[Season, Prometheus]) -> None:
    _running, watching = busy
    assert watching.alerts_firing() == set()


def test_the_forecast_is_what_is_left_over_the_rate(busy: tuple[Season, Prometheus]) -> None:
    _running, watching = busy
    left_over_rate = "instance:signer_backlog:documents / instance:signer_documents_ended:rate5m"
    ((_labels, error_s),) = watching.query(f"instance:signer_backlog_finish:timestamp_seconds - (time() + {left_over_rate})")
    ((_labels, finish_s),) = watching.query("instance:signer_backlog_finish:timestamp_seconds")
    assert abs(error_s) < 60
    assert finish_s > time.time()


def test_a_pin_that_was_refused_raises_the_alarm_within_seconds(new_world: Callable[[], World], tmp_path: Path) -> None:
    """From a real token's refusal to what an operator is sent."""
    world = new_world()
    world.token.pin_file.write_text("not-the-pin-of-this-token", encoding="utf-8")
    with (
        running_daemon(world.config(token={"processes": 1}, documents={"processes": 1})) as running,
        prometheus(tmp_path / "prometheus", f"127.0.0.1:{running.metrics_port()}") as watching,
    ):
        until(lambda: watching.alerts_firing() == {"SignerPinHeld"}, "the alarm, and no other")
