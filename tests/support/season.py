"""A small last week of May: an appliance with all it can have beside it, and its load.

Beside it: CAs that answer, an outside TSA, a real chronyd.
"""

from __future__ import annotations

import contextlib
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.algorithms import DigestAlgorithm
from signer.errors import SignerError
from signer.timestamp.tsp import TimestampRequest, build_request
from signer.v1 import common_pb2, plan_pb2
from tests.support import archive, chronyd, pdfs, pki
from tests.support.archive import Archive
from tests.support.calls import Request, fresh_id, header, plan, sign_batch, sign_digests, start, stream
from tests.support.daemon import OTHER_SCHOOL, Running, running_daemon
from tests.support.tsa import TsaProcess, write_identity

CLASS = 35
SCHOOL_RECORDS = 1225
_PAUSE_S = 1.5
_PATIENCE_S = 300.0


@dataclass
class Season:
    """A running appliance. `load` twice at least, so that every counter grows while it is watched."""

    place: Archive
    daemon: Running
    school: grpc.Channel
    cards: dict[str, bytes] = field(default_factory=lambda: _cards(CLASS))

    def load(self) -> None:
        """A class at B-T with its evidence and one file that is none, a few records at B-LT, digests, a stamp, a refusal."""
        evidence = plan_pb2.EvidencePlan(create=True)
        broken = {**self.cards, "broken": b"no PDF"}
        sign_batch(self.school, broken, plan=plan("gvcn", common_pb2.LEVEL_B_T, evidence=evidence))
        few = dict(list(self.cards.items())[:2])
        sign_batch(self.school, few, plan=plan("cbql", common_pb2.LEVEL_B_LT))
        sign_digests(self.school, {"digest": bytes(32)})
        with contextlib.suppress(SignerError):
            sign_digests(self.school, {"digest": bytes(32)}, school_id=OTHER_SCHOOL)
        query = build_request(TimestampRequest(bytes(32), DigestAlgorithm.SHA256))
        to = f"http://127.0.0.1:{self.daemon.timestamp_port()}/tsa"
        asked = urllib.request.Request(to, query, {"Content-Type": "application/timestamp-query"})
        with urllib.request.urlopen(asked, timeout=30):  # noqa: S310
            time.sleep(_PAUSE_S)

    @contextlib.contextmanager
    def whole_school_under_way(self) -> Iterator[None]:
        """While the block runs, a principal's batch of 1,225 records has sent one class, and goes on."""
        go_on = threading.Event()

        def messages() -> Iterator[Request]:
            yield Request(header=header(request_id=fresh_id(), plan=plan("cbql"), expected_documents=SCHOOL_RECORDS))
            for name, content in self.cards.items():
                yield start(name, content)
            go_on.wait(_PATIENCE_S)

        thread = threading.Thread(target=stream, args=(self.school, messages(), _PATIENCE_S))
        thread.start()
        try:
            yield
        finally:
            go_on.set()
            thread.join()


def _cards(count: int) -> dict[str, bytes]:
    return {f"pupil-{number}": pdfs.report_card(number, pages=1) for number in range(count)}


@contextlib.contextmanager
def season(folder: Path) -> Iterator[Season]:
    """While the block runs."""
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(archive.archive(folder / "archive"))
        tsa = _outside_tsa(place)
        stack.callback(tsa.kill)
        clock = stack.enter_context(chronyd.honest(folder / "chronyd"))
        daemon = stack.enter_context(
            running_daemon(
                place.world.config(
                    tsas=[{"name": "outside", "url": tsa.url, "ca_files": [str(place.world.root_file)]}],
                    clock={"guard": "ntp", "servers": [clock.name], "interval_s": 1.0},
                    http={"listen": "127.0.0.1:0"},
                    revocation={"cache_s_max": 1.0, "pause_s": 0.0},
                )
            )
        )
        school = stack.enter_context(place.world.channel(daemon.port))
        yield Season(place, daemon, school)


def _outside_tsa(place: Archive) -> TsaProcess:
    usages = (ExtendedKeyUsageOID.TIME_STAMPING,)
    issued = pki.issue("Outside TSA (DEMO)", pki.rsa_key(102), place.authority, usages=usages, extensions=place.places())
    identity = place.world.folder / "tsa"
    write_identity(identity, issued, place.authority.pem)
    made = TsaProcess(identity)
    made.start()
    return made
