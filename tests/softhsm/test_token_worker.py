"""The token worker as a program on a real SoftHSM token: what it finds, signs, refuses and survives."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signer.algorithms import KeyFamily, SignatureAlgorithm
from signer.errors import PinHeld, PinSourceUnreadable, Reason, SignerError, TokenRemoved, TokenUnavailable, WorkerUnavailable
from signer.tokens.mechanisms import RECIPES
from signer.tokens.wire import Ready, SignAnswer, SignCall, SignItem, SignReply
from signer.workers.process import WorkerLost, WorkerProcess, WorkerSpec
from tests.support.daemon import World
from tests.support.heard import Heard
from tests.support.token_worker import spec_of

PROC = Path("/proc")
Started = Callable[..., Awaitable[WorkerProcess]]
_numbers = itertools.count(1)


@pytest_asyncio.fixture
async def started() -> AsyncIterator[Started]:
    """Starts workers that end with the test."""
    workers: list[WorkerProcess] = []

    async def start(world: World, **changes: Any) -> WorkerProcess:
        workers.append(await WorkerProcess.start(spec_of(world, **changes)))
        return workers[-1]

    yield start
    for worker in workers:
        await worker.close()


def ready_of(worker: WorkerProcess) -> Ready:
    return msgspec.msgpack.decode(worker.ready_body, type=Ready)


def items(world: World, label: str, algorithm: SignatureAlgorithm, count: int = 1) -> list[SignItem]:
    key_id = world.token.key(label).key_id
    return [SignItem(next(_numbers), key_id, algorithm, os.urandom(algorithm.digest.size_bytes)) for _ in range(count)]


async def sign(worker: WorkerProcess, wanted: list[SignItem]) -> dict[int, SignAnswer]:
    """All answers of one call."""
    call = Heard(worker, msgspec.msgpack.encode(SignCall(wanted)))
    answers: dict[int, SignAnswer] = {}
    while (body := await call.next()) is not None:
        answers |= {answer.job_id: answer for answer in msgspec.msgpack.decode(body, type=SignReply).answers}
    return answers


async def to_the_end(call: Heard) -> None:
    while await call.next() is not None:
        pass


def verify(world: World, label: str, item: SignItem, signature: bytes) -> None:
    RECIPES[item.algorithm].verify(world.token.key(label).public_key, signature, item.digest)


async def test_ready_tells_the_token_and_every_key_with_its_certificate(started: Started, world: World) -> None:
    worker = await started(world)
    ready = ready_of(worker)
    assert (ready.label, ready.serial, ready.restored_files) == (world.token.label, world.token.serial, [])
    keys = {key.label: key for key in ready.keys}
    assert keys.keys() == {key.label for key in world.token.keys}
    assert {label for label, key in keys.items() if key.family is KeyFamily.EC} == {"ec", "ec384"}
    assert {label: keys[label].bits for label in ("gvcn", "ec", "ec384")} == {"gvcn": 2048, "ec": 256, "ec384": 384}
    for label, key in keys.items():
        known = world.token.key(label)
        assert key.public_key == known.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        assert key.certificates == ([known.certificate_der] if known.certificate_der else [])
        assert key.problems == []
    assert keys["bare"].certificates == []
    assert ready.orphan_certificates == []


@pytest.mark.parametrize("sessions", [1, 3])
async def test_every_algorithm_is_signed_in_order_and_verifies(sessions: int, started: Started, world: World) -> None:
    worker = await started(world, sessions=sessions)
    labels = {KeyFamily.RSA: "gvcn", KeyFamily.EC: "ec"}
    wanted = [item for algorithm in SignatureAlgorithm for item in items(world, labels[algorithm.family], algorithm, 3)]
    answers = await sign(worker, wanted)
    assert answers.keys() == {item.job_id for item in wanted}
    for item in wanted:
        answer = answers[item.job_id]
        assert answer.reason == ""
        verify(world, labels[item.algorithm.family], item, answer.signature)
        assert answer.sign_s > 0


async def test_two_calls_in_hand_are_both_worked_off(started: Started, world: World) -> None:
    worker = await started(world)
    first, second = items(world, "ec", SignatureAlgorithm.ECDSA_SHA256, 40), items(world, "gvcn", SignatureAlgorithm.RSA_PKCS1_SHA256, 5)
    answers = await asyncio.gather(sign(worker, first), sign(worker, second))
    assert [set(found) for found in answers] == [{item.job_id for item in first}, {item.job_id for item in second}]


async def test_an_item_that_cannot_be_signed_is_refused_alone(started: Started, world: World) -> None:
    worker = await started(world)
    good = items(world, "gvcn", SignatureAlgorithm.RSA_PKCS1_SHA256, 2)
    wrong_family = items(world, "gvcn", SignatureAlgorithm.ECDSA_SHA256)
    unknown = [SignItem(next(_numbers), b"no such key", SignatureAlgorithm.RSA_PKCS1_SHA256, bytes(32))]
    answers = await sign(worker, [good[0], *wrong_family, *unknown, good[1]])
    reasons = {job_id: answer.reason for job_id, answer in answers.items()}
    assert [reasons[item.job_id] for item in (*good, *wrong_family, *unknown)] == ["", "", "TOKEN_REFUSED", "TOKEN_REFUSED"]
    assert not answers[wrong_family[0].job_id].signature


async def test_a_digest_of_the_wrong_length_never_becomes_a_signature(started: Started, world: World) -> None:
    """The daemon checks lengths; if it did not, the check before release would."""
    worker = await started(world)
    key_id = world.token.key("gvcn").key_id
    wanted = [SignItem(next(_numbers), key_id, SignatureAlgorithm.RSA_PKCS1_SHA256, bytes(31))]
    (answer,) = (await sign(worker, wanted)).values()
    assert answer.signature == b""
    assert Reason(answer.reason) in {Reason.TOKEN_SIGNATURE_WRONG, Reason.TOKEN_REFUSED}


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"label": "nobody"}, TokenRemoved, "the module shows: 'test'"),
        ({"serial": "0000000000000000"}, TokenRemoved, "no token with label 'test' and serial"),
        ({"pin": "env:NO_SUCH_VARIABLE"}, PinSourceUnreadable, "NO_SUCH_VARIABLE"),
        ({"pin": "file:/no/such/file"}, PinSourceUnreadable, "/no/such/file"),
        ({"module": "/etc/passwd"}, TokenUnavailable, "/etc/passwd"),
    ],
    ids=["label", "serial", "variable", "file", "module"],
)
async def test_a_worker_that_cannot_log_in_says_why(changes: dict[str, Any], error: type[SignerError], words: str, world: World) -> None:
    with pytest.raises(error, match=words):
        await WorkerProcess.start(spec_of(world, **changes))


async def test_a_wrong_pin_is_refused_once_and_not_repeated_in_the_error(new_world: Callable[[], World]) -> None:
    world = new_world()
    wrong = "a-wrong-pin-that-must-not-be-told"
    world.token.pin_file.write_text(wrong, encoding="utf-8")
    with pytest.raises(PinHeld) as caught:
        await WorkerProcess.start(spec_of(world))
    assert wrong not in caught.value.message + str(caught.value.metadata)
    assert caught.value.metadata["ckr"] == "PinIncorrect"


async def test_a_spoiled_token_file_is_put_back_before_the_login_and_told(started: Started, new_world: Callable[[], World]) -> None:
    world = new_world()
    first = await started(world)
    await first.close()
    (live,) = world.token.tokens_directory.glob("*/token.object")
    live.write_bytes(b"")
    worker = await started(world)
    ready = ready_of(worker)
    assert ready.restored_files == [f"{live.parent.name}/token.object"]
    assert len(ready.keys) == len(world.token.keys)
    wanted = items(world, "seal", SignatureAlgorithm.RSA_PKCS1_SHA256)
    (answer,) = (await sign(worker, wanted)).values()
    verify(world, "seal", wanted[0], answer.signature)


async def test_workers_that_start_at_once_all_log_in(started: Started, world: World) -> None:
    """SoftHSM fails logins that collide: the start-up lock lets one in at a time."""
    workers = await asyncio.gather(*[started(world) for _ in range(6)])
    answers = await asyncio.gather(*[sign(worker, items(world, "ec", SignatureAlgorithm.ECDSA_SHA256)) for worker in workers])
    assert all(answer.signature for found in answers for answer in found.values())


async def test_a_killed_worker_leaves_the_outcome_open_and_the_token_whole(started: Started, world: World) -> None:
    worker = await started(world)
    call = Heard(worker, msgspec.msgpack.encode(SignCall(items(world, "gvcn", SignatureAlgorithm.RSA_PKCS1_SHA256, 2000))))
    assert await call.next() is not None
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(WorkerLost, match="died") as caught:
        await to_the_end(call)
    assert caught.value.error is None, "nobody says that the rest was not begun"
    assert len(ready_of(await started(world)).keys) == len(world.token.keys)


async def test_a_worker_leaves_by_itself_when_the_daemon_lets_go(started: Started, world: World) -> None:
    worker = await started(world)
    await worker.close()
    assert worker.exit_code == 0


async def test_a_worker_that_cannot_understand_its_start_is_given_up() -> None:
    with pytest.raises(WorkerUnavailable):
        await WorkerProcess.start(WorkerSpec("test#0", "signer.tokens.worker", b"\xc1", 30.0, 30.0))


async def test_the_program_shows_no_secret_to_other_users_of_the_machine(started: Started, world: World) -> None:
    worker = await started(world)
    pin = world.token.pin_file.read_text(encoding="utf-8").encode()
    shown = b"".join((PROC / str(worker.pid) / name).read_bytes() for name in ("cmdline", "environ"))
    assert b"signer.tokens.worker" in shown
    assert pin not in shown
    assert hashlib.sha256(pin).hexdigest().encode() not in shown
