"""Rules, their tests, dashboards, runbook and metrics say the same: judged by promtool and amtool where those know better."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Histogram

from signer.errors import Reason
from signer.telemetry.metrics import specs
from tests.support.dashboards import dashboards, panels
from tests.support.prometheus import OBSERVABILITY

RUNBOOK = OBSERVABILITY.parents[1] / "docs/runbook"
SECTIONS = ("What it means", "What users feel", "First look", "Fix")
FOREIGN = {"up", "ALERTS", "process_cpu_seconds_total", "process_resident_memory_bytes"}


def rules(kind: str) -> Iterator[dict[str, Any]]:
    for file in sorted((OBSERVABILITY / "rules").glob("*.yml")):
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            yield from (rule for rule in group["rules"] if kind in rule)


ALERTS = list(rules("alert"))
NAMES = sorted({alert["alert"] for alert in ALERTS})


def run(*command: str) -> None:
    ran = subprocess.run(command, cwd=OBSERVABILITY, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_prometheus_takes_the_configuration_and_its_rules() -> None:
    run("promtool", "check", "config", "prometheus.yml")


def test_alertmanager_takes_its_configuration() -> None:
    run("amtool", "check-config", "alertmanager.yml")


@pytest.mark.parametrize("file", sorted(file.name for file in (OBSERVABILITY / "tests").glob("*.yml")))
def test_alerts_fire_when_they_should_and_keep_silent_when_they_should(file: str) -> None:
    run("promtool", "test", "rules", f"tests/{file}")


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert['alert']}-{alert['labels']['severity']}")
def test_every_alert_is_made_to_fire_once_and_kept_silent_once(alert: dict[str, Any]) -> None:
    """What each block says is promtool's to judge; here, that none is missing."""
    told = [
        (test["expr"], bool(test["exp_samples"]))
        for file in (OBSERVABILITY / "tests").glob("*.yml")
        for block in yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]
        for test in block["promql_expr_test"]
    ]
    of_name = [(expression, fires) for expression, fires in told if f'alertname="{alert["alert"]}"' in expression]
    severity = f'severity="{alert["labels"]["severity"]}"'
    ours = {fires for expression, fires in of_name if severity in expression or "severity" not in expression}
    assert ours == {True, False}


def test_alerts_and_pages_of_the_runbook_are_the_same_set() -> None:
    assert sorted(page.stem for page in RUNBOOK.glob("Signer*.md")) == NAMES
    index = (RUNBOOK / "README.md").read_text(encoding="utf-8")
    assert sorted(set(re.findall(r"\]\((Signer\w+)\.md\)", index))) == NAMES


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert['alert']}-{alert['labels']['severity']}")
def test_every_alert_says_what_and_where_and_leads_to_its_page(alert: dict[str, Any]) -> None:
    annotations = alert["annotations"]
    assert annotations["runbook_url"].endswith(f"/runbook/{alert['alert']}.md")
    assert "{{ $labels.instance }}" in annotations["description"] or alert["labels"]["severity"] == "critical"
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert alert["alert"].startswith("Signer"), "Alertmanager's inhibition looks for it"


@pytest.mark.parametrize("name", NAMES)
def test_every_page_answers_the_four_questions(name: str) -> None:
    text = (RUNBOOK / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {name}\n")
    assert tuple(re.findall(r"^## (.+)$", text, re.MULTILINE)) == SECTIONS
    pages = set(re.findall(r"\bSigner[A-Z]\w+", text))
    assert pages <= set(NAMES), "another page is named that there is not"
    commands = re.findall(r"`signer ([a-z]+)", text)
    assert set(commands) <= set(_verbs()), commands


def _verbs() -> list[str]:
    from signer.cli import VERBS  # noqa: PLC0415  # one test's

    return list(VERBS)


def test_every_metric_that_rules_and_dashboards_name_is_exposed() -> None:
    recorded = {rule["record"] for rule in rules("record")}
    known = FOREIGN | recorded
    for _, kind, spec in specs():
        known |= {f"{spec.name}{suffix}" for suffix in ("_bucket", "_count", "_sum")} if kind is Histogram else {spec.name}
        assert kind is not Counter or spec.name.endswith("_total")
    expressions = [rule["expr"] for kind in ("record", "alert") for rule in rules(kind)]
    expressions += [query.expression for panel in panels() for query in panel.queries]
    named = {
        name for expression in expressions for name in re.findall(r"\b(?:\w+:)?signer_?\w*(?::\w+)*\b|\bprocess_\w+", _bare(expression))
    }
    assert named - known == set()
    assert {name for name in named if name.startswith("signer_")}, "names were really found"


def _bare(expression: str) -> str:
    """Without what stands in quotes."""
    return re.sub(r'"[^"]*"', '""', expression)


def test_every_reason_that_rules_name_is_one_of_ours() -> None:
    expressions = [rule["expr"] for kind in ("record", "alert") for rule in rules(kind)]
    named = {reason for found in expressions for text in re.findall(r'reason=~?"([^"]+)"', found) for reason in text.split("|")}
    assert named
    assert named <= {reason.value for reason in Reason}


def test_dashboards_lead_to_one_another_and_hide_no_panel_behind_another() -> None:
    for name, board in dashboards().items():
        assert "signer" in board["tags"], name
        taken: set[tuple[int, int]] = set()
        for panel in board["panels"]:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert at["x"] + at["w"] <= 24
            assert not cells & taken, (name, panel["title"])
            taken |= cells
