"""What Prometheus scrapes from a working daemon; no label holds anything a caller sent, and no secret is anywhere."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path
from typing import Any

import grpc

from signer.v1 import common_pb2
from tests.support import pdfs
from tests.support.calls import fresh_id, metric, metrics, plan, sign_batch, sign_digests
from tests.support.daemon import Running, World
from tests.support.waiting import until


def test_a_signed_class_is_seen_in_every_metric_of_its_path(school: grpc.Channel, daemon: Running) -> None:
    port = daemon.metrics_port()

    def figures() -> dict[str, float]:
        return {
            "rpcs": metric(port, "signer_rpcs_total", method="SigningService/BatchSignDocuments", code="OK"),
            "signed": metric(port, "signer_signatures_total", profile="pades", level="b-t", outcome="signed"),
            "failed": metric(port, "signer_signatures_total", profile="pades", level="b-t", outcome="failed"),
            "by class": metric(port, "signer_signatures_by_class_total", **{"class": "configured", "tier": "unknown"}),
            "stamps": metric(port, "signer_signatures_by_class_total", **{"class": "timestamp-authority", "tier": "unknown"}),
            "prepared": metric(port, "signer_documents_prepared_total"),
            "entries": metric(port, "signer_journal_entries_total"),
            **{
                stage: metric(port, "signer_stage_duration_seconds_count", stage=stage)
                for stage in ("queue", "token", "document", "timestamp", "journal")
            },
        }

    sign_batch(school, {"first": pdfs.report_card()}, plan=plan(level=common_pb2.LEVEL_B_T))  # its certificate's status is noted once
    before = figures()
    documents = {f"d{number}": pdfs.report_card(number) for number in range(3)} | {"bad": b"no PDF"}
    sign_batch(school, documents, plan=plan(level=common_pb2.LEVEL_B_T))
    until(lambda: figures()["rpcs"] > before["rpcs"], "the RPC to be counted")
    grown = {name: value - before[name] for name, value in figures().items()}
    assert grown == {
        "rpcs": 1,
        "signed": 3,
        "failed": 1,
        "by class": 3,
        "stamps": 3,
        "prepared": 3,
        "entries": 12,  # an intent and an outcome for each signature, and for each timestamp
        **dict.fromkeys(("queue", "token", "document", "timestamp", "journal"), 3),
    }


def test_the_state_of_tokens_and_workers_is_told(daemon: Running) -> None:
    port = daemon.metrics_port()
    until(lambda: metric(port, "signer_token_workers", token="school-token", state="ready") == 2, "both workers to be ready")
    assert metric(port, "signer_token_pin_state", token="school-token") == 0
    assert metric(port, "signer_token_queue_depth", token="school-token") == 0
    assert metric(port, "signer_token_queue_oldest_seconds", token="school-token") == 0
    assert metric(port, "signer_token_sessions", token="school-token", state="open") == 2
    until(lambda: metric(port, "signer_document_workers", state="ready") == 2, "a look at the document workers")
    assert metric(port, "signer_worker_resident_memory_bytes", kind="token", worker="school-token#0") > 1_000_000
    assert metric(port, "signer_worker_cpu_seconds_total", kind="document", worker="documents#0") > 0
    assert metric(port, "signer_journal_disk_free_bytes") > 0
    assert metric(port, "signer_tls_certificate_not_after_timestamp_seconds", door="grpc") > time.time()
    assert metric(port, "signer_build_info") == 1
    assert metric(port, "process_resident_memory_bytes") > 0


def test_an_exemplar_leads_from_a_figure_to_the_line_of_the_access_log(school: grpc.Channel, daemon: Running) -> None:
    """In the OpenMetrics format, which is asked for by its media type; the line then has the caller's own request_id."""
    request_id = fresh_id()
    sign_digests(school, {"d": bytes(32)}, request_id=request_id)

    def lines() -> list[dict[str, Any]]:
        return [event for event in daemon.events() if event["event"] == "rpc" and event.get("request_id") == request_id]

    until(lines, "its line")
    (line,) = lines()
    assert line["code"] == "OK"
    assert line["client"] == "school"
    asked = urllib.request.Request(
        f"http://127.0.0.1:{daemon.metrics_port()}/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310
        assert f'# {{rpc_id="{line["rpc_id"]}"}}' in answer.read().decode()


def test_no_label_holds_what_a_caller_sent(school: grpc.Channel, daemon: Running) -> None:
    request_id = fresh_id()
    sign_digests(school, {"document-by-name": bytes(32)}, request_id=request_id)
    sign_batch(school, {"another-document": b"no PDF"}, plan=plan(field_name="field-by-name"), request_id=request_id)
    text = str(list(metrics(daemon.metrics_port())))
    for sent in (request_id, "document-by-name", "another-document", "field-by-name", "79000001"):
        assert sent not in text


def test_the_pin_is_nowhere_to_be_seen(school: grpc.Channel, daemon: Running, world: World) -> None:
    """Not in a log, metric, command line or environment of the daemon and its workers, at the most talkative level; not in the journal."""
    pin = world.token.pin_file.read_text(encoding="utf-8")
    so_pin = world.token.so_pin_file.read_text(encoding="utf-8")
    sign_batch(school, {"d": pdfs.report_card(), "bad": b"x"}, plan=plan(level=common_pb2.LEVEL_B_T))
    processes = [daemon.process.pid, *_children(daemon.process.pid)]
    assert len(processes) >= 5, "the daemon, two token workers, two document workers"
    shown = [Path(f"/proc/{pid}/{name}").read_bytes() for pid in processes for name in ("cmdline", "environ")]
    assert any(b"signer.tokens.worker" in text for text in shown), "the command lines were really read"
    files = [daemon.log, world.folder / "shared.db", world.folder / "shared.db-wal"]
    told = b"".join([str(metrics(daemon.metrics_port())).encode(), *shown, *[file.read_bytes() for file in files]])
    assert b"worker ready" in told, "the log was really read"
    for secret in (pin, so_pin, pin[:20], pin[-20:]):
        assert secret.encode() not in told


def test_document_workers_are_told_nothing_of_tokens(daemon: Running) -> None:
    for pid in _children(daemon.process.pid):
        if b"signer.documents.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            assert b"SOFTHSM" not in environment
            assert b"CREDENTIALS_DIRECTORY" not in environment
            open_files = [str(file.readlink()) for file in Path(f"/proc/{pid}/fd").iterdir()]
            assert [name for name in open_files if "softhsm" in name or name.endswith((".pin", ".db"))] == []


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
