"""The daemon's clock jumps under a stream of stamps: no timestamp lies further from true time than its accuracy, and it heals by itself."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import signal
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from asn1crypto import cms, tsp
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from signer.algorithms import DigestAlgorithm
from signer.timestamp.tsp import TimestampRequest, build_request
from signer.v1 import timestamp_pb2
from tests.support.batch import Delivery, ParkingPlan, Plan, sign_batch
from tests.support.chronyd import Chronyd, honest
from tests.support.rig import FULL, Record, Rig, verified, wait_until
from tests.support.time_calls import SHA256, call
from tests.support.wall_clock import WallClock

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_DAY_S = 86_400.0
_ACCURACY_S = 1.0
_READ_S = 0.01
"""How far apart two readings of the same clock may lie here beyond what is measured."""
_ENOUGH = 40 if FULL else 12
_LOT = 4


@dataclass(frozen=True, slots=True)
class Stamped:
    """One imprint's end. asked_s, answered_s: true time around its call; gen_s: what the timestamp states, None when there is none."""

    asked_s: float
    answered_s: float
    gen_s: float | None
    reason: str

    @property
    def is_outside(self) -> bool:
        """Whether no moment between question and answer lies within the accuracy of what is stated."""
        if self.gen_s is None:
            return False
        return not self.asked_s - _ACCURACY_S - _READ_S <= self.gen_s <= self.answered_s + _ACCURACY_S + _READ_S


@dataclass
class Stream:
    """Stamps without end, from a thread of its own, over a channel of its own."""

    channel: grpc.Channel
    ends: list[Stamped] = field(default_factory=list)

    @contextlib.contextmanager
    def running(self) -> Iterator[Stream]:
        stopped = threading.Event()
        thread = threading.Thread(target=self._run, args=(stopped,))
        thread.start()
        try:
            yield self
        finally:
            stopped.set()
            thread.join()

    def _run(self, stopped: threading.Event) -> None:
        for number in itertools.count():
            if stopped.is_set():
                return
            imprints = [hashlib.sha256(f"{number}.{index}".encode()).digest() for index in range(_LOT)]
            asked_s = time.time()
            answer = call(self.channel, "StampImprints", imprints=imprints, digest_algorithm=SHA256)
            answered_s = time.time()
            self.ends += [Stamped(asked_s, answered_s, _gen_s(result), _reason(result)) for result in answer.results]

    def since(self, moment_s: float) -> list[Stamped]:
        """What was asked for after a moment."""
        return [end for end in self.ends if end.asked_s >= moment_s]

    def await_granted(self, moment_s: float) -> float:
        """Waits until what was asked for after a moment is granted; how long after that moment it was answered."""
        wait_until(lambda: any(end.gen_s for end in self.since(moment_s)), "timestamps again")
        return next(end.answered_s for end in self.since(moment_s) if end.gen_s) - moment_s


def _gen_s(result: timestamp_pb2.TimestampResult) -> float | None:
    if not result.timestamp:
        return None
    signed = cms.ContentInfo.load(result.timestamp)["content"]
    return float(tsp.TSTInfo.load(signed["encap_content_info"]["content"].parsed.dump())["gen_time"].native.timestamp())


def _reason(result: timestamp_pb2.TimestampResult) -> str:
    info = error_details_pb2.ErrorInfo()
    return info.reason if any(detail.Unpack(info) for detail in result.status.details) else ""


@pytest.fixture
def wall(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Chronyd]:
    with honest(tmp_path / "chronyd") as running:
        yield running


def over_http(rig: Rig, folder: Path) -> str:
    """What `openssl ts` reads in the answer to a request over HTTP."""
    assert rig.running is not None
    port = next(event["timestamp_port"] for event in rig.running.events() if event["event"] == "serving")
    query = build_request(TimestampRequest(hashlib.sha256(b"x").digest(), DigestAlgorithm.SHA256, with_certificates=True))
    headers = {"Content-Type": "application/timestamp-query"}
    with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/tsa", query, headers), timeout=30) as answer:
        (folder / "answer.tsr").write_bytes(answer.read())
    command = ["openssl", "ts", "-reply", "-in", str(folder / "answer.tsr"), "-text"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def clock_health(channel: grpc.Channel) -> object:
    return health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="clock"), timeout=30).status  # type: ignore[attr-defined]


@contextlib.contextmanager
def guarded(rig: Rig, wall: WallClock, server: Chronyd) -> Iterator[None]:
    """A daemon on a clock that a test sets, guarded by a real NTP server in true time."""
    clock = {"guard": "ntp", "servers": [server.name], "interval_s": 1.0}
    stamping = {"patience_s": 0.5, "complete_interval_s": 3600.0}
    with rig.daemon(environment=wall.environment, clock=clock, http={"listen": "127.0.0.1:0"}, stamping=stamping):
        yield


def jump(wall: WallClock, off_s: float) -> None:
    wall.set_off(off_s)


def slew(wall: WallClock, off_s: float) -> None:
    """A hundredth at a time: the clock never jumps."""
    steps = 200
    for step in range(1, steps + 1):
        wall.set_off(off_s * step / steps)
        time.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Fault:
    """How the clock comes to be off, by how much, and whether that is beyond the accuracy."""

    name: str
    come: Callable[[WallClock, float], None]
    off_s: float

    @property
    def is_beyond(self) -> bool:
        return abs(self.off_s) > _ACCURACY_S


