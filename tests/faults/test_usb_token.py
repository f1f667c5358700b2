"""A USB token that is pulled, put back, swapped and blocked while classes are signed: pcscd, OpenSC and a PIV card, beside a SoftHSM token.

The card writes down each use of a key and each try of its PIN; the other vendor's token signs all the while as if nothing had happened.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from signer.client import SignerClient, TokenInfo
from signer.errors import PinHeld, PinLocked
from tests.support.batch import B_B, BatchEnd, Delivery, Plan, sign_batch, sign_until_done
from tests.support.daemon import Running
from tests.support.other_token import CardIssuer, add_token, batch_under_way
from tests.support.rig import FULL, Record, Rig, kill, wait_until
from tests.support.virtual_card import MODULE, PIN, VirtualCard, make_card, readers

USB = Plan(credential="usb", level=B_B)
SEAL = Plan(credential="usb-seal", level=B_B)
OTHER = Plan(credential="cbql", level=B_B)
SIGN_S = 0.2 if FULL else 0.05
AWAY_S = 1.5
PULLS = 10 if FULL else 2
HEAL_S_MAX = 5.0


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[int]]:
    with readers(tmp_path_factory.mktemp("pcscd")) as found:
        yield found


@dataclass
class Desk:
    """A daemon with a SoftHSM token and a card, and a second card in the drawer."""

    rig: Rig
    card: VirtualCard
    stranger: VirtualCard
    pin_file: Path
    daemon: Running

    def token(self) -> TokenInfo:
        with self.operator() as client:
            return client.tokens.get("usb")

    @contextlib.contextmanager
    def operator(self) -> Iterator[SignerClient]:
        pki = self.rig.world.pki
        files = {"ca": pki / "tls-ca.crt", "certificate": pki / "operator.crt", "key": pki / "operator.key"}
        with SignerClient(f"localhost:{self.daemon.port}", **files) as client:  # type: ignore[arg-type]  # paths, by name
            yield client

    def wait_for(self, state: str) -> float:
        """How long it took, in seconds."""
        return wait_until(lambda: self.token().state == state, f"the card to be {state}: {self.token().message}", within_s=30)

    def kill_worker(self) -> None:
        before = self.token().restarts
        for pid in self.daemon.worker_pids("usb#"):
            kill(pid)
        wait_until(lambda: self.token().restarts > before, "the killed worker to be missed")


@pytest.fixture
def desk(rig: Rig, ports: list[int], tmp_path: Path) -> Iterator[Desk]:
    issuer = CardIssuer(rig.world)
    keys = [rsa.generate_private_key(65537, 2048) for _ in range(3)]
    named = [(key, issuer.certificate(key, name)) for key, name in zip(keys, ("Con dấu", "Con dấu 9C", "Người khác"), strict=True)]
    card = make_card(tmp_path / "card", ports[0], {"9a": named[0], "9c": named[1]})
    stranger = make_card(tmp_path / "stranger", ports[0], {"9a": named[2]})
    pin_file = tmp_path / "pin"
    pin_file.write_text(PIN, encoding="ascii")
    pin_file.chmod(0o600)
    token = {"name": "usb", "module": str(MODULE), "label": "PIV_II", "pin": f"file:{pin_file}", "keep_alive_s": 1, "call_s_max": 10}
    card.insert()
    card.delay(SIGN_S)
    rig.start(change=lambda config: add_token(config, token, {"usb": "01", "usb-seal": "02"}))
    assert rig.running is not None
    made = Desk(rig, card, stranger, pin_file, rig.running)
    try:
        made.wait_for("READY")
        yield made
    finally:
        rig.running.stop()
        card.end()
        stranger.end()


@dataclass(frozen=True)
class Struck:
    """One batch on the card, and one on the other token meanwhile."""

    delivery: Delivery
    first: BatchEnd
    other: BatchEnd
    heals_s: tuple[float, ...]


def strike(desk: Desk, cards: dict[str, bytes], name: str, fault: Callable[[], float]) -> Struck:
    """The fault strikes when a third of the class is signed; it returns when the card was fit again (time.monotonic())."""
    heals: list[float] = []
    with batch_under_way(desk.rig, cards, name, USB, timeout_s=90) as running:
        wait_until(lambda: len(running.so_far.results) >= len(cards) // 3, "a third of the class")
        with batch_under_way(desk.rig, cards, f"{name}-other", OTHER) as other:
            fit_s = fault()
        wait_until(
            lambda: any(result.at_s > fit_s and result.is_signed for result in running.so_far.results) or running.end is not None,
            "a signature",
        )
        heals += [result.at_s - fit_s for result in running.so_far.results if result.at_s > fit_s and result.is_signed][:1]
    assert running.end is not None
    assert other.end is not None
    delivery = Delivery(name, cards)
    delivery.add(running.end)
    if delivery.missing:
        sign_until_done(desk.rig.channel, cards, name, USB, delivery=delivery)
    return Struck(delivery, running.end, other.end, tuple(heals))


def settle(desk: Desk, record: Record, fault: str, struck: Struck, *, pin_tries: int | None = None) -> None:
    """Records the line, and what must hold after any fault."""
    desk.daemon.stop()
    books, uses, strange = desk.rig.books(), desk.card.uses(), desk.stranger.uses()
    extra = (uses.key_uses + desk.rig.shim.digests() - books.intents).total()
    wrong = uses.pins["wrong"] + strange.pins.total() if pin_tries is None else pin_tries
    seen = struck.first.reasons.values()
    record(
        fault,
        client_saw=", ".join(sorted(set(seen))) or "signed",
        lost=struck.delivery.lost,
        extra_key_uses=extra,
        heal_s=round(max(struck.heals_s, default=0.0), 2),
        pin_tries=wrong,
        others_unaffected=len(struck.other.signed),
    )
    assert (struck.delivery.lost, struck.delivery.doubled, struck.delivery.refused, books.doubled, extra) == (0, 0, {}, 0, 0)
    assert books.counts.balanced
    assert len(struck.other.signed) == len(struck.delivery.documents), "the other vendor's token was not affected"
    assert strange.pins == Counter()
    assert not strange.key_uses
    assert wrong <= 1
    assert all(heal_s <= HEAL_S_MAX for heal_s in struck.heals_s)


def test_a_card_that_is_pulled_and_put_back_while_a_class_is_signed_costs_nothing_but_time(
    desk: Desk, cards: dict[str, bytes], record: Record
) -> None:
    def pull_and_put_back() -> float:
        desk.card.pull()
        desk.wait_for("ABSENT")
        time.sleep(AWAY_S)
        desk.card.insert()
        return time.monotonic()

    settle(desk, record, "USB token pulled, put back after a while", strike(desk, cards, "pulled", pull_and_put_back))


def test_a_card_that_is_put_back_at_once_heals_as_well(desk: Desk, cards: dict[str, bytes], record: Record) -> None:
    """OpenSC then goes on with a login that the card has forgotten."""

    def bounce() -> float:
        for number in range(PULLS):
            desk.card.pull()
            time.sleep(0.05 * number)
            desk.card.insert()
            time.sleep(0.5)
        return time.monotonic()

    settle(desk, record, f"USB token bounced {PULLS} times", strike(desk, cards, "bounced", bounce))


def test_another_card_in_the_same_reader_is_never_used_and_never_gets_the_pin(desk: Desk, cards: dict[str, bytes], record: Record) -> None:
    """Both cards call themselves PIV_II, and the swap is quicker than OpenSC notices."""

    def swap() -> float:
        desk.card.pull()
        desk.stranger.insert()
        desk.wait_for("FOREIGN")
        time.sleep(AWAY_S)
        desk.stranger.pull()
        desk.card.insert()
        return time.monotonic()

    settle(desk, record, "USB token swapped for another card", strike(desk, cards, "swapped", swap))


def test_a_pulled_card_is_missed_although_nothing_is_signed(desk: Desk) -> None:
    desk.card.pull()
    desk.wait_for("ABSENT")
    desk.card.insert()
    assert desk.wait_for("READY") < HEAL_S_MAX


def test_a_class_whose_card_stays_away_is_told_before_its_deadline_and_resumes_later(
    desk: Desk, cards: dict[str, bytes], record: Record
) -> None:
    desk.card.pull()
    desk.wait_for("ABSENT")
    with desk.rig.channel() as channel:
        first = sign_batch(channel, cards, "away", USB, timeout_s=5)
    assert first.failure is None
    assert first.reasons == dict.fromkeys(cards, "TOKEN_REMOVED")
    desk.card.insert()
    back_s = time.monotonic()
    delivery = Delivery("away", cards)
    delivery.add(first)
    sign_until_done(desk.rig.channel, cards, "away", USB, delivery=delivery)
    heals_s = min(result.at_s for result in delivery.rounds[-1].results) - back_s
    with desk.rig.channel() as channel:
        other = sign_batch(channel, cards, "away-other", OTHER)
    settle(desk, record, "USB token away beyond the deadline", Struck(delivery, first, other, (heals_s,)))


def test_a_wrong_pin_source_costs_one_try_and_is_mended_without_a_restart(desk: Desk, cards: dict[str, bytes], record: Record) -> None:
    desk.pin_file.write_text("11111111", encoding="ascii")
    desk.kill_worker()
    desk.wait_for("PIN_HELD")
    with desk.rig.channel() as channel:
        first = sign_batch(channel, cards, "held", USB)
        other = sign_batch(channel, cards, "held-other", OTHER)
    assert set(first.reasons.values()) == {"PIN_HELD"} or (first.failure is not None and first.failure.reason.value == "PIN_HELD")
    assert desk.card.uses().pins["wrong"] == 1
    desk.pin_file.write_text(PIN, encoding="ascii")
    mended_s = time.monotonic()
    with desk.operator() as client:
        assert client.tokens.release_pin("usb").state == "READY"
    heal_s = time.monotonic() - mended_s
    delivery = sign_until_done(desk.rig.channel, cards, "held-again", USB)
    settle(desk, record, "the PIN source is wrong", Struck(delivery, first, other, (heal_s,)))
    assert desk.rig.books().notes["pin-released"] == 1


def test_a_blocked_pin_is_told_and_not_tried_before_an_operator_says_so(desk: Desk, cards: dict[str, bytes], record: Record) -> None:
    desk.card.leave_tries(0)
    before = desk.card.uses().pins
    desk.kill_worker()
    desk.wait_for("PIN_LOCKED")
    assert desk.token().pin_state == "LOCKED"
    with desk.operator() as client, pytest.raises(PinLocked):
        client.tokens.release_pin("usb")
    assert desk.card.uses().pins == before
    desk.card.leave_tries(1)
    with desk.operator() as client, pytest.raises(PinHeld, match="allow-final-try"):
        client.tokens.release_pin("usb")
    assert desk.card.uses().pins == before
    with desk.operator() as client:
        assert client.tokens.release_pin("usb", allow_final_try=True).state == "READY"
    delivery = sign_until_done(desk.rig.channel, cards, "unblocked", USB)
    with desk.rig.channel() as channel:
        other = sign_batch(channel, cards, "unblocked-other", OTHER)
    settle(desk, record, "the PIN is blocked", Struck(delivery, delivery.rounds[0], other, ()))


def test_a_key_that_wants_the_pin_before_each_signature_gets_it(desk: Desk, cards: dict[str, bytes]) -> None:
    few = dict(list(cards.items())[:3])
    delivery = sign_until_done(desk.rig.channel, few, "always", SEAL)
    assert delivery.lost == 0
    uses = desk.card.uses()
    assert uses.key_uses.total() == len(few)
    assert uses.pins["right"] >= len(few)
    assert uses.pins["wrong"] == 0


def test_a_paused_card_may_be_taken_away_and_its_class_goes_on_when_it_is_resumed(desk: Desk, cards: dict[str, bytes]) -> None:
    with batch_under_way(desk.rig, cards, "paused", USB, timeout_s=60) as running:
        wait_until(lambda: len(running.so_far.results) >= 1, "a signature")
        with desk.operator() as client:
            paused = client.tokens.pause("usb", "reader moved")
            assert (paused.state, paused.sessions_open) == ("PAUSED", 0)
            assert "reader moved" in paused.message
            signed = len(running.so_far.results)
            desk.card.pull()
            desk.card.insert()
            time.sleep(1)
            assert len(running.so_far.results) <= signed + 1
            client.tokens.resume("usb")
    assert running.end is not None
    assert len(running.end.signed) == len(cards)
