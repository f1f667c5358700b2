"""What is remembered of a token: incidents, pace, and one state for all its places."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pkcs11 import exceptions as ckr

from signer.errors import PinHeld, PinLocked, SignerError, TokenRemoved, TokenUnavailable
from signer.tokens.faults import FaultClass, classify, translate
from signer.tokens.standing import Pace, SignTime, Standing, TokenState, token_state
from signer.workers.supervisor import PlaceState

NOON = datetime(2026, 5, 29, 12, tzinfo=UTC)
FOREIGN = TokenRemoved("another one", foreign="true")


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def test_an_incident_lasts_from_its_first_fault_to_the_next_signature() -> None:
    clock = Clock()
    standing = Standing(now=clock)
    standing.fail(TokenUnavailable("first"))
    clock.now += timedelta(seconds=2)
    standing.fail(TokenRemoved("second"))
    clock.now += timedelta(seconds=3)
    standing.heal()
    assert standing.last_fault is not None
    assert (standing.last_fault.at, standing.last_fault.error.message) == (NOON, "second")
    assert standing.last_fault.healed_after_s == pytest.approx(5.0)
    assert not standing.is_failing
    clock.now += timedelta(seconds=1)
    standing.heal()
    assert standing.last_fault.healed_after_s == pytest.approx(5.0)
    standing.fail(TokenUnavailable("another incident"))
    assert (standing.last_fault.at, standing.last_fault.healed_after_s) == (clock.now, None)


def test_a_state_is_as_old_as_its_last_change() -> None:
    clock = Clock()
    standing = Standing(now=clock, since=NOON)
    clock.now += timedelta(minutes=1)
    standing.look(TokenState.READY)
    changed = clock.now
    clock.now += timedelta(minutes=1)
    standing.look(TokenState.READY)
    assert standing.since == changed


@pytest.mark.parametrize(
    ("places", "fault", "is_paused", "state"),
    [
        ("starting starting", None, False, TokenState.STARTING),
        ("ready healing", TokenRemoved("one"), False, TokenState.READY),
        ("held ready", PinHeld("one"), False, TokenState.READY),
        ("held held", PinHeld("all"), False, TokenState.PIN_HELD),
        ("held held", PinLocked("all"), False, TokenState.PIN_LOCKED),
        ("waiting starting", TokenRemoved("away"), False, TokenState.ABSENT),
        ("healing starting", TokenRemoved("away"), False, TokenState.ABSENT),
        ("waiting starting", FOREIGN, False, TokenState.FOREIGN),
        ("healing healing", TokenUnavailable("crashed"), False, TokenState.HEALING),
        ("healing healing", None, False, TokenState.HEALING),
        ("stopped stopped", None, True, TokenState.PAUSED),
    ],
)
def test_a_token_has_one_state_for_all_its_places(places: str, fault: SignerError | None, is_paused: bool, state: TokenState) -> None:
    made: Any = [SimpleNamespace(state=PlaceState(name)) for name in places.split()]
    assert token_state(made, fault, is_paused=is_paused) is state


def test_the_pace_is_that_of_the_last_minute() -> None:
    pace = Pace()
    assert (pace.a_second(0.0), pace.median_s(0.0)) == (0.0, 0.0)
    for second in range(120):
        for _ in range(10):
            pace.add(1000.0 + second, 0.2 if second < 60 else 0.01)
    assert pace.a_second(1119.9) == pytest.approx(10.0)
    assert pace.median_s(1119.9) == pytest.approx(0.01)
    assert pace.a_second(2000.0) == 0.0


@pytest.mark.parametrize(
    ("error", "reach"),
    [
        (ckr.MechanismInvalid, FaultClass.REQUEST),
        (ckr.SessionHandleInvalid, FaultClass.SESSION),
        (ckr.SessionCount, FaultClass.SESSION),
        (ckr.UserNotLoggedIn, FaultClass.LOGIN),
        (ckr.DeviceRemoved, FaultClass.DEVICE),
        (ckr.HostMemory, FaultClass.DEVICE),
        (ckr.PKCS11Error, FaultClass.DEVICE),
        (ckr.ArgumentsBad, FaultClass.FATAL),
        (ckr.PinIncorrect, FaultClass.HOLD),
        (ckr.PinLocked, FaultClass.HOLD),
    ],
)
def test_each_class_reaches_as_far_as_it_says_and_what_is_unknown_is_the_devices(error: type[ckr.PKCS11Error], reach: FaultClass) -> None:
    assert classify(error()).reach is reach
    told = translate(error(), "hsm")
    assert told.metadata == {"token": "hsm", "ckr": error.__name__}
    assert "token hsm" in told.message


def test_a_busy_host_is_not_taken_for_a_slow_token() -> None:
    """Every fifth signature waited for a core, for as long as fourteen take."""
    sign_time = SignTime(0.010)
    for _ in range(100):
        for sign_s in (0.0014, 0.0014, 0.0014, 0.0014, 0.020):
            sign_time.add(sign_s)
    assert 0.0014 < sign_time.seconds < 0.0028


@pytest.mark.parametrize("before_s", [0.0005, 0.010])
def test_a_slow_token_is_known_for_one_after_a_few_signatures(before_s: float) -> None:
    """Slow: one a tenth of a second, so that each goes alone and its result comes as it is made."""
    sign_time = SignTime(before_s)
    for _ in range(12):
        sign_time.add(0.120)
    assert sign_time.seconds > 0.010
    for _ in range(300):
        sign_time.add(0.120)
    assert sign_time.seconds == pytest.approx(0.120, rel=0.06)
