import socket
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from signer.errors import ConfigError
from signer.telemetry.exposition import Page, expose
from signer.telemetry.metrics import Metrics, PinState, specs
from signer.telemetry.reference import reference
from signer.telemetry.settings import MetricsSettings
from signer.tokens.standing import TokenState
from signer.tokens.wire import PinCount
from signer.workers.supervisor import PlaceState
from tests.support.ports import free_port

DOCS = Path(__file__).resolve().parents[2] / "docs"
FORBIDDEN_LABELS = {"pupil", "teacher", "document", "document_id", "request_id", "batch_id", "client", "credential", "peer"}


def scrape(port: int) -> dict[str, float]:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    return {f"{sample.name}{sorted(sample.labels.items())}": sample.value for family in families for sample in family.samples}


def test_the_page_in_docs_is_current() -> None:
    assert (DOCS / "metrics.md").read_text() == reference(), "run: python -m signer.telemetry > docs/metrics.md"


def test_a_scrape_shows_every_metric_of_the_page_and_what_was_counted() -> None:
    registry = CollectorRegistry()
    metrics = Metrics.on(registry)
    for name, _, spec in specs():
        if spec.labels:
            getattr(metrics, name).labels(**{label: "some" for label, _ in spec.labels})
    metrics.signatures.labels(profile="pades", level="b-t", outcome="signed").inc(35)
    metrics.token_pin_state.labels(token="school-1").set(PinState.HELD)
    exposition = expose(MetricsSettings(listen="127.0.0.1:0"), registry)
    try:
        samples = scrape(exposition.port)
    finally:
        exposition.close()
    for _, _, spec in specs():
        assert any(name.startswith(spec.name) for name in samples), spec.name
    assert samples["signer_signatures_total[('level', 'b-t'), ('outcome', 'signed'), ('profile', 'pades')]"] == 35
    assert samples["signer_token_pin_state[('token', 'school-1')]"] == 1
    assert samples["process_resident_memory_bytes[]"] > 0


def test_two_holders_do_not_share_figures() -> None:
    first, second = CollectorRegistry(), CollectorRegistry()
    Metrics.on(first).batches_in_progress.inc()
    Metrics.on(second)
    assert first.get_sample_value("signer_batches_in_progress") == 1
    assert second.get_sample_value("signer_batches_in_progress") == 0


def test_no_label_can_hold_a_person_a_document_or_a_request() -> None:
    labels = {name for _, _, spec in specs() for name, _ in spec.labels}
    assert labels.isdisjoint(FORBIDDEN_LABELS)


def test_names_end_as_prometheus_wants_them() -> None:
    for _, kind, spec in specs():
        assert spec.name.endswith("_total") == (kind is Counter), spec.name
        assert spec.name.startswith("signer_")


def test_the_page_names_the_states_that_workers_have() -> None:
    said = next(dict(spec.labels)["state"] for _, _, spec in specs() if spec.name == "signer_token_workers")
    assert said.split(", ") == [state.value for state in PlaceState]


def test_a_taken_port_is_a_refused_configuration_that_names_the_key() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError, match=r"\[metrics\] listen = 127\.0\.0\.1:\d+: Address already in use"):
            expose(MetricsSettings(listen=listen), CollectorRegistry())


def test_a_closed_endpoint_frees_its_port() -> None:
    exposition = expose(MetricsSettings(listen=f"127.0.0.1:{free_port()}"), CollectorRegistry())
    exposition.close()
    again = expose(MetricsSettings(listen=f"127.0.0.1:{exposition.port}"), CollectorRegistry())
    again.close()
    assert again.port == exposition.port


def test_probes_are_answered_beside_the_metrics() -> None:
    pages = {"/readyz": lambda: Page(is_well=False, lines=("token hsm is away", "draining")), "/livez": lambda: Page(is_well=True)}
    exposition = expose(MetricsSettings(listen="127.0.0.1:0"), CollectorRegistry(), pages)
    address = f"http://127.0.0.1:{exposition.port}"
    try:
        with urlopen(f"{address}/livez", timeout=60) as answer:  # noqa: S310
            assert (answer.status, answer.read()) == (200, b"ok\n")
        with pytest.raises(HTTPError) as refused:
            urlopen(f"{address}/readyz", timeout=60)  # noqa: S310
        assert (refused.value.code, refused.value.read()) == (503, b"token hsm is away\ndraining\n")
        with urlopen(f"{address}/metrics", timeout=60) as answer:  # noqa: S310
            assert answer.headers["Content-Type"].startswith("text/plain")
    finally:
        exposition.close()


def test_the_page_names_the_states_of_tokens_and_their_pin_counters() -> None:
    labels = {spec.name: dict(spec.labels) for _, _, spec in specs()}
    assert labels["signer_token_state"]["state"].split(", ") == [state.value for state in TokenState]
    assert labels["signer_token_pin_count"]["count"].split(", ") == [count.value for count in PinCount]
