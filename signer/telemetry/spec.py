"""How a metric is declared: its name, meaning and labels beside its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry


@dataclass(frozen=True, slots=True)
class Spec:
    """What a metric is called and means. labels: name → its possible values, in words."""

    name: str
    text: str
    labels: tuple[tuple[str, str], ...] = ()
    buckets: tuple[float, ...] = ()


def build(kind: type, spec: Spec, registry: CollectorRegistry) -> Any:
    """A metric of this kind, registered. kind: a prometheus_client class."""
    labels = [name for name, _ in spec.labels]
    extra = {"buckets": spec.buckets} if spec.buckets else {}
    return kind(spec.name, spec.text, labels, registry=registry, **extra)
