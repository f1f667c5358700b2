"""docs/metrics.md, rendered from the declarations."""

from __future__ import annotations

from signer.telemetry.metrics import specs
from signer.telemetry.spec import Spec

_HEAD = """# Metrics

Prometheus text format at `http://<[metrics] listen>/metrics`, OpenMetrics with exemplars (`rpc_id` of the access log) for whoever asks.
Rules, alerts and dashboards: [deploy/observability](../deploy/observability/README.md). Made from the code: `python -m signer.telemetry`.
Labels never hold a pupil, a teacher, a document or anything a caller sent. Beside these stand `process_*` and `python_info` of the daemon.

| metric | kind | labels | meaning |
|---|---|---|---|
"""


def reference() -> str:
    """docs/metrics.md."""
    return _HEAD + "".join(_row(kind, spec) for _, kind, spec in specs())


def _row(kind: type, spec: Spec) -> str:
    labels = "<br>".join(f"`{name}`: {values}" for name, values in spec.labels)
    return f"| `{spec.name}` | {kind.__name__.lower()} | {labels} | {spec.text} |\n"
