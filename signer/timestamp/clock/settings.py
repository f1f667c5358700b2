from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

NTP_PORT = 123
_PORT_MAX = 65_535


class GuardKind(Enum):
    """Who vouches for the clock."""

    NTP = "ntp"
    CHRONY = "chrony"
    UNGUARDED = "unguarded"


def split_server(server: str) -> tuple[str, int]:
    """Host (IPv6 without its brackets) and port of `host`, `host:port`, `[IPv6]` or `[IPv6]:port`. ValueError for anything else."""
    host, port = server, ""
    if server.startswith("["):
        host, closed, port = server[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            raise ValueError(server)
        port = port[1:]
    elif ":" in server:
        host, _, port = server.partition(":")
    if not host or any(letter.isspace() for letter in host) or not (port.isdecimal() or not port):
        raise ValueError(server)
    number = int(port or NTP_PORT)
    if not 0 < number <= _PORT_MAX:
        raise ValueError(server)
    return host, number


def _server(value: str) -> str:
    try:
        split_server(value)
    except ValueError:
        message = "expected host, host:port or [IPv6]:port"
        raise ValueError(message) from None
    return value


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """`[timestamp.clock]`: who vouches for the system clock. Beyond accuracy_ms, or when nobody does, no timestamp is issued.

    Nor from two seconds before an announced leap second to the first check after it.
    """

    guard: Annotated[
        GuardKind,
        Field(
            description='"ntp": the servers below are asked. "chrony": chronyd on this machine is asked how far the clock it keeps is off. '
            '"unguarded": nobody is; for trials, since a wrong clock then makes wrong timestamps.'
        ),
    ]
    servers: Annotated[
        tuple[Annotated[str, AfterValidator(_server)], ...],
        Field(
            description='NTP servers as host, host:port or [IPv6]:port, for guard = "ntp". More than half of them must agree, so three '
            "stand one that lies or is away, five two. None on this machine: it would follow this machine's clock."
        ),
    ] = ()
    interval_s: Annotated[
        float,
        Field(
            ge=1,
            le=1024,
            description="How often the sources are asked; more often while they don't agree. Public servers want 64 or more. A virtual "
            "machine that was halted and resumed is found out at the next check.",
        ),
    ] = 16.0
    timeout_s: Annotated[float, Field(ge=0.05, le=30, description="How long an answer is waited for.")] = 2.0
    drift_ppm: Annotated[
        float,
        Field(
            ge=1,
            le=1000,
            description="How fast the steady clock may drift, in millionths: added to the error bound since the last check. So long do "
            "timestamps go on while the sources are silent: 500 uses up a second in 33 minutes.",
        ),
    ] = 500.0
    chronyc: Annotated[Path, Field(description='The program that asks chronyd, for guard = "chrony".')] = Path("/usr/bin/chronyc")
    chrony_address: Annotated[
        str, Field(max_length=256, description="chronyd's command socket or address (chronyc -h); empty: where chronyc looks by itself.")
    ] = ""
