"""The authority over HTTP while its token fails: what is given stands up to verification and to the journal, the rest is refused."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signer.algorithms import DigestAlgorithm
from signer.errors import TimestampInvalid
from signer.timestamp.tsp import TimestampRequest, build_request, parse_response
from signer.timestamp.verify import verify_timestamp
from tests.support.daemon import POLICY_OID, World
from tests.support.rig import Record, Rig, kill, wait_until, wait_until_quiet, wait_until_ready
from tests.support.shim import Door

IMPRINT = bytes(range(32))
CLIENTS = 4
KILLS = 3
ANSWER_S_MAX = 1.0
HTTP = {"listen": "127.0.0.1:0", "answer_s_max": ANSWER_S_MAX}


@dataclass
class Clients:
    """Ask on kept-alive connections until the block ends. given: serial numbers; refused: how often, by what was said."""

    world: World
    port: int
    given: list[int] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def asking(self) -> Iterator[None]:
        with ThreadPoolExecutor(CLIENTS) as threads:
            asked = [threads.submit(self._ask, nonce) for nonce in range(CLIENTS)]
            try:
                yield
            finally:
                self._stop.set()
            for one in asked:
                one.result()

    def _ask(self, nonce: int) -> None:
        root = x509.load_pem_x509_certificate(self.world.root_file.read_bytes()).public_bytes(Encoding.DER)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self._stop.is_set():
            nonce += CLIENTS
            query = build_request(TimestampRequest(IMPRINT, DigestAlgorithm.SHA256, nonce, with_certificates=True))
            started_s = time.monotonic()
            connection.request("POST", "/tsa", query, {"Content-Type": "application/timestamp-query"})
            answer = connection.getresponse()
            body = answer.read()
            self.slowest_s = max(self.slowest_s, time.monotonic() - started_s)
            if answer.status != 200:
                self.refused[f"{answer.status}, Retry-After: {answer.headers['Retry-After']}"] += 1
                continue
            try:
                timestamp = parse_response(body)
            except TimestampInvalid as rejected:
                self.refused[rejected.message.partition(",")[0]] += 1
                continue
            verified = verify_timestamp(
                timestamp,
                imprint=IMPRINT,
                digest_algorithm=DigestAlgorithm.SHA256,
                nonce=nonce,
                policies=(POLICY_OID,),
                trusted_roots=(root,),
                now=datetime.now(UTC),
                window=timedelta(seconds=60),
            )
            self.given.append(verified.tst_info.serial_number)
        connection.close()


def check(rig: Rig, clients: Clients, record: Record, fault: str) -> None:
    books = rig.books()
    extra, refused = books.extra_key_uses(rig.shim), ", ".join(sorted(clients.refused))
    slowest_s = round(clients.slowest_s, 1)
    record(fault, client_saw=refused or "granted", lost=0, extra_key_uses=extra, given=len(clients.given), slowest_s=slowest_s)
    books.check(rig.shim)
    assert len(set(clients.given)) == len(clients.given)
    assert {("timestamp", f"{serial:x}") for serial in clients.given} <= books.released.keys()


def test_killed_token_workers_cost_clients_time_and_nothing_else(rig: Rig, record: Record) -> None:
    with rig.daemon(http=HTTP | {"answer_s_max": 60}) as daemon:
        clients = Clients(rig.world, daemon.timestamp_port())
        rig.shim.delay(Door.SIGN, 0.01)
        with clients.asking():
            for _ in range(KILLS):
                wait_until_ready(daemon)
                before = len(clients.given)
                wait_until(lambda before=before: len(clients.given) > before + 10, "some timestamps")  # type: ignore[misc]
                kill(daemon.worker_pids("school-token")[0])
            before = len(clients.given)
            wait_until(lambda: len(clients.given) > before + 10, "timestamps after the last kill")
    check(rig, clients, record, "token workers killed under the authority")
    assert not clients.refused


def test_a_token_that_hangs_is_not_waited_for_and_the_authority_goes_on_when_it_does(rig: Rig, record: Record) -> None:
    with rig.daemon(http=HTTP, token={"call_s_max": 30}) as daemon:
        clients = Clients(rig.world, daemon.timestamp_port())
        with clients.asking():
            wait_until(lambda: len(clients.given) > 10, "some timestamps")
            rig.shim.delay(Door.SIGN, 3.0)
            wait_until(lambda: clients.refused.total() > CLIENTS, "clients to be told to come back")
            rig.shim.calm()
            before = len(clients.given)
            wait_until(lambda: len(clients.given) > before + 10, "timestamps again")
        wait_until_quiet(rig.shim, 1.0)
    check(rig, clients, record, "a token that hangs under the authority")
    assert set(clients.refused) == {"503, Retry-After: 1"}
