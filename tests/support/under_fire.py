"""Classes signed without a pause while something is killed at random moments, and how long each kill was felt.

Recovered is who serves at full strength: a fresh digest is signed for a caller, and every worker is there again.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Protocol

import grpc

from signer.v1 import signing_pb2, signing_pb2_grpc
from tests.support.accountant import Account, account
from tests.support.batch import Delivery, Plan, sign_until_done
from tests.support.daemon import SCHOOL
from tests.support.rig import Books, Record, Rig, wait_until

SEED = int(os.environ.get("SIGNER_FAULTS_SEED", "0")) or secrets.randbelow(2**31)
"""Of the moments; a run tells it, and SIGNER_FAULTS_SEED takes it again."""
_PAUSE_S = (0.0, 0.8)
_ROUNDS_MAX = 5_000
_PROBE_S_MAX = 5.0
_HEAL_S_MAX = 120.0
_LANES = 2


class Victim(Protocol):
    """What is killed."""

    def strike(self, dice: random.Random) -> bool:
        """Kills it; False when there is nothing to kill at this moment."""

    def mend(self, dice: random.Random) -> None:
        """What whoever looks after it does then: systemd, or nobody."""

    def is_whole(self) -> bool:
        """Whether it is there again."""


@dataclass
class Fire:
    """Kills, and what was felt of them. heal_s: of each kill, in seconds."""

    rig: Rig
    cards: dict[str, bytes]
    deliveries: list[Delivery] = field(default_factory=list)
    heal_s: list[float] = field(default_factory=list)
    _dice: random.Random = field(default_factory=lambda: random.Random(SEED))  # noqa: S311 (moments to kill, not keys)
    _failures: list[BaseException] = field(default_factory=list)

    @contextlib.contextmanager
    def under_load(self) -> Iterator[None]:
        """Classes run while the block does; each is sent until it is whole, the last ones in peace."""
        over = threading.Event()
        lanes = [threading.Thread(target=self._sign, args=(over,)) for _ in range(_LANES)]
        for lane in lanes:
            lane.start()
        try:
            yield
        finally:
            over.set()
            for lane in lanes:
                lane.join()
        if self._failures:
            raise self._failures[0]

    def kill(self, victim: Victim) -> None:
        """At a random moment, as soon as there is something to kill; returns when all is well again."""
        time.sleep(self._dice.uniform(*_PAUSE_S))
        wait_until(lambda: victim.strike(self._dice), "something to kill")
        killed_s = time.monotonic()
        victim.mend(self._dice)
        self.heal_s.append(
            time.monotonic() - killed_s + wait_until(lambda: victim.is_whole() and signs(self.rig), "it serves again", _HEAL_S_MAX)
        )

    def felt(self) -> dict[str, float | int]:
        """For the fault report."""
        return {"kills": len(self.heal_s), "heal_s": round(median(self.heal_s), 2), "heal_max_s": round(max(self.heal_s), 2), "seed": SEED}

    def report(self, record: Record, fault: str, books: Books, **more: Any) -> Account:
        """A line of the fault report on all that was delivered; fails where anything is lost, doubled, unaudited, invalid or left open."""
        shim = self.rig.shim
        found = account(self.deliveries, books, shim)
        record(
            fault,
            client_saw=", ".join(sorted({reason for delivery in self.deliveries for reason in delivery.passing_reasons})) or "signed",
            extra_key_uses=books.extra_key_uses(shim),
            **found.row(),
            unknown=books.counts.unknown,
            **more,
        )
        assert (found.lost, found.doubled, found.unaudited, found.invalid) == (0, 0, 0, ())
        books.check(shim)
        assert books.counts.open == 0
        return found

    def _sign(self, over: threading.Event) -> None:
        try:
            while not over.is_set():
                delivery = Delivery(f"fire-{secrets.token_hex(8)}", self.cards)
                self.deliveries.append(delivery)
                sign_until_done(self.rig.channel, self.cards, delivery.request_id, Plan(), delivery=delivery, rounds_max=_ROUNDS_MAX)
        except BaseException as error:  # noqa: BLE001 - crosses to the test's own thread, which raises it
            self._failures.append(error)


def signs(rig: Rig) -> bool:
    """Whether a fresh digest is signed now."""
    item = signing_pb2.DigestItem(document_id="probe", digest=secrets.token_bytes(32))
    request = signing_pb2.SignDigestsRequest(request_id=f"probe-{secrets.token_hex(8)}", school_id=SCHOOL, credential_id="ec", items=[item])
    try:
        with rig.channel() as channel:
            response = signing_pb2_grpc.SigningServiceStub(channel).SignDigests(request, timeout=_PROBE_S_MAX)
    except grpc.RpcError:
        return False
    return not response.results[0].status.code
