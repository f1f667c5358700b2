"""Whether anything is traced, without loading what would do it."""

# ruff: noqa: PLC0415  # what is not wanted is not loaded
from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from signer.errors import ConfigError
from signer.telemetry.origins import Span
from signer.telemetry.settings import TracingSettings


class Tracer(Protocol):
    """Begins the spans of calls."""

    def begin(self, method: str, metadata: Iterable[tuple[str, str | bytes]]) -> Span | None:
        """A span for a call; None where it is not to be recorded."""

    def close(self) -> None:
        """Sends what is left; may take some seconds."""


def open_tracer(settings: TracingSettings, version: str) -> Tracer | None:
    """None when `[tracing]` names no endpoint; ConfigError when the packages of `signer[tracing]` are not there."""
    if not settings.endpoint:
        return None
    try:
        from signer.telemetry.collector import CollectorTracer
    except ImportError as error:
        raise ConfigError(f"tracing.endpoint: install signer[tracing], or leave it empty ({error.name} is missing)") from error
    return CollectorTracer(settings, version)
