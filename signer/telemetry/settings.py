"""How much is logged, and where metrics are read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from pydantic import Field

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
