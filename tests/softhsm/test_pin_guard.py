"""A wrong PIN is tried exactly once: not once a process, not once a restart. Counted at the module's own door (the shim)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pkcs11 import TokenFlag

from signer.errors import PinHeld, PinLocked, PinSourceUnreadable
from signer.tokens.wire import PinCaution
from signer.v1 import admin_pb2_grpc, admin_tokens_pb2, credential_pb2, credential_pb2_grpc, timestamp_pb2
from signer.workers.process import WorkerProcess
from tests.support.calls import metric, reason_of, refused, sign_digests
from tests.support.daemon import SCHOOL, Running, World, running_daemon
from tests.support.shim import Action, Ckr, Door, Shim, build
from tests.support.time_calls import call
from tests.support.token_worker import spec_of
from tests.support.waiting import until

PROCESSES = 2


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def guarded(new_world: Callable[[], World], module: Path, tmp_path: Path) -> tuple[World, Shim]:
    """A token with several processes behind the shim."""
    world = new_world()
    return world, Shim(module, world.token, tmp_path / "state")


def config(world: World, shim: Shim, **token: Any) -> Path:
    own = {"processes": PROCESSES, "module": str(shim.module), "environment": shim.environment}
    return world.config(token=own | token, documents={"processes": 1})


def token_of(channel: grpc.Channel) -> admin_tokens_pb2.Token:
    stub = admin_pb2_grpc.AdminServiceStub(channel)
    return stub.ListTokens(admin_tokens_pb2.ListTokensRequest(), timeout=60).tokens[0]


@pytest.fixture
def connect() -> Iterator[Callable[[World, Running, str], grpc.Channel]]:
    channels: list[grpc.Channel] = []

    def make(world: World, running: Running, client: str) -> grpc.Channel:
        channels.append(world.channel(running.port, client))
        return channels[-1]

    yield make
    for channel in channels:
        channel.close()


def test_a_pin_that_turns_wrong_while_the_daemon_runs_costs_one_try(guarded: tuple[World, Shim], connect: Any) -> None:
    """Workers die and are started again: the first one that is refused holds all others, also those that die later."""
    world, shim = guarded
    with running_daemon(config(world, shim)) as running:
        school, operator = connect(world, running, "school"), connect(world, running, "operator")
        until(lambda: token_of(operator).workers_ready == PROCESSES, "every worker")
        before = shim.calls(Door.LOGIN)
        shim.strike(Door.LOGIN, Action.FAIL_BEFORE, Ckr.PIN_INCORRECT)
        workers = running.worker_pids("school-token#")
        _kill(workers[0])
        until(lambda: shim.calls(Door.LOGIN) == before + 1, "the one try")
        until(lambda: metric(running.metrics_port(), "signer_token_workers", token="school-token", state="held") >= 1, "a held place")
        assert sign_digests(school, {"d": bytes(32)}).results[0].signature, "workers that are logged in go on"
        for worker in workers[1:]:
            _kill(worker)
        until(lambda: token_of(operator).state == admin_tokens_pb2.TOKEN_STATE_PIN_HELD, "the token to be held")
        (result,) = sign_digests(school, {"d": bytes(32)}).results
        assert reason_of(result.status) == "PIN_HELD"
        request = credential_pb2.ListCredentialsRequest(school_id=SCHOOL)
        found = {one.credential_id: one for one in credential_pb2_grpc.CredentialServiceStub(school).ListCredentials(request).credentials}
        assert not found["gvcn"].usable
        assert [finding.problem for finding in found["gvcn"].findings] == [credential_pb2.CREDENTIAL_PROBLEM_TOKEN_NOT_READY]
        [authority] = call(school, "ListTimestampAuthorities").authorities
        assert authority.state == timestamp_pb2.TIMESTAMP_AUTHORITY_STATE_OPEN, "its key is on that token"
        assert "PIN" in authority.message
        assert shim.calls(Door.LOGIN) == before + 1


def test_a_locked_pin_is_told_apart_from_a_held_one(guarded: tuple[World, Shim], connect: Any) -> None:
    world, shim = guarded
    shim.strike(Door.LOGIN, Action.FAIL_BEFORE, Ckr.PIN_LOCKED)
    with running_daemon(config(world, shim)) as running:
        operator = connect(world, running, "operator")
        until(lambda: token_of(operator).state == admin_tokens_pb2.TOKEN_STATE_PIN_LOCKED, "the token to be locked")
        with refused(PinLocked):
            sign_digests(connect(world, running, "school"), {"d": bytes(32)})
        until(lambda: metric(running.metrics_port(), "signer_token_pin_state", token="school-token") == 2, "the metric")
        assert shim.calls(Door.LOGIN) == 1


async def test_a_pin_file_that_others_may_read_is_not_tried(guarded: tuple[World, Shim]) -> None:
    world, shim = guarded
    world.token.pin_file.chmod(0o644)
    with pytest.raises(PinSourceUnreadable, match="chmod 600"):
        await WorkerProcess.start(spec_of(world, module=str(shim.module), environment=shim.environment))
    assert shim.calls(Door.LOGIN) == 0


def test_a_wrong_pin_is_tried_once_by_all_processes_together_then_held_and_other_tokens_go_on(
    guarded: tuple[World, Shim], new_world: Callable[[], World], connect: Any
) -> None:
    """Two SoftHSM directories, two tokens: one's PIN is wrong, the other signs."""
    world, shim = guarded
    second = new_world()
    path = config(world, shim)
    world.token.pin_file.write_text("wrong, wrong, wrong", encoding="utf-8")
    stanza = f"""
[[tokens]]
name = "z-second"
module = "{second.token.module_path}"
label = "{second.token.label}"
pin = "file:{second.token.pin_file}"
softhsm_token_directory = "{second.token.tokens_directory}"
environment = {{ SOFTHSM2_CONF = "{second.token.conf_path}" }}

[[credentials]]
id = "second-seal"
token = "z-second"
key_label = "seal"
school = "{SCHOOL}"
"""
    path.write_text(path.read_text(encoding="utf-8") + stanza, encoding="utf-8")
    with running_daemon(path) as running:
        school, operator = connect(world, running, "school"), connect(world, running, "operator")
        for _ in range(3):
            with refused(PinHeld, token="school-token", grpcCode="FAILED_PRECONDITION"):
                sign_digests(school, {"d": bytes(32)})
        assert sign_digests(school, {"d": bytes(32)}, credential_id="second-seal").results[0].signature
        tokens = admin_pb2_grpc.AdminServiceStub(operator).ListTokens(admin_tokens_pb2.ListTokensRequest()).tokens
        held, second_one = sorted(tokens, key=lambda token: token.token_name)
        assert (held.state, held.workers_ready, held.last_fault.return_value) == (admin_tokens_pb2.TOKEN_STATE_PIN_HELD, 0, "PinIncorrect")
        assert "correct the PIN source" in held.message
        assert second_one.state == admin_tokens_pb2.TOKEN_STATE_READY
        port = running.metrics_port()
        until(lambda: metric(port, "signer_token_pin_state", token="school-token") == 1, "the metric")
        assert metric(port, "signer_token_workers", token="school-token", state="held") == PROCESSES
        assert metric(port, "signer_token_pin_state", token="z-second") == 0
        health: Any = health_pb2_grpc.HealthStub(school)
        answers = [health.Check(health_pb2.HealthCheckRequest(service=f"token/{name}")).status for name in ("school-token", "z-second")]
        assert answers == [health_pb2.HealthCheckResponse.NOT_SERVING, health_pb2.HealthCheckResponse.SERVING]
    assert shim.calls(Door.LOGIN) == 1


