"""What a token can do wrong inside a call: hang, crash, answer any CKR, lose its reply, return a wrong signature.

Each fault strikes once (it heals by itself, the daemon repeats where the table of `signer.tokens.faults` allows it) or until told
otherwise (the caller is told, and a repeat under the same ids completes once the token is well again).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.batch import B_B, BatchEnd, Delivery, Plan, sign_batch, sign_until_done
from tests.support.daemon import Running
from tests.support.rig import Record, Rig, only_full, pdfsig_refusals, verified, wait_until, wait_until_ready
from tests.support.shim import Action, Ckr, Door

PLAN = Plan(level=B_B)
CALL_S_MAX = 3.0
PATIENCE_S = 10.0
FEW = 4


@dataclass(frozen=True)
class Struck:
    """What one fault did to one batch. first: the stream it struck; heal_s: from its end until all workers served again."""

    first: BatchEnd
    delivery: Delivery
    heal_s: float

    @property
    def client_saw(self) -> str:
        reasons = {*self.first.reasons.values(), *([self.first.failure.reason.value] if self.first.failure else [])}
        return ", ".join(sorted(reasons)) or "signed"


def strike_once(rig: Rig, documents: Mapping[str, bytes], request_id: str, action: Action, ckr: Ckr = Ckr.OK) -> Struck:
    """One C_Sign is struck while a batch runs; then what is not signed is sent again."""
    assert rig.running is not None
    wait_until_ready(rig.running)
    rig.shim.strike(Door.SIGN, action, ckr, count=1)
    delivery = Delivery(request_id, documents)
    with rig.channel() as channel:
        first = sign_batch(channel, documents, request_id, PLAN)
    delivery.add(first)
    heal_s = wait_until_ready(rig.running)
    delivery.refused.clear()
    sign_until_done(rig.channel, documents, request_id, PLAN, delivery=delivery)
    return Struck(first, delivery, heal_s)


def few(cards: Mapping[str, bytes]) -> dict[str, bytes]:
    return dict(list(cards.items())[:FEW])


def note(rig: Rig, record: Record, fault: str, struck: Struck) -> None:
    """Records one fault's line; the journal can be read while its daemon runs."""
    books = rig.books()
    lost, extra = struck.delivery.lost, books.extra_key_uses(rig.shim)
    record(fault, client_saw=struck.client_saw, lost=lost, extra_key_uses=extra, heal_s=round(struck.heal_s, 2), doubled=books.doubled)
    books.check(rig.shim)
    assert (lost, struck.delivery.doubled) == (0, 0)


REQUEST_FAULTS = (Ckr.DATA_INVALID, Ckr.DATA_LEN_RANGE, Ckr.MECHANISM_INVALID, Ckr.FUNCTION_CANCELED)
SESSION_FAULTS = (
    Ckr.KEY_HANDLE_INVALID,
    Ckr.OPERATION_NOT_INITIALIZED,
    Ckr.SESSION_CLOSED,
    Ckr.SESSION_COUNT,
    Ckr.SESSION_HANDLE_INVALID,
    Ckr.USER_NOT_LOGGED_IN,
)
DEVICE_FAULTS = (
    Ckr.DEVICE_ERROR,
    Ckr.DEVICE_MEMORY,
    Ckr.DEVICE_REMOVED,
    Ckr.FUNCTION_FAILED,
    Ckr.GENERAL_ERROR,
    Ckr.HOST_MEMORY,
    Ckr.TOKEN_NOT_PRESENT,
    Ckr.VENDOR_DEFINED,
)
PIN_FAULTS = (
    pytest.param(Ckr.PIN_INCORRECT, "PIN_HELD", id="incorrect"),
    pytest.param(Ckr.PIN_LOCKED, "PIN_LOCKED", id="locked", marks=only_full),
)


def test_a_fault_of_the_request_is_told_for_that_item_alone(rig: Rig, cards: dict[str, bytes], record: Record) -> None:
    with rig.daemon() as daemon:
        wait_until_ready(daemon)
        served = sorted(daemon.worker_pids("school-token"))
        for ckr in REQUEST_FAULTS:
            struck = strike_once(rig, few(cards), ckr.name, Action.FAIL_BEFORE, ckr)
            note(rig, record, f"C_Sign answers {ckr.name} once", struck)
            assert list(struck.first.reasons.values()) == ["TOKEN_REFUSED"]
            assert len(struck.first.signed) == FEW - 1
        assert sorted(daemon.worker_pids("school-token")) == served, "no worker was given up for it"


