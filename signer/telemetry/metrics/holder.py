"""All of them in one frozen holder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args, get_type_hints

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from signer.telemetry.metrics.batches import BatchMetrics
from signer.telemetry.metrics.calls import CallMetrics
from signer.telemetry.metrics.certificates import CertificateMetrics
from signer.telemetry.metrics.daemon import DaemonMetrics
from signer.telemetry.metrics.journal import JournalMetrics
from signer.telemetry.metrics.keeping import KeepingMetrics
from signer.telemetry.metrics.pages import PageMetrics
from signer.telemetry.metrics.permission import PermissionMetrics
from signer.telemetry.metrics.timestamps import TimestampMetrics
from signer.telemetry.metrics.workers import WorkerMetrics
from signer.telemetry.spec import Spec, build


@dataclass(frozen=True)
class Metrics(
    CallMetrics,
    WorkerMetrics,
    JournalMetrics,
    TimestampMetrics,
    PageMetrics,
    KeepingMetrics,
    CertificateMetrics,
    PermissionMetrics,
    BatchMetrics,
    DaemonMetrics,
):
    """The daemon's metrics; made by `on`, once a registry. Each field is a prometheus_client metric, to be used as such."""

    @classmethod
    def on(cls, registry: CollectorRegistry) -> Metrics:
        """A new holder whose metrics are registered on `registry`, with the process' own figures beside them."""
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        return cls(**{name: build(kind, spec, registry) for name, kind, spec in specs()})


def specs() -> Iterator[tuple[str, type, Spec]]:
    """Field name, prometheus_client class and Spec of every metric, as declared, file by file."""
    for room in Metrics.__bases__:
        for name, hint in get_type_hints(room, include_extras=True).items():
            kind, spec = get_args(hint)
            yield name, kind, spec
