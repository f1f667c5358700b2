"""Keys made while the token fails: whatever dies in between, a repeat gives the one key, no second one is left, and signers go on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from signer.demo.softhsm import open_token
from signer.errors import PinHeld
from tests.support.bureau import IN_TOKEN, WRAPPED, Office, office, spec
from tests.support.calls import reason_of, sign_digests
from tests.support.daemon import World
from tests.support.rig import Record
from tests.support.shim import Action, Ckr, Door, Shim

DIGESTS = {"d": hashlib.sha256(b"d").digest()}
FAULTS = [
    ("crash before", Action.CRASH_BEFORE, Ckr.OK),
    ("crash after", Action.CRASH_AFTER, Ckr.OK),
    ("device error after", Action.FAIL_AFTER, Ckr.DEVICE_ERROR),
    ("refused", Action.FAIL_BEFORE, Ckr.MECHANISM_INVALID),
]


@dataclass
class Shaken:
    """An office whose token breaks on command."""

    desk: Office
    shim: Shim
    world: World


@pytest.fixture
def shaken(new_world: Callable[[], World], shim_module: Path, tmp_path: Path) -> Iterator[Shaken]:
    own = new_world()
    shim = Shim(shim_module, own.token, tmp_path / "keys.shim")
    with office(own, token={"module": str(shim.module), "environment": shim.environment, "processes": 1}) as desk:
        try:
            yield Shaken(desk, shim, own)
        finally:
            shim.calm()


def pairs_in(shaken: Shaken, label: str) -> int:
    """Key pairs of this name in the token; the daemon may not log in meanwhile."""
    return sum(key.label == label for key in open_token(shaken.world.token.directory, shaken.world.token.label).keys)


@pytest.mark.parametrize("storage", [IN_TOKEN, WRAPPED], ids=["in the token", "wrapped"])
@pytest.mark.parametrize("fault", FAULTS, ids=[name for name, _action, _ckr in FAULTS])
def test_a_key_whose_making_was_broken_off_is_made_once_by_a_repeat(
    fault: tuple[str, Action, Ckr], storage: int, shaken: Shaken, record: Record
) -> None:
    name, action, ckr = fault
    wanted = spec("teacher", key_storage=storage)
    shaken.shim.strike(Door.SIGN, action, ckr)
    [failed] = shaken.desk.generate(wanted)
    assert reason_of(failed.status) in {"TOKEN_UNAVAILABLE", "TOKEN_REMOVED", "TOKEN_REFUSED"}
    shaken.shim.calm()
    assert sign_digests(shaken.desk.channel("school"), DIGESTS, credential_id="gvcn").results[0].status.code == 0, "signers go on"
    [made] = shaken.desk.generate(wanted)
    assert made.status.code == 0
    assert x509.load_der_x509_csr(made.certificate_request).is_signature_valid
    shaken.desk.running.stop()
    assert pairs_in(shaken, "teacher") == (1 if storage == IN_TOKEN else 0)
    record(f"key generation: {name}", client_saw=reason_of(failed.status), lost=0, extra_key_uses=0, storage=storage)


def test_a_pin_that_the_key_worker_found_wrong_is_tried_by_nobody_again(shaken: Shaken, record: Record) -> None:
    before = shaken.shim.calls(Door.LOGIN)
    shaken.world.token.pin_file.write_text("not the PIN", encoding="ascii")
    results = [shaken.desk.generate(spec(f"t{number}"))[0] for number in range(3)]
    assert {reason_of(result.status) for result in results} == {PinHeld.reason.value}
    tries = shaken.shim.calls(Door.LOGIN) - before
    assert tries == 1
    record("wrong PIN at key generation", client_saw=PinHeld.reason.value, lost=0, extra_key_uses=0, pin_tries=tries)