@pytest.mark.parametrize(
    "ckrs",
    [
        pytest.param((*SESSION_FAULTS[-2:], *DEVICE_FAULTS[:2]), id="some"),
        pytest.param(SESSION_FAULTS[:-2], id="session", marks=only_full),
        pytest.param(DEVICE_FAULTS[2:5], id="device", marks=only_full),
        pytest.param(DEVICE_FAULTS[5:], id="device too", marks=only_full),
    ],
)
def test_a_fault_of_session_or_device_that_passes_is_healed_unseen(
    rig: Rig, cards: dict[str, bytes], record: Record, ckrs: tuple[Ckr, ...]
) -> None:
    """A few at a time: with each loss the pause before a worker's next start doubles."""
    with rig.daemon():
        for ckr in ckrs:
            struck = strike_once(rig, few(cards), ckr.name, Action.FAIL_BEFORE, ckr)
            note(rig, record, f"C_Sign answers {ckr.name} once", struck)
            assert struck.client_saw == "signed"


def test_a_lost_reply_a_crash_and_a_hang_are_healed_unseen(rig: Rig, cards: dict[str, bytes], record: Record, tmp_path: Path) -> None:
    """In pairs: before the key was used, and after."""
    faults = {
        "C_Sign fails after the key was used": (Action.FAIL_AFTER, Ckr.DEVICE_ERROR),
        "the module crashes (SIGSEGV) before the key is used": (Action.CRASH_BEFORE, Ckr.OK),
        "the module crashes (SIGSEGV) after the key was used": (Action.CRASH_AFTER, Ckr.OK),
        "C_Sign hangs before the key is used": (Action.HANG_BEFORE, Ckr.OK),
        "C_Sign hangs after the key was used": (Action.HANG_AFTER, Ckr.OK),
    }
    with rig.daemon(token={"call_s_max": CALL_S_MAX}):
        for number, (fault, (action, ckr)) in enumerate(faults.items()):
            struck = strike_once(rig, few(cards), f"fault-{number}", action, ckr)
            note(rig, record, fault, struck)
            assert struck.client_saw == "signed"
            assert pdfsig_refusals(struck.delivery, tmp_path) == []


def test_a_token_that_hangs_for_good_is_told_and_heals_when_it_answers_again(
    rig: Rig, cards: dict[str, bytes], record: Record, tmp_path: Path
) -> None:
    documents = few(cards)
    with rig.daemon(token={"call_s_max": CALL_S_MAX}) as daemon:
        wait_until_ready(daemon)
        rig.shim.strike(Door.SIGN, Action.HANG_BEFORE)
        with rig.channel() as channel:
            first = sign_batch(channel, documents, "hung", PLAN)
        rig.shim.calm()
        calm_s = time.monotonic()
        delivery = Delivery("hung", documents)
        delivery.add(first)
        sign_until_done(rig.channel, documents, "hung", PLAN, delivery=delivery)
        struck = Struck(first, delivery, time.monotonic() - calm_s)
        assert set(first.reasons.values()) == {"TOKEN_TIMED_OUT"}
        assert len(first.reasons) == len(documents)
    note(rig, record, "C_Sign hangs for good, then answers again", struck)
    assert rig.books().counts.unknown >= len(documents)
    assert pdfsig_refusals(delivery, tmp_path) == []


def test_a_token_that_is_gone_is_waited_for_until_just_before_the_deadline_and_a_repeat_signs_when_it_is_back(
    rig: Rig, cards: dict[str, bytes], record: Record
) -> None:
    documents = few(cards)
    with rig.daemon() as daemon:
        wait_until_ready(daemon)
        rig.shim.strike(Door.SIGN, Action.FAIL_BEFORE, Ckr.DEVICE_REMOVED)
        with rig.channel() as channel:
            first = sign_batch(channel, documents, "removed", PLAN, timeout_s=PATIENCE_S)
        rig.shim.calm()
        assert first.failure is None, "the deadline passed before the caller heard of it"
        back_s = time.monotonic()
        delivery = Delivery("removed", documents)
        delivery.add(first)
        sign_until_done(rig.channel, documents, "removed", PLAN, delivery=delivery)
        struck = Struck(first, delivery, time.monotonic() - back_s)
        assert set(first.reasons.values()) == {"TOKEN_REMOVED"}
    note(rig, record, "C_Sign answers DEVICE_REMOVED until it is back", struck)


