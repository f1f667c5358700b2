"""How much is logged, and where metrics are read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from signer.settings import ListenAddress


class LogLevel(Enum):
    """The least severe events that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(Enum):
    """How an event is written: one JSON object a line."""

    JSON = "json"


@dataclass(frozen=True, slots=True)
class LogSettings:
    """`[log]`: events on standard error, of the daemon and of its workers alike."""

    level: Annotated[LogLevel, Field(description="Events below it are dropped.")] = LogLevel.INFO
    format: Annotated[LogFormat, Field(description="One JSON object a line; there is no other.")] = LogFormat.JSON


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """`[metrics]`: the Prometheus endpoint, over plain HTTP: keep it on the loopback or a management network."""

    listen: Annotated[ListenAddress, Field(description="Address and port of /metrics; port 0 takes a free one and logs it.")] = (
        "127.0.0.1:9464"
    )


def _collector(endpoint: str) -> str:
    if endpoint and not endpoint.startswith(("http://", "https://")):
        message = "expected http://HOST:PORT or https://HOST:PORT, or nothing"
        raise ValueError(message)
    return endpoint


@dataclass(frozen=True, slots=True)
class TracingSettings:
    """`[tracing]`: OpenTelemetry spans of calls and of their steps in daemon and workers. Needs the packages of `signer[tracing]`."""

    endpoint: Annotated[
        str,
        AfterValidator(_collector),
        Field(description="The collector, for OTLP over gRPC: http://127.0.0.1:4317 or https://…; empty: nothing is traced."),
    ] = ""
    sample_ratio: Annotated[
        float,
        Field(ge=0, le=1, description="Share of calls that are traced; one whose caller says in `traceparent` that it is, is in any case."),
    ] = 0.01
    ca_file: Annotated[Path | None, Field(description="PEM: the CAs an https collector must come from; else the system's.")] = None