def set_token_flag(world: World, flag: TokenFlag) -> None:
    """Makes SoftHSM report a flag that it never sets by itself: in its own file, CKA_OS_TOKENFLAGS (type, kind 2 = number, value)."""
    (file,) = world.token.tokens_directory.glob("*/token.object")
    raw = bytearray(file.read_bytes())
    at = raw.index((0x8000_534B).to_bytes(8) + (2).to_bytes(8)) + 16
    raw[at : at + 8] = (int.from_bytes(raw[at : at + 8]) | flag).to_bytes(8)
    file.write_bytes(raw)


@pytest.mark.parametrize(
    ("flag", "error"), [(TokenFlag.USER_PIN_FINAL_TRY, PinHeld), (TokenFlag.USER_PIN_LOCKED, PinLocked)], ids=["final try", "locked"]
)
async def test_a_token_that_warns_of_its_last_try_is_not_tried(flag: TokenFlag, error: type, guarded: tuple[World, Shim]) -> None:
    world, shim = guarded
    set_token_flag(world, flag)
    with pytest.raises(error):
        await WorkerProcess.start(spec_of(world, module=str(shim.module), environment=shim.environment))
    assert shim.calls(Door.INITIALIZE) == 1
    assert shim.calls(Door.LOGIN) == 0


@pytest.mark.parametrize(
    ("caution", "flag", "is_tried"),
    [
        (PinCaution.COUNT_LOW, TokenFlag.USER_PIN_COUNT_LOW, False),
        (PinCaution.FINAL_TRY, TokenFlag.USER_PIN_COUNT_LOW, True),
        (PinCaution.FINAL_TRY, TokenFlag.USER_PIN_FINAL_TRY, False),
        (PinCaution.LOCKED, TokenFlag.USER_PIN_FINAL_TRY, True),
    ],
)
async def test_how_near_the_last_try_may_come_is_the_operators_choice(
    caution: PinCaution, flag: TokenFlag, is_tried: bool, guarded: tuple[World, Shim]
) -> None:
    world, shim = guarded
    set_token_flag(world, flag)
    spec = spec_of(world, module=str(shim.module), environment=shim.environment, pin_caution=caution)
    if is_tried:
        await (await WorkerProcess.start(spec)).close()
    else:
        with pytest.raises(PinHeld, match="release-pin"):
            await WorkerProcess.start(spec)
    assert shim.calls(Door.LOGIN) == is_tried


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
