"""What an operator does to tokens over gRPC and on the command line: look, release a held PIN, pause, resume; all of it journalled."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from signer.client import SignerClient
from signer.errors import InvalidArgument, PinHeld, RoleRefused, TokenNotFound
from signer.v1 import signing_pb2, signing_pb2_grpc
from tests.e2e.test_cli_lists import run
from tests.support.calls import sign_digests
from tests.support.daemon import SCHOOL, Running, World, running_daemon
from tests.support.rig import Books
from tests.support.waiting import until

NAME = "school-token"


@contextmanager
def client(world: World, daemon: Running, who: str = "operator") -> Iterator[SignerClient]:
    pki = world.pki
    with SignerClient(f"localhost:{daemon.port}", ca=pki / "tls-ca.crt", certificate=pki / f"{who}.crt", key=pki / f"{who}.key") as made:
        yield made


def test_everything_known_of_a_token_is_told(world: World, daemon: Running) -> None:
    with world.channel(daemon.port) as channel:
        assert sign_digests(channel, {"d": bytes(32)}).results[0].signature
    with client(world, daemon) as operator:
        token = operator.tokens.get(NAME)
    assert (token.state, token.label, token.pin_state, token.message, token.last_fault) == ("READY", "test", "FULL", "", None)
    assert (token.workers_ready, token.workers_configured, token.sessions_open) == (2, 2, 2)
    assert token.module == str(world.token.module_path)
    assert "SoftHSM" in token.model
    assert {"CKM_RSA_PKCS", "CKM_RSA_PKCS_PSS", "CKM_ECDSA"} <= set(token.mechanisms)
    assert "cbql" in token.credential_ids
    assert token.signatures_per_second > 0
    assert token.sign_s > 0
    shown = run(world, daemon, "tokens", "show", NAME, client="operator").stdout
    assert "none since the daemon started" in shown
    as_json = json.loads(run(world, daemon, "tokens", "show", NAME, "--json", client="operator").stdout)
    assert as_json["serial"] == token.serial


def test_a_token_nobody_configured_is_not_found_and_others_than_operators_are_refused(world: World, daemon: Running) -> None:
    with client(world, daemon) as operator:
        for call in (operator.tokens.get, operator.tokens.release_pin, operator.tokens.pause, operator.tokens.resume):
            with pytest.raises(TokenNotFound):
                call("nobody")
        with pytest.raises(InvalidArgument):
            operator.tokens.pause(NAME, "x" * 301)
    with client(world, daemon, "school") as school:
        for call in (school.tokens.get, school.tokens.release_pin, school.tokens.pause, school.tokens.resume):
            with pytest.raises(RoleRefused):
                call(NAME)
    assert run(world, daemon, "tokens", "pause", NAME).returncode == 4


def test_a_paused_token_signs_nothing_and_says_why_until_it_is_resumed(new_world: Callable[[], World]) -> None:
    world = new_world()
    documents = {"d": bytes(32)}
    with (
        running_daemon(world.config(token={"processes": 2})) as daemon,
        client(world, daemon) as operator,
        world.channel(daemon.port) as channel,
    ):
        operator.tokens.resume(NAME)
        paused = operator.tokens.pause(NAME, "vendor's update")
        assert (paused.state, paused.workers_ready, paused.sessions_open) == ("PAUSED", 0, 0)
        assert "vendor's update" in paused.message
        assert operator.tokens.pause(NAME, "again").state == "PAUSED"
        request = signing_pb2.SignDigestsRequest(
            request_id="paused", school_id=SCHOOL, credential_id="gvcn", items=[signing_pb2.DigestItem(document_id="d", digest=bytes(32))]
        )
        (result,) = signing_pb2_grpc.SigningServiceStub(channel).SignDigests(request, timeout=6).results
        assert "out of use" in result.status.message
        assert operator.tokens.resume(NAME).state in {"STARTING", "READY"}
        until(lambda: operator.tokens.get(NAME).workers_ready == 2, "every worker")
        assert sign_digests(channel, documents).results[0].signature
    notes = Books.read(f"sqlite:///{world.folder / 'journal.db'}").notes
    assert (notes["token-paused"], notes["token-resumed"]) == (2, 2)


def test_a_held_pin_is_released_once_and_read_anew(new_world: Callable[[], World]) -> None:
    world = new_world()
    pin_file = world.token.pin_file
    right = pin_file.read_text(encoding="utf-8")
    pin_file.write_text("wrong, wrong, wrong", encoding="utf-8")
    with running_daemon(world.config(token={"processes": 2})) as daemon, client(world, daemon) as operator:
        until(lambda: operator.tokens.get(NAME).state == "PIN_HELD", "the token to be held")
        with pytest.raises(PinHeld):
            operator.tokens.release_pin(NAME)
        held = operator.tokens.get(NAME)
        assert held.state == "PIN_HELD"
        assert held.last_fault is not None
        assert held.last_fault.ckr == "PinIncorrect"
        assert held.last_fault.healed_after_s is None
        operator.tokens.pause(NAME)
        assert operator.tokens.resume(NAME).state == "PIN_HELD", "a pause does not release a PIN"
        pin_file.write_text(right, encoding="utf-8")
        released = run(world, daemon, "tokens", "release-pin", NAME, "--json", client="operator")
        assert json.loads(released.stdout)["state"] == "READY"
        until(lambda: operator.tokens.get(NAME).workers_ready == 2, "every worker")
        with world.channel(daemon.port) as channel:
            assert sign_digests(channel, {"d": bytes(32)}).results[0].signature
        assert operator.tokens.release_pin(NAME).state == "READY", "nothing is held: nothing happens"
        healed = operator.tokens.get(NAME).last_fault
        assert healed is not None
        assert healed.healed_after_s is not None
    assert Books.read(f"sqlite:///{world.folder / 'journal.db'}").notes["pin-released"] == 3
