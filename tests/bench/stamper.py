"""The real daemon with its authority asked from inside its own process, as signatures of level B-T ask it; no gRPC, no HTTP, no client.

    python -m tests.bench.stamper CONFIG IN_FLIGHT

Says on its first line that it is up, and then answers a number of seconds with the timestamps made in that time.
"""

# ruff: noqa: T201 - printed lines are its answers

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import Callable
from time import perf_counter

from signer.algorithms import DigestAlgorithm
from signer.config import load
from signer.pipeline.timestamping import BuiltInTimestamper
from signer.server.collecting import calm
from signer.server.serve import Daemon
from signer.telemetry.logs import configure_logs
from tests.bench.measure import percentile

_PATIENCE_S = 30.0


async def stamp_for(authority: BuiltInTimestamper, in_flight: int, seconds: float) -> dict[str, float]:
    """Timestamps for so long, so many asked for at once; figures as `Sample.of` reads them."""
    loop, took_ms = asyncio.get_running_loop(), list[float]()
    start = perf_counter()

    async def keep_stamping(first: int) -> None:
        number = first
        while (before := perf_counter()) - start < seconds:
            imprint = hashlib.sha256(number.to_bytes(8)).digest()
            await authority.stamp(imprint, DigestAlgorithm.SHA256, loop.time() + _PATIENCE_S)
            took_ms.append((perf_counter() - before) * 1e3)
            number += in_flight

    await asyncio.gather(*(keep_stamping(first) for first in range(in_flight)))
    spent_s = perf_counter() - start
    took_ms.sort()
    return {"items": len(took_ms), "seconds": spent_s, "p50_ms": percentile(took_ms, 0.5), "p99_ms": percentile(took_ms, 0.99)}


async def serve(config: str, in_flight: int, next_line: Callable[[], str]) -> None:
    daemon = Daemon(load(config))
    await daemon.start()
    calm()

    try:
        authority = daemon._rooms.authority
        assert authority is not None
        print(json.dumps({"ready": True}), flush=True)
        while line := await asyncio.to_thread(next_line):
            print(json.dumps(await stamp_for(authority, in_flight, float(line))), flush=True)
    finally:
        await daemon.stop()


def main() -> None:
    config, in_flight = sys.argv[1:]
    configure_logs("warning", process="daemon")
    asyncio.run(serve(config, int(in_flight), sys.stdin.readline))


if __name__ == "__main__":
    main()
