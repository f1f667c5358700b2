"""The built-in time-stamping authority: timestamps a second, from inside the daemon and over HTTP, against the token's own rate."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Generator, Iterator

from tests.bench.ground import Ground
from tests.bench.lines import LineProgram
from tests.bench.measure import Run, Sample, take_pairs
from tests.bench.row import Row, Target, row_of_pairs
from tests.bench.usage import Groups, Meter, daemon_groups
from tests.support.daemon import running_daemon

_LOOP = "C_Sign loop, 1 process"
_IN_FLIGHT = 64
_CONNECTIONS = 32
_WARM_UP_S = 0.5


def in_process(ground: Ground) -> Iterator[Row]:
    """From inside the daemon, as signatures of level B-T ask for them; nobody else is there."""
    config = ground.config("stamps-in-process")
    command = [sys.executable, "-m", "tests.bench.stamper", str(config), str(_IN_FLIGHT)]
    with ground.loop("tsa") as loop, LineProgram(command, os.environ) as stamper:
        stamper.hear()
        meter = Meter(lambda: daemon_groups(stamper.pid))
        yield _row("stamps-in-process", ground, loop.run, _asking(stamper), meter=meter, target=Target(0.90), in_flight=_IN_FLIGHT)


def over_http(ground: Ground) -> Iterator[Row]:
    """Over HTTP, from clients in a process of their own on the same cores."""
    with ground.loop("tsa") as loop, _door(ground) as (stamps, groups):
        yield _row("stamps-http", ground, loop.run, stamps, meter=Meter(groups), target=Target(0.60), connections=_CONNECTIONS)


@contextlib.contextmanager
def _door(ground: Ground) -> Generator[tuple[Callable[[float], Sample], Groups], None, None]:
    config = ground.config("stamps-http", http={"listen": "127.0.0.1:0"})
    with running_daemon(config) as running:
        command = [sys.executable, "-m", "tests.bench.http_load", str(running.timestamp_port()), str(_CONNECTIONS)]
        with LineProgram(command, os.environ) as clients:
            yield _asking(clients), lambda: {**daemon_groups(running.process.pid), "client": [clients.pid]}


def _asking(program: LineProgram) -> Callable[[float], Sample]:
    def run(seconds: float) -> Sample:
        return Sample.of(program.ask(seconds))

    return run


def _row(
    bench: str,
    ground: Ground,
    reference: Callable[[float], Sample],
    subject: Callable[[float], Sample],
    *,
    meter: Meter,
    target: Target,
    **details: object,
) -> Row:
    reference(_WARM_UP_S)
    subject(_WARM_UP_S)
    seconds = ground.pace.seconds
    measured: Run = meter.metered(lambda: subject(seconds))
    pairs = take_pairs(lambda: reference(seconds), measured, ground.pace.pairs, ground.pace.calm)
    return row_of_pairs(
        bench,
        pairs,
        target=target,
        reference=_LOOP,
        rss_mb=meter.rss_mb(),
        cpu_us_per_item=meter.cpu_us_per_item(),
        details={"processes": 1, **details},
    )