def test_a_wrong_signature_is_withheld(rig: Rig, cards: dict[str, bytes], record: Record, tmp_path: Path) -> None:
    with rig.daemon():
        struck = strike_once(rig, few(cards), "spoilt", Action.SPOIL)
        spoilt = [result for result in struck.first.results if not result.is_signed]
        assert [(result.reason, result.appended) for result in spoilt] == [("TOKEN_SIGNATURE_WRONG", b"")]
    note(rig, record, "C_Sign returns a wrong signature", struck)
    assert rig.books().released["spoilt", spoilt[0].document_id] == 1
    assert pdfsig_refusals(struck.delivery, tmp_path) == []


def test_a_wrong_signature_of_the_timestamp_key_is_withheld_and_the_document_is_signed_no_second_time(
    rig: Rig, cards: dict[str, bytes], record: Record
) -> None:
    document = dict(list(cards.items())[:1])
    with rig.daemon() as daemon:
        wait_until_ready(daemon)
        rig.shim.strike(Door.SIGN, Action.SPOIL, after=1, count=1)
        delivery = Delivery("stamp", document)
        with rig.channel() as channel:
            first = sign_batch(channel, document, "stamp", Plan())
        delivery.add(first)
        sign_until_done(rig.channel, document, "stamp", Plan(), delivery=delivery)
        assert set(first.reasons.values()) <= {"TIMESTAMP_UNAVAILABLE"}
    note(rig, record, "the timestamp key returns a wrong signature", Struck(first, delivery, 0.0))
    assert rig.books().document_key_uses(rig.shim) == 1
    assert len(rig.shim.key_uses()) == 3
    assert verified(delivery, rig.world) == []


@pytest.mark.parametrize(("ckr", "reason"), PIN_FAULTS)
def test_a_refused_pin_is_tried_once_by_all_workers_together(
    rig: Rig, cards: dict[str, bytes], record: Record, ckr: Ckr, reason: str
) -> None:
    rig.shim.strike(Door.LOGIN, Action.FAIL_BEFORE, ckr)
    with rig.daemon(token={"processes": 3}) as daemon:
        wait_until(lambda: _held(daemon) == 3, "all workers are held")
        with rig.channel() as channel:
            first = sign_batch(channel, few(cards), "pin", PLAN)
    assert first.failure is not None
    record(
        f"C_Login answers {ckr.name}",
        client_saw=first.failure.reason.value,
        lost=0,
        extra_key_uses=rig.books().extra_key_uses(rig.shim),
        pin_tries=rig.shim.calls(Door.LOGIN),
    )
    assert first.failure.reason.value == reason
    assert rig.shim.calls(Door.LOGIN) == 1
    assert rig.books().notes["pin-held"] == 1
    assert rig.shim.key_uses() == []


def test_a_pin_refused_while_signing_is_not_sent_again(rig: Rig, cards: dict[str, bytes], record: Record) -> None:
    """As a USB token's key with CKA_ALWAYS_AUTHENTICATE answers after somebody changed the PIN."""
    with rig.daemon(token={"processes": 1}) as daemon:
        wait_until_ready(daemon, 1)
        rig.shim.strike(Door.SIGN, Action.FAIL_BEFORE, Ckr.PIN_INCORRECT)
        with rig.channel() as channel:
            first = sign_batch(channel, few(cards), "pin", PLAN)
            wait_until(lambda: _held(daemon) == 1, "the worker is held")
            second = sign_batch(channel, few(cards), "pin", PLAN)
    record(
        "C_Sign answers PIN_INCORRECT",
        client_saw=", ".join(sorted(set(first.reasons.values()))),
        lost=0,
        extra_key_uses=rig.books().extra_key_uses(rig.shim),
        pin_tries=rig.shim.calls(Door.SIGN),
    )
    for end in (first, second):
        assert set(end.reasons.values()) == {"PIN_HELD"}
        assert len(end.reasons) == FEW
    assert (rig.shim.calls(Door.LOGIN), rig.shim.calls(Door.SIGN)) == (1, 1)


def _held(daemon: Running) -> int:
    return sum(event["event"] == "worker held" for event in daemon.events())
