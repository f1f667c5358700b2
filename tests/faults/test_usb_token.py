"""A USB token that is pulled, put back, swapped and blocked while classes are signed: pcscd, OpenSC and a PIV card, beside a SoftHSM token.

The card writes down each use of a key and each try of its PIN; the other vendor's token signs all the while as if nothing had happened.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509

from signer.errors import PinHeld, PinLocked
from tests.support import pki
from tests.support.batch import B_B, Delivery, Plan, sign_batch, sign_until_done
from tests.support.other_token import OTHER, Beside, CardIssuer, Struck, batch_under_way, credentials_on
from tests.support.rig import FULL, Record, Rig, kill, wait_until
from tests.support.virtual_card import MODULE, PIN, VirtualCard, make_card, readers

USB = Plan(credential="usb", level=B_B)
SEAL = Plan(credential="usb-seal", level=B_B)
SIGN_S = 0.2 if FULL else 0.05
SLOW_S = 0.5
"""So slow that no class ends before something is done to it."""
AWAY_S = 1.5
PULLS = 10 if FULL else 2


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[int]]:
    if os.geteuid():
        pytest.skip("pcscd has its socket in /run/pcscd: only root may start it")
    with readers(tmp_path_factory.mktemp("pcscd")) as found:
        yield found


@dataclass
class Desk(Beside):
    """A daemon with a SoftHSM token and a card in its reader, and a second card in the drawer."""

    card: VirtualCard = field(kw_only=True)
    stranger: VirtualCard = field(kw_only=True)
    pin_file: Path = field(kw_only=True)
    is_replaced: bool = False

    def kill_worker(self) -> None:
        before = self.token().restarts
        self.strike_worker()
        wait_until(lambda: self.token().restarts > before, "the killed worker to be missed")

    def strike_worker(self) -> None:
        """If it is there: after a change of the card it may be on its way out by itself."""
        assert self.rig.running is not None
        for pid in self.rig.running.worker_pids("usb#"):
            kill(pid)


@pytest.fixture
def desk(rig: Rig, issuer: CardIssuer, ports: list[int], tmp_path: Path) -> Iterator[Desk]:
    keys = [pki.rsa_key(number) for number in range(3)]
    names = ("Con dấu", "Con dấu 9C", "Con dấu")
    named = [(key, issuer.certificate(key.public_key(), name)) for key, name in zip(keys, names, strict=True)]
    card = make_card(tmp_path / "card", ports[0], {"9a": named[0], "9c": named[1]})
    stranger = make_card(tmp_path / "stranger", ports[0], {"9a": named[2]})
    pin_file = tmp_path / "pin"
    pin_file.write_text(PIN, encoding="ascii")
    pin_file.chmod(0o600)
    token = {
        "name": "usb",
        "module": str(MODULE),
        "label": "Con dấu (DEMO)",
        "pin": f"file:{pin_file}",
        "keep_alive_s": 1,
        "call_s_max": 10,
    }
    card.insert()
    card.delay(SIGN_S)
    rig.start(tokens=[token], credentials=credentials_on("usb", {"usb": "01", "usb-seal": "02"}))
    made = Desk(
        rig,
        "usb",
        USB,
        lambda: card.uses().key_uses,
        lambda: card.uses().pins["wrong"] + stranger.uses().pins.total(),
        card=card,
        stranger=stranger,
        pin_file=pin_file,
    )
    try:
        made.wait_for("READY")
        yield made
        assert made.is_replaced or not (stranger.uses().key_uses or stranger.uses().pins)
    finally:
        made.close()
        card.end()
        stranger.end()


def test_a_card_that_is_pulled_and_put_back_while_a_class_is_signed_costs_nothing_but_time(
    desk: Desk, cards: dict[str, bytes], record: Record
) -> None:
    def pull_and_put_back() -> float:
        desk.card.pull()
        desk.wait_for("ABSENT")
        time.sleep(AWAY_S)
        desk.card.insert()
        return time.monotonic()

    desk.settle(record, "USB token pulled, put back after a while", desk.strike(cards, "pulled", pull_and_put_back))


def test_a_card_that_is_put_back_at_once_heals_as_well(desk: Desk, cards: dict[str, bytes], record: Record) -> None:
    """OpenSC then goes on with a login that the card has forgotten."""

    def bounce() -> float:
        for number in range(PULLS):
            desk.card.pull()
            time.sleep(0.05 * number)
            desk.card.insert()
            time.sleep(0.5)
        return time.monotonic()

    desk.settle(record, f"USB token bounced {PULLS} times", desk.strike(cards, "bounced", bounce))


def test_another_card_in_the_same_reader_is_never_used_and_never_gets_the_pin(desk: Desk, cards: dict[str, bytes], record: Record) -> None:
    """Both cards have the same label, and the swap is quicker than OpenSC notices."""

    def swap() -> float:
        desk.card.pull()
        desk.stranger.insert()
        desk.wait_for("FOREIGN")
        time.sleep(AWAY_S)
        desk.stranger.pull()
        desk.card.insert()
        return time.monotonic()

    desk.settle(record, "USB token swapped for another card", desk.strike(cards, "swapped", swap))


def test_a_card_that_was_replaced_for_good_is_accepted_by_an_operator(desk: Desk, cards: dict[str, bytes]) -> None:
    desk.is_replaced = True
    desk.card.pull()
    desk.stranger.insert()
    desk.wait_for("FOREIGN")
    assert desk.operator.tokens.release_pin("usb").state == "READY"
    few = dict(list(cards.items())[:2])
    assert sign_until_done(desk.rig.channel, few, "replaced", USB).lost == 0
    assert desk.stranger.uses().key_uses.total() == len(few)
    assert desk.card.uses().key_uses.total() == 0


@pytest.mark.parametrize("plan", [USB, SEAL], ids=["pin-once", "pin-always"])
def test_a_card_swapped_in_a_moment_while_nothing_is_signed_gets_no_pin_from_the_next_class(
    plan: Plan, desk: Desk, cards: dict[str, bytes]
) -> None:
    few = dict(list(cards.items())[:2])
    assert sign_until_done(desk.rig.channel, few, "before", plan).lost == 0
    desk.card.pull()
    desk.stranger.insert()
    with desk.rig.channel() as channel:
        first = sign_batch(channel, few, "swapped", plan, timeout_s=8)
    assert set(first.reasons.values()) == {"TOKEN_REMOVED"}
    desk.stranger.pull()
    desk.card.insert()
    assert sign_until_done(desk.rig.channel, few, "swapped", plan).lost == 0


def test_a_pulled_card_is_missed_although_nothing_is_signed(desk: Desk) -> None:
    desk.card.pull()
    desk.wait_for("ABSENT")
    desk.card.insert()
    desk.wait_for("READY")


def test_a_class_whose_card_stays_away_is_told_before_its_deadline_and_resumes_later(
    desk: Desk, cards: dict[str, bytes], record: Record
) -> None:
    desk.card.pull()
    desk.wait_for("ABSENT")
    with desk.rig.channel() as channel:
        first = sign_batch(channel, cards, "away", USB, timeout_s=10)
    assert first.failure is None
    assert first.reasons == dict.fromkeys(cards, "TOKEN_REMOVED")
    desk.card.insert()
    back_s = time.monotonic()
    delivery = Delivery("away", cards)
    delivery.add(first)
    sign_until_done(desk.rig.channel, cards, "away", USB, delivery=delivery)
    heal_s = min(result.at_s for result in delivery.rounds[-1].results) - back_s
    with desk.rig.channel() as channel:
        other = sign_batch(channel, cards, "away-other", OTHER)
    desk.settle(record, "USB token away beyond the deadline", Struck(delivery, first, other, heal_s))


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
    assert desk.operator.tokens.release_pin("usb").state == "READY"
    heal_s = time.monotonic() - mended_s
    delivery = sign_until_done(desk.rig.channel, cards, "held-again", USB)
    books = desk.settle(record, "the PIN source is wrong", Struck(delivery, first, other, heal_s))
    assert books.notes["pin-released"] == 1


def test_a_blocked_pin_is_told_and_not_tried_before_an_operator_says_so(desk: Desk, cards: dict[str, bytes], record: Record) -> None:
    desk.card.leave_tries(0)
    before = desk.card.uses().pins
    desk.strike_worker()
    desk.wait_for("PIN_LOCKED")
    assert desk.token().pin_state == "LOCKED"
    with pytest.raises(PinLocked):
        desk.operator.tokens.release_pin("usb")
    assert desk.card.uses().pins == before
    desk.card.leave_tries(1)
    with pytest.raises(PinHeld, match="allow-final-try"):
        desk.operator.tokens.release_pin("usb")
    assert desk.card.uses().pins == before
    assert desk.operator.tokens.release_pin("usb", allow_final_try=True).state == "READY"
    delivery = sign_until_done(desk.rig.channel, cards, "unblocked", USB)
    with desk.rig.channel() as channel:
        other = sign_batch(channel, cards, "unblocked-other", OTHER)
    desk.settle(record, "the PIN is blocked", Struck(delivery, delivery.rounds[0], other, 0.0))


def test_a_key_that_wants_the_pin_before_each_signature_gets_it(desk: Desk, cards: dict[str, bytes]) -> None:
    few = dict(list(cards.items())[:3])
    delivery = sign_until_done(desk.rig.channel, few, "always", SEAL)
    assert delivery.lost == 0
    uses = desk.card.uses()
    assert uses.key_uses.total() == len(few)
    assert uses.pins["right"] >= len(few)
    assert uses.pins["wrong"] == 0


def test_a_request_is_signed_by_a_key_that_wants_the_pin_before_each_signature(desk: Desk) -> None:
    (outcome,) = desk.operator.keys.requests(["usb-seal"])
    assert outcome.error is None
    assert x509.load_der_x509_csr(outcome.request).is_signature_valid
    assert desk.card.uses().pins["wrong"] == 0


def test_a_paused_card_may_be_taken_away_and_its_class_goes_on_when_it_is_resumed(desk: Desk, cards: dict[str, bytes]) -> None:
    desk.card.delay(SLOW_S)
    with batch_under_way(desk.rig, cards, "paused", USB, timeout_s=120) as running:
        wait_until(lambda: len(running.results) >= 1, "a signature")
        paused = desk.operator.tokens.pause("usb", "reader moved")
        desk.card.delay(SIGN_S)
        assert (paused.state, paused.sessions_open) == ("PAUSED", 0)
        assert "reader moved" in paused.message
        used = desk.card.uses().key_uses.total()
        desk.card.pull()
        desk.card.insert()
        time.sleep(1)
        assert desk.card.uses().key_uses.total() == used < len(cards)
        desk.operator.tokens.resume("usb")
    assert running.end is not None
    assert len(running.end.signed) == len(cards)
