"""Ten, a thousand, ten thousand teachers with wrapped keys: what starting, signing and memory cost, and how fast they are enrolled.

P-256 keys, because SoftHSM makes hundreds of them a second and one or two of RSA-2048: of RSA only as many are made as a rate needs.
A call is a class: 35 digests of one teacher, taken at random. With more teachers than a session holds keys, nearly each call unwraps one.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.ground import Ground
from tests.bench.measure import Pair, Sample, percentile, take_pairs
from tests.bench.row import Row, Target, row_of_pairs
from tests.bench.usage import daemon_groups, rss_bytes
from tests.support.bureau import EC_P256, RSA_2048, Office, answer, office, spec
from tests.support.calls import sign_digests
from tests.support.daemon import Running, World, running_daemon
from tests.support.worlds import copy_of

_CLASS = {f"d{number}": hashlib.sha256(b"%d" % number).digest() for number in range(35)}
_FEW = 10
_CALLERS = 4
_RSA_KEYS = 6
_AT_ONCE = 200
_STARTS = 3


def teachers(ground: Ground) -> Iterator[Row]:
    """Classes of bare P-256 signatures by random teachers over the same by ten of them; starting and memory; keys with CSR a second."""
    world = copy_of(ground.world, ground.scratch("teachers") / "world")
    changes: dict[str, Any] = {"token": {"processes": 1}}
    enrolled = 0
    for count in ground.pace.teachers:
        with office(world, **changes) as desk:
            if not enrolled:
                yield _enrolment(desk, "enrol-rsa-2048", [spec(f"rsa-{number}", key_kind=RSA_2048) for number in range(_RSA_KEYS)])
            yield _enrolment(desk, f"enrol-p256-{count}", [spec(_name(number), key_kind=EC_P256) for number in range(enrolled, count)])
        enrolled = count
        yield _standing(ground, world, desk.config, count)


def _enrolment(desk: Office, name: str, specs: Sequence[Any]) -> Row:
    """Keys and requests are timed, certificates not: they are the CA's time."""
    seconds = 0.0
    for start in range(0, len(specs), _AT_ONCE):
        some = specs[start : start + _AT_ONCE]
        began_s = time.perf_counter()
        made = desk.generate(*some)
        seconds += time.perf_counter() - began_s
        results = desk.bring(*(answer(result.certificate_request) for result in made))
        assert {result.status.code for result in results} == {0}, "a certificate was refused"
    return Row(name, None, "", items_per_s=len(specs) / seconds, details={"keys": len(specs), "storage": "wrapped"})


def _standing(ground: Ground, world: World, config: Path, count: int) -> Row:
    starts_s = []
    for _ in range(_STARTS):
        began_s = time.perf_counter()
        with running_daemon(config):
            starts_s.append(time.perf_counter() - began_s)
    with running_daemon(config) as running:
        groups = daemon_groups(running.process.pid)
        fresh_mb = {group: round(rss_bytes(pids) / 1e6, 1) for group, pids in groups.items()}
        seconds = ground.pace.seconds
        pairs = take_pairs(
            lambda: _sign(world, running, range(_FEW), seconds), lambda: _sign(world, running, range(count), seconds), ground.pace.pairs
        )
        used_mb = {group: round(rss_bytes(pids) / 1e6, 1) for group, pids in groups.items()}
    return _standing_row(count, pairs, starts_s, fresh_mb, used_mb)


def _standing_row(count: int, pairs: list[Pair], starts_s: list[float], fresh_mb: dict[str, float], used_mb: dict[str, float]) -> Row:
    return row_of_pairs(
        f"teachers-{count}",
        pairs,
        target=Target(0.7),
        reference=f"{_FEW} of these teachers",
        rss_mb=used_mb,
        details={
            "processes": 1,
            "credentials": count,
            "start_s": round(median(starts_s), 2),
            "start_spread_s": [round(min(starts_s), 2), round(max(starts_s), 2)],
            "rss_mb_at_start": fresh_mb,
        },
    )


def _sign(world: World, running: Running, numbers: range, seconds: float) -> Sample:
    """Classes of random teachers, several callers at once; latencies are a class's."""
    until_s = time.monotonic() + seconds
    latencies_ms: list[float] = []

    def call(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - a load, no secret
        with world.channel(running.port) as channel:
            while time.monotonic() < until_s:
                began_s = time.perf_counter()
                results = sign_digests(channel, _CLASS, credential_id=_name(chance.choice(numbers))).results
                assert all(result.status.code == 0 for result in results), results[0].status
                latencies_ms.append((time.perf_counter() - began_s) * 1e3)

    began_s = time.perf_counter()
    callers = [threading.Thread(target=call, args=(seed,)) for seed in range(_CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    spent_s = time.perf_counter() - began_s
    assert latencies_ms, "no class was signed"
    ordered = sorted(latencies_ms)
    return Sample(len(ordered) * len(_CLASS), spent_s, median(ordered), percentile(ordered, 0.99))


def _name(number: int) -> str:
    return f"t{number:05}"
