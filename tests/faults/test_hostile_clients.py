"""Who means harm before anything was asked: strangers, expired and wrong certificates, idlers, churners, those who send and never read.

None of them reaches a handler (`signer_rpcs_total` says so), the daemon's memory stays where it was, and others are served meanwhile.
`make faults` does it with 1,000 connections and holds the others' p99 against a calm one.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import os
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from signer.demo.certificate_profiles import Validity
from signer.demo.tls_pki import TlsPki
from signer.v1 import signing_pb2, signing_pb2_grpc
from tests.bench.usage import rss_bytes
from tests.support import pdfs
from tests.support.calls import Request, header, metric, sign_digests, start
from tests.support.daemon import SCHOOL, Running, World, running_daemon
from tests.support.raw_tls import ENHANCE_YOUR_CALM, Http2, client_context, connect
from tests.support.rig import FULL, Record
from tests.support.waiting import until

IDLE = 1000 if FULL else 150
CHURN = 2000 if FULL else 150
PLACES_LEFT = 20
MESSAGE_BYTES_MAX = 1024 * 1024
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def strange_pki(world: World) -> Path:
    """A folder of client identities of a CA that the besieged daemon lets in: expired, and meant for servers."""
    folder = world.folder / "strange"
    folder.mkdir()
    pki = TlsPki.create()
    (folder / "tls-ca.crt").write_bytes((world.pki / "tls-ca.crt").read_bytes())
    pki.client("school").write_pem(folder, "fine")
    pki.client("school", validity=Validity.expired(dt.datetime.now(dt.UTC))).write_pem(folder, "expired")
    pki.server().write_pem(folder, "of-a-server")
    TlsPki.create().client("school").write_pem(folder, "of-another-ca")
    pki.authority.write_pem(folder, "authority")
    both = (world.pki / "tls-ca.crt").read_bytes() + (folder / "authority.crt").read_bytes()
    (folder / "client-cas.pem").write_bytes(both)
    return folder


@pytest.fixture(scope="module")
def besieged(world: World, strange_pki: Path) -> Iterator[Running]:
    config = world.config(
        "besieged.toml",
        journal={"url": "sqlite:///besieged.db"},
        server={
            "tls_client_ca": str(strange_pki / "client-cas.pem"),
            "tls_version_min": "1.2",
            "message_bytes_max": MESSAGE_BYTES_MAX,
        },
        limits={"batch_in_flight_bytes_max": 4 * MIB, "document_bytes_max": MIB},
        connections={"connections_max": IDLE + PLACES_LEFT, "handshake_s_max": 5, "ping_interval_s_min": 5},
        documents={"processes": 1},
        token={"processes": 1},
    )
    with running_daemon(config, is_cold=True) as running:  # for its own version of TLS
        yield running


@pytest.fixture
def neighbour(world: World, besieged: Running) -> Iterator[grpc.Channel]:
    """Somebody who only wants to work."""
    with world.channel(besieged.port) as channel:
        assert sign(channel) < dt.timedelta(seconds=20)
        yield channel


def sign(channel: grpc.Channel) -> dt.timedelta:
    """How long a signature takes now."""
    started_s = time.monotonic()
    assert sign_digests(channel, {"d": bytes(32)}, credential_id="ec").results[0].signature
    return dt.timedelta(seconds=time.monotonic() - started_s)


def calls_so_far(daemon: Running) -> float:
    """RPCs that came as far as our door, refused ones included."""
    return metric(daemon.metrics_port(), "signer_rpcs_total")


def open_files(daemon: Running) -> int:
    return len(list(Path(f"/proc/{daemon.process.pid}/fd").iterdir()))


@pytest.mark.parametrize("client", [None, "expired", "of-a-server", "of-another-ca"])
def test_without_a_good_certificate_no_call_reaches_the_door(client: str | None, strange_pki: Path, besieged: Running) -> None:
    before = calls_so_far(besieged)
    with pytest.raises((OSError, EOFError)), connect(besieged.port, client_context(strange_pki, client)) as connection:
        Http2.begin(connection).goodbye()  # TLS 1.3 tells a client of its refusal only when it reads
    roots = (strange_pki / "tls-ca.crt").read_bytes()
    names = (f"{client}.key", f"{client}.crt") if client else ()
    credentials = grpc.ssl_channel_credentials(roots, *[(strange_pki / name).read_bytes() for name in names])
    with grpc.secure_channel(f"localhost:{besieged.port}", credentials) as channel:
        stub = signing_pb2_grpc.SigningServiceStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            stub.SignDigests(signing_pb2.SignDigestsRequest(school_id=SCHOOL), timeout=10)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert calls_so_far(besieged) == before


def test_the_same_with_a_good_one_is_served(strange_pki: Path, besieged: Running) -> None:
    """Else the test above would say nothing."""
    with connect(besieged.port, client_context(strange_pki, "fine")) as connection:
        Http2.begin(connection)


def test_tls_1_2_is_spoken_where_the_configuration_wants_it_and_with_forward_secrecy_alone(world: World, besieged: Running) -> None:
    context = client_context(world.pki, "school", ssl.TLSVersion.TLSv1_2)
    with connect(besieged.port, context) as connection:
        cipher = connection.cipher()
        assert cipher is not None
        assert cipher[0].startswith("ECDHE-ECDSA-")
        assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA")
    with pytest.raises(OSError, match=r"EOF|ALERT|reset"):
        connect(besieged.port, context)


def test_who_does_not_shake_hands_is_let_go(besieged: Running) -> None:
    with socket.create_connection(("127.0.0.1", besieged.port), timeout=20) as silent:
        assert silent.recv(1) == b"", "closed by the daemon"


def test_a_flood_of_pings_costs_the_connection(world: World, besieged: Running) -> None:
    with connect(besieged.port, client_context(world.pki)) as connection:
        flood = Http2.begin(connection)
        flood.ping(20)
        assert flood.goodbye() == ENHANCE_YOUR_CALM


def test_a_message_above_the_limit_reaches_no_handler(neighbour: grpc.Channel, besieged: Running) -> None:
    port = besieged.metrics_port()
    before = metric(port, "signer_rpcs_total", code="OK")
    too_long = signing_pb2.SignDocumentRequest(school_id=SCHOOL, document=bytes(MESSAGE_BYTES_MAX + 1))
    with pytest.raises(grpc.RpcError) as refused:
        signing_pb2_grpc.SigningServiceStub(neighbour).SignDocument(too_long, timeout=20)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    with pytest.raises(grpc.RpcError) as refused:
        signing_pb2_grpc.SigningServiceStub(neighbour).SignDocument(
            signing_pb2.SignDocumentRequest(), metadata=(("x-long", "x" * 100_000),), timeout=20
        )
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert metric(port, "signer_rpcs_total", code="OK") == before


def test_idle_connections_cost_little_and_one_too_many_is_not_taken(
    world: World, neighbour: grpc.Channel, besieged: Running, record: Record
) -> None:
    calm = sorted(sign(neighbour) for _ in range(200 if FULL else 5))
    calls, files = calls_so_far(besieged) + 5, open_files(besieged)
    memory_bytes = rss_bytes([besieged.process.pid])
    context = client_context(world.pki)
    with contextlib.ExitStack() as stack:
        for _ in range(IDLE):
            Http2.begin(stack.enter_context(connect(besieged.port, context)))
        grown_bytes = rss_bytes([besieged.process.pid]) - memory_bytes
        assert grown_bytes < IDLE * 160 * 1024 + 8 * MIB
        beside = sorted(sign(neighbour) for _ in range(200 if FULL else 5))
        taken = 0
        with contextlib.suppress(OSError, EOFError):
            for _ in range(2 * PLACES_LEFT):
                Http2.begin(stack.enter_context(connect(besieged.port, context)))
                taken += 1
        assert taken <= PLACES_LEFT
        sign(neighbour)
    until(lambda: open_files(besieged) <= files + 2, "the files of the idle connections are closed")
    with world.channel(besieged.port) as another:
        sign(another)
    p99_ms = [round(times[-max(1, len(times) // 100)].total_seconds() * 1e3, 1) for times in (calm, beside)]
    saw = {"client_saw": "nothing", "lost": 0, "extra_key_uses": 0}
    record(
        f"{IDLE} idle connections",
        **saw,
        grown_kib_each=round(grown_bytes / IDLE / 1024, 1),
        p99_ms_calm=p99_ms[0],
        p99_ms_beside=p99_ms[1],
    )
    assert calls_so_far(besieged) - calls < 1000, "idlers call nothing"
    if FULL:
        assert p99_ms[1] < 3 * p99_ms[0] + 20


def test_churn_leaves_nothing_behind(world: World, neighbour: grpc.Channel, besieged: Running, record: Record) -> None:
    calls, files = calls_so_far(besieged), open_files(besieged)
    calm = sorted(sign(neighbour) for _ in range(200 if FULL else 3))
    memory_bytes = rss_bytes([besieged.process.pid])
    made, over = itertools.count(), threading.Event()

    def churn() -> None:
        context = client_context(world.pki)
        while not over.is_set():
            with contextlib.suppress(OSError, EOFError), connect(besieged.port, context) as connection:
                Http2.begin(connection)
            if next(made) >= CHURN:
                over.set()

    thread = threading.Thread(target=churn)
    thread.start()
    beside = []
    while not over.is_set():
        beside.append(sign(neighbour))
    thread.join()
    until(lambda: open_files(besieged) <= files + 2, "the files of the churned connections are closed")
    grown_mib = (rss_bytes([besieged.process.pid]) - memory_bytes) / MIB
    assert grown_mib < 24
    until(lambda: calls_so_far(besieged) - calls >= len(calm) + len(beside), "every call to be counted")
    assert calls_so_far(besieged) - calls == len(calm) + len(beside)
    beside.sort()
    p99_ms = [round(times[-max(1, len(times) // 100)].total_seconds() * 1e3, 1) for times in (calm, beside)]
    saw = {"client_saw": "nothing", "lost": 0, "extra_key_uses": 0}
    record(f"{CHURN} connections made and left", **saw, grown_mib=round(grown_mib, 1), p99_ms_calm=p99_ms[0], p99_ms_beside=p99_ms[1])


def test_who_sends_and_never_reads_is_held_back_and_holds_up_nobody(neighbour: grpc.Channel, besieged: Running, world: World) -> None:
    card = pdfs.report_card(pages=1)
    heavy = pdfs.edited(card, lambda pdf: pdf.Root.__setitem__("/Padding", pdf.make_stream(os.urandom(400_000))))
    sent: queue.SimpleQueue[int] = queue.SimpleQueue()
    memory_bytes = rss_bytes([besieged.process.pid])

    def messages() -> Iterator[Request]:
        yield Request(header=header(request_id=f"greedy/{time.monotonic_ns()}", expected_documents=400))
        for number in range(400):
            sent.put(number)
            yield start(f"d{number}", heavy)

    with world.channel(besieged.port) as greedy:
        call: Any = signing_pb2_grpc.SigningServiceStub(greedy).BatchSignDocuments(messages(), timeout=60)
        last = -1
        while sent.qsize() != last:  # until no more is taken
            last = sent.qsize()
            for _ in range(3):
                assert sign(neighbour) < dt.timedelta(seconds=20)
            time.sleep(0.5)
        assert last < 200, "the rest stays with its sender"
        assert rss_bytes([besieged.process.pid]) - memory_bytes < 96 * MIB
        call.cancel()
    assert sign(neighbour) < dt.timedelta(seconds=20)


def test_the_log_of_all_this_is_still_one_event_a_line(besieged: Running) -> None:
    """gRPC's own words about refused handshakes are not among them."""
    assert [line for line in besieged.log.read_text(encoding="utf-8").splitlines() if not line.startswith("{")] == []
