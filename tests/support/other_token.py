"""A second token of another vendor beside the world's, in one daemon: its stanza and certificate, batches on both, faults on one."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signer.client import SignerClient, TokenInfo
from signer.demo.certificate_profiles import LeafKind, Subject
from signer.demo.pki import DemoPki, LeafPublicKey
from tests.support.batch import B_B, BatchEnd, Delivery, ItemResult, Plan, collect, open_batch, sign_until_done
from tests.support.daemon import SCHOOL, World
from tests.support.rig import Books, Record, Rig, wait_until

OTHER = Plan(credential="cbql", level=B_B)
HEAL_S_MAX = 60.0
"""How long the report says; this is for a machine that others use."""


class CardIssuer:
    """A CA that a world believes; certificates for keys on cards."""

    def __init__(self, world: World) -> None:
        self._pki = DemoPki.create(key_bits=2048)
        chain = [self._pki.subordinate_certificate, self._pki.root_certificate]
        with world.ca_file.open("ab") as file:
            file.writelines(certificate.public_bytes(Encoding.PEM) for certificate in chain)

    def certificate(self, key: LeafPublicKey, name: str) -> x509.Certificate:
        """A school seal's, valid now."""
        subject = Subject(f"{name} (DEMO)", organisation="UBND tỉnh Demo", units=("TRƯỜNG TIỂU HỌC DEMO",), locality="Demo")
        return self._pki.issue_leaf(LeafKind.SCHOOL_SEAL, subject, key)


def credentials_on(token: str, key_ids: Mapping[str, str]) -> list[dict[str, str]]:
    """SCHOOL's credentials on a token, by their ids; each key by its CKA_ID."""
    return [{"id": credential, "token": token, "key_id": key_id, "school": SCHOOL} for credential, key_id in key_ids.items()]


@dataclass
class UnderWay:
    """A batch in a thread of its own. end: once it has ended."""

    results: list[ItemResult] = field(default_factory=list)
    end: BatchEnd | None = None

    def signed_after(self, moment_s: float) -> list[float]:
        """When documents were signed later than that."""
        return [result.at_s for result in self.results if result.is_signed and result.at_s > moment_s]


@contextmanager
def batch_under_way(rig: Rig, documents: Mapping[str, bytes], request_id: str, plan: Plan, **options: Any) -> Iterator[UnderWay]:
    """The batch runs while the block does; at the block's end it is waited for."""
    batch = UnderWay()

    def run() -> None:
        with rig.channel() as channel:
            call = open_batch(channel, documents, request_id, plan, **options)
            batch.end = collect(call, lambda so_far: batch.results.append(so_far.results[-1]))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield batch
    finally:
        thread.join()


@dataclass(frozen=True)
class Struck:
    """What a fault did: to the batch on the token it struck, and to one on the world's own meanwhile. heal_s: until the next signature."""

    delivery: Delivery
    first: BatchEnd
    other: BatchEnd
    heal_s: float


@dataclass
class Beside:
    """A rig's daemon with a second token. plan: signs with a credential on it. key_uses: what that token counted, by digest."""

    rig: Rig
    name: str
    plan: Plan
    key_uses: Callable[[], Counter[bytes]]
    pin_tries: Callable[[], int] = lambda: 0

    @cached_property
    def operator(self) -> SignerClient:
        """One connection, for all that is asked while waiting; `close` ends it."""
        assert self.rig.running is not None
        pki = self.rig.world.pki
        address, certificate, key = f"localhost:{self.rig.running.port}", pki / "operator.crt", pki / "operator.key"
        return SignerClient(address, ca=pki / "tls-ca.crt", certificate=certificate, key=key)

    def close(self) -> None:
        """Ends the daemon, too."""
        self.operator.close()
        if self.rig.running is not None:
            self.rig.running.stop()

    def token(self) -> TokenInfo:
        return self.operator.tokens.get(self.name)

    def wait_for(self, state: str) -> float:
        """How long it took, in seconds."""
        return wait_until(lambda: self.token().state == state, f"token {self.name} to be {state}: {self.token()}")

    def strike(self, documents: Mapping[str, bytes], request_id: str, fault: Callable[[], float]) -> Struck:
        """The fault strikes when a third of the batch is signed; it returns when the token was fit again (time.monotonic())."""
        with batch_under_way(self.rig, documents, request_id, self.plan, timeout_s=90) as batch:
            wait_until(lambda: len(batch.results) >= len(documents) // 3, "a third of the batch")
            with batch_under_way(self.rig, documents, f"{request_id}-other", OTHER) as other:
                fit_s = fault()
            wait_until(lambda: bool(batch.signed_after(fit_s)) or batch.end is not None, "a signature after the fault")
        assert batch.end is not None
        assert other.end is not None
        delivery = Delivery(request_id, documents)
        delivery.add(batch.end)
        if delivery.missing:
            sign_until_done(self.rig.channel, documents, request_id, self.plan, delivery=delivery)
        return Struck(delivery, batch.end, other.end, min(batch.signed_after(fit_s), default=fit_s) - fit_s)

    def settle(self, record: Record, fault: str, struck: Struck) -> Books:
        """Ends the daemon, records the fault's line, and checks what must hold after any."""
        assert self.rig.running is not None
        self.rig.running.stop()
        books = self.rig.books()
        extra = (self.key_uses() + self.rig.shim.digests() - books.intents).total()
        record(
            fault,
            client_saw=", ".join(sorted(set(struck.first.reasons.values()))) or "signed",
            lost=struck.delivery.lost,
            extra_key_uses=extra,
            heal_s=round(struck.heal_s, 2),
            pin_tries=self.pin_tries(),
            others_signed=len(struck.other.signed),
        )
        assert (struck.delivery.lost, struck.delivery.doubled, struck.delivery.refused, books.doubled, extra) == (0, 0, {}, 0, 0)
        assert books.counts.balanced
        assert len(struck.other.signed) == len(struck.other.results) == len(struck.delivery.documents), "the other token was affected"
        assert self.pin_tries() <= 1
        assert struck.heal_s <= HEAL_S_MAX
        return books
