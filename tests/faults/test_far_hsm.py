"""An HSM on the network that loses power, hangs and comes back while classes are signed, beside a token of another vendor's module.

p11-kit remoting: the daemon loads p11-kit's client module; the shim behind the server counts the uses of keys.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from signer.demo.softhsm import KeyKind, KeySpec, create_token, store_certificates
from tests.support.batch import B_B, Plan
from tests.support.far_hsm import MODULE, FarHsm
from tests.support.other_token import Beside, CardIssuer, credentials_on
from tests.support.rig import FULL, Record, Rig, wait_until
from tests.support.shim import Door, Shim

FAR = Plan(credential="far", level=B_B)
AWAY_S = 10.0 if FULL else 2.0
CALL_S_MAX = 2.0
SIGN_S = 0.05
RESTARTS = 5 if FULL else 2


@pytest.fixture
def shim(issuer: CardIssuer, shim_module: Path, tmp_path: Path) -> Shim:
    token = create_token(tmp_path / "hsm", "far", [KeySpec("far", KeyKind.EC_P256, key_id=b"\x01")])
    certificate = issuer.certificate(token.key("far").public_key, "HSM")
    return Shim(shim_module, store_certificates(token, {"far": certificate}), tmp_path / "hsm.state")


@pytest.fixture
def hsm(shim: Shim, tmp_path: Path) -> Iterator[FarHsm]:
    made = FarHsm(shim, tmp_path / "hsm.socket")
    made.start()
    try:
        yield made
    finally:
        made.kill()


@pytest.fixture
def beside(rig: Rig, shim: Shim, hsm: FarHsm) -> Iterator[Beside]:
    token = {
        "name": "far",
        "module": str(MODULE),
        "label": "far",
        "pin": f"file:{shim.token.pin_file}",
        "environment": hsm.environment,
        "keep_alive_s": 1,
        "call_s_max": CALL_S_MAX,
    }
    rig.start(tokens=[token], credentials=credentials_on("far", {"far": "01"}))
    made = Beside(rig, "far", FAR, shim.digests)
    try:
        made.wait_for("READY")
        shim.delay(Door.SIGN, SIGN_S)
        yield made
    finally:
        made.close()


def test_an_hsm_that_is_restarted_while_a_class_is_signed_costs_nothing_but_time(
    beside: Beside, hsm: FarHsm, cards: dict[str, bytes], record: Record
) -> None:
    def restart() -> float:
        hsm.kill()
        beside.wait_for("ABSENT")
        time.sleep(AWAY_S)
        hsm.start()
        return time.monotonic()

    beside.settle(record, f"HSM on the network loses power for {AWAY_S:g} s", beside.strike(cards, "power", restart))


def test_an_hsm_that_is_restarted_again_and_again_heals_each_time(
    beside: Beside, hsm: FarHsm, cards: dict[str, bytes], record: Record
) -> None:
    def restarts() -> float:
        for _ in range(RESTARTS):
            hsm.kill()
            hsm.start()
            time.sleep(1.0)
        hsm.kill()
        hsm.start()
        return time.monotonic()

    beside.settle(record, f"HSM on the network restarted {RESTARTS + 1} times", beside.strike(cards, "restarts", restarts))


def test_an_hsm_that_hangs_is_given_up_at_its_deadline_and_used_again_when_it_answers(
    beside: Beside, hsm: FarHsm, cards: dict[str, bytes], record: Record
) -> None:
    def hang() -> float:
        before = beside.token().restarts
        hsm.stop()
        wait_until(lambda: beside.token().restarts > before, "the hanging worker to be killed")
        time.sleep(1.0)
        hsm.go_on()
        return time.monotonic()

    beside.settle(record, "HSM on the network hangs, then answers", beside.strike(cards, "hang", hang))


def test_an_hsm_that_is_restarted_while_nothing_is_signed_is_ready_before_the_next_class(beside: Beside, hsm: FarHsm) -> None:
    hsm.kill()
    beside.wait_for("ABSENT")
    hsm.start()
    beside.wait_for("READY")