FAULTS = (
    *[Fault(f"the clock jumps by {off_s:+g} s", jump, off_s) for off_s in (0.4, -0.4, 1.1, -1.1, 2.0, -2.0)],
    *[Fault(f"the clock jumps by {days:+d} day", jump, days * _DAY_S) for days in (1, -1)],
    *[Fault(f"the clock is slewed by {off_s:+g} s", slew, off_s) for off_s in (3.0, -3.0)],
)


def test_no_timestamp_lies_outside_its_accuracy_whatever_the_clock_does(
    rig: Rig, wall: WallClock, server: Chronyd, record: Record, tmp_path: Path
) -> None:
    rows = []
    with guarded(rig, wall, server), rig.channel() as channel, Stream(channel).running() as stream:
        stream.await_granted(time.time())
        for fault in FAULTS:
            begun_s = time.time()
            fault.come(wall, fault.off_s)
            there_s = time.time()
            wait_until(lambda since_s=there_s: len(stream.since(since_s)) >= _ENOUGH, "stamps asked for while it is off")  # type: ignore[misc]
            back_s = time.time()
            wall.set_off(0.0)
            heal_s = stream.await_granted(back_s)
            rows.append((fault, begun_s, there_s, back_s, heal_s))
        wall.set_off(2.0)
        refused = over_http(rig, tmp_path)
        wait_until(lambda: clock_health(channel) == NOT_SERVING, "health tells it")
        told = call(channel, "ListTimestampAuthorities").authorities[-1]
        wall.set_off(0.0)
        wait_until(lambda: clock_health(channel) == SERVING, "health tells that it is over")
    events = [event for event in rig.running.events() if event["event"] == "clock"] if rig.running else []
    books = rig.books()
    for fault, begun_s, there_s, back_s, heal_s in rows:
        ends = [end for end in stream.since(begun_s) if end.answered_s <= back_s]
        while_off = [end for end in ends if end.asked_s >= there_s]
        assert all(bool(end.reason) is fault.is_beyond for end in while_off), fault.name
        record(
            fault.name,
            client_saw=", ".join(sorted({end.reason or "granted" for end in while_off})),
            lost=0,
            extra_key_uses=books.extra_key_uses(rig.shim),
            heal_s=round(heal_s, 3),
            granted=sum(end.gen_s is not None for end in ends),
            refused=Counter(end.reason for end in ends if end.reason),
            outside_accuracy=sum(end.is_outside for end in ends),
        )
    books.check(rig.shim)
    assert [end for end in stream.ends if end.is_outside] == []
    assert {end.reason for end in stream.ends} == {"", "CLOCK_UNTRUSTED"}
    assert "time source is not available" in refused
    assert told.state == timestamp_pb2.TIMESTAMP_AUTHORITY_STATE_CLOCK_UNTRUSTED
    assert told.clock_offset.ToMilliseconds() == pytest.approx(2000, abs=500)
    assert "2.0" in told.message
    assert len(events) <= 2 * len(FAULTS) + 4, "told when it changes, not at every stamp"
    assert books.notes["clock-changed"] == len(events), "and journalled"


def test_signatures_wait_for_a_clock_that_is_unknown_or_off_parked_or_failed_as_the_caller_chose(
    rig: Rig, wall: WallClock, server: Chronyd, cards: dict[str, bytes], record: Record
) -> None:
    few = dict(itertools.islice(cards.items(), 4))
    plans = {"unknown": ParkingPlan(), "parked": ParkingPlan(), "failed": Plan()}
    server.process.send_signal(signal.SIGSTOP)
    with guarded(rig, wall, server), rig.channel() as channel:
        saw = {"unknown": sign_batch(channel, few, "unknown", plans["unknown"], timeout_s=60)}
        server.process.send_signal(signal.SIGCONT)
        known_s = wait_until(lambda: clock_health(channel) == SERVING, "the clock is vouched for")
        wall.set_off(-2.0)
        saw |= {name: sign_batch(channel, few, name, plans[name], timeout_s=60) for name in ("parked", "failed")}
        wall.set_off(0.0)
        begun_s = time.monotonic()
        deliveries = [Delivery(name, few) for name in plans]
        for delivery in deliveries:
            delivery.add(sign_batch(channel, few, delivery.request_id, plans[delivery.request_id], timeout_s=60))
        heal_s = time.monotonic() - begun_s
    books = rig.books()
    reasons = {name: set(end.reasons.values()) for name, end in saw.items()}
    rows = (
        ("no time source answers at start: PARK", known_s, {"unknown"}),
        ("the clock is off by -2 s: PARK, FAIL", heal_s, {"parked", "failed"}),
    )
    for fault, healed_s, names in rows:
        record(
            fault,
            client_saw=", ".join(sorted(set().union(*(reasons[name] for name in names)))),
            lost=sum(delivery.lost for delivery in deliveries if delivery.request_id in names),
            extra_key_uses=books.extra_key_uses(rig.shim),
            heal_s=round(healed_s, 3),
        )
    books.check(rig.shim)
    assert reasons == {"unknown": {"TIMESTAMP_PENDING"}, "parked": {"TIMESTAMP_PENDING"}, "failed": {"CLOCK_UNTRUSTED"}}
    assert {(delivery.lost, delivery.doubled) for delivery in deliveries} == {(0, 0)}
    assert books.document_key_uses(rig.shim) == len(plans) * len(few), "no key is used a second time"
    assert [verified(delivery, rig.world) for delivery in deliveries] == [[]] * len(plans)
