"""How far away the far authority is, as somebody sees it who has no other work: one question every few milliseconds, at its priority.

    python -m tests.bench.far_probe PORT

Asks until its stdin ends; each line there is answered with the round trips since the line before it, and with ten at least.
"""

# ruff: noqa: T201 - printed lines are its answers

from __future__ import annotations

import http.client
import json
import sys
from queue import SimpleQueue
from threading import Thread
from time import perf_counter, sleep

from signer.algorithms import DigestAlgorithm
from signer.timestamp.tsp import TimestampRequest, build_request
from tests.bench.far_tsa import come_first
from tests.bench.measure import percentile

_PAUSE_S = 0.05
_LEAST = 10


def keep_asking(port: int, took_ms: SimpleQueue[float]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    request = build_request(TimestampRequest(bytes(32), DigestAlgorithm.SHA256, nonce=1, with_certificates=True))
    while True:
        started_s = perf_counter()
        connection.request("POST", "/", request)
        connection.getresponse().read()
        took_ms.put((perf_counter() - started_s) * 1e3)
        sleep(_PAUSE_S)


def main() -> None:
    come_first()
    took_ms: SimpleQueue[float] = SimpleQueue()
    Thread(target=keep_asking, args=(int(sys.argv[1]), took_ms), daemon=True).start()
    for _ in sys.stdin:
        ordered = sorted(took_ms.get() for _ in range(max(_LEAST, took_ms.qsize())))
        print(json.dumps({name: round(percentile(ordered, share), 2) for name, share in (("p50", 0.5), ("p95", 0.95))}), flush=True)


if __name__ == "__main__":
    main()
