"""A second vendor's software token: opencryptoki's, in namespaces of its own, and what our workers make of it.

    unshare --mount --ipc --pid --fork --kill-child python -m tests.support.swtok FOLDER

opencryptoki keeps everything at fixed places of the machine and needs its slot daemon. Inside, these places are empty file systems of this
program's, so that nothing of the machine's own is touched and everything ends with the program. Prints what it found as one JSON object.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pkcs11

from signer.algorithms import KeyKind, SignatureAlgorithm
from signer.demo.softhsm import DemoToken
from signer.formats.certificate_request import Subject, encode_name
from signer.model import KeptKey, KeyStorage
from signer.tokens.key_wire import DestroyKey, KeyAnswer, KeyOrder, MakeKey
from signer.tokens.wire import Ready, SignAnswer, SignCall, SignItem, SignReply
from signer.tokens.workshop import KeyWorkshop
from signer.workers.process import WorkerProcess, WorkerSpec
from tests.support.daemon import World
from tests.support.heard import Heard
from tests.support.token_worker import spec_of
from tests.support.waiting import until

MODULE = Path("/usr/lib/x86_64-linux-gnu/opencryptoki/libopencryptoki.so.0")
LABEL = "swtok-test"
_FIRST_SO_PIN = b"87654321"
_SO_PIN, _FIRST_PIN, _PIN = "87650000", "12340000", "70000001"
_PLACES = ("/run", "/var/lib/opencryptoki", "/dev/shm")  # noqa: S108 - where shared memory is


def prepare(folder: Path) -> None:
    """Empty places, the slot daemon, a token with PINs."""
    for place in _PLACES:
        subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
    for name in ("/run/lock/opencryptoki/swtok", "/var/lib/opencryptoki/swtok/TOK_OBJ"):
        Path(name).mkdir(parents=True)
    for root in ("/run/lock/opencryptoki", "/var/lib/opencryptoki"):
        for path in (Path(root), *Path(root).rglob("*")):
            shutil.chown(path, "root", "pkcs11")
            path.chmod(0o770)
    subprocess.run(["pkcsslotd"], check=True)
    until(Path("/run/pkcsslotd.socket").exists, "pkcsslotd")
    _initialise()
    pin = folder / "pin"
    pin.write_text(_PIN, encoding="ascii")
    pin.chmod(0o600)


def _initialise() -> None:
    library: Any = pkcs11.lib(str(MODULE))
    slot = next(slot for slot in library.get_slots(token_present=True) if b"SoftTok" in _bytes(slot.get_token().model))
    c_init_token = ctypes.CDLL(str(MODULE)).C_InitToken
    c_init_token.argtypes = [ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
    result = c_init_token(slot.slot_id, _FIRST_SO_PIN, len(_FIRST_SO_PIN), LABEL.encode().ljust(32))
    assert result == 0, hex(result)
    with slot.get_token().open(rw=True, so_pin=_FIRST_SO_PIN.decode()) as session:
        session.set_pin(_FIRST_SO_PIN.decode(), _SO_PIN)
    with slot.get_token().open(rw=True, so_pin=_SO_PIN) as session:
        session.init_pin(_FIRST_PIN)
    with slot.get_token().open(rw=True, user_pin=_FIRST_PIN) as session:
        session.set_pin(_FIRST_PIN, _PIN)
    library.finalize()


def _bytes(text: object) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode()


def spec(folder: Path, module: str = "signer.tokens.worker") -> WorkerSpec:
    """Our worker on it, named by URI."""
    nobody = World(folder, DemoToken(folder, LABEL, "", ()), folder, folder)
    changes = {"label": "", "uri": f"pkcs11:token={LABEL};model=IBM%20SoftTok", "pin": f"file:{folder / 'pin'}"}
    made = spec_of(nobody, environment={}, module=str(MODULE), softhsm_token_directory="", safe_copy_directory="", **changes)
    return WorkerSpec(made.name, module, made.start_body, made.start_s_max, made.silence_s_max, made.environment, made.inherit)


async def use(folder: Path) -> dict[str, Any]:
    """Keys made in the token by the key worker, every algorithm signed by a worker, keys destroyed."""
    workshop = KeyWorkshop("swtok", lambda: spec(folder, "signer.tokens.key_worker"))
    subject = encode_name(Subject("Nguyễn Thị Ánh (DEMO)"))
    kinds = (KeyKind.RSA_2048, KeyKind.EC_P256, KeyKind.EC_P384)
    orders: list[KeyOrder] = [MakeKey(kind.value, "1", "", KeyStorage.TOKEN, kind, kind.value.encode(), subject) for kind in kinds]
    wrapped = MakeKey("wrapped", "1", "", KeyStorage.WRAPPED, KeyKind.EC_P256, b"wrapped", subject)
    made = await workshop.carry_out([*orders, wrapped])
    kept = [answer.kept for answer in made[:-1] if isinstance(answer, KeyAnswer) and answer.kept]
    worker = await WorkerProcess.start(spec(folder))
    ready = msgspec.msgpack.decode(worker.ready_body, type=Ready)
    signed = await _sign_all(worker, kept)
    await worker.close()
    gone = await workshop.carry_out([DestroyKey(key) for key in kept])
    await workshop.close()
    return {
        "label": ready.label,
        "model": ready.model.strip(),
        "made": [answer.request.hex() if isinstance(answer, KeyAnswer) else answer.reason.value for answer in made],
        "keys": sorted(key.label for key in ready.keys),
        "signed": {name: answer.reason or "OK" for name, answer in signed.items()},
        "destroyed": sum(isinstance(answer, KeyAnswer) for answer in gone),
    }


async def _sign_all(worker: WorkerProcess, kept: list[KeptKey]) -> dict[str, SignAnswer]:
    pairs = [(key, algorithm) for key in kept for algorithm in SignatureAlgorithm if algorithm.family is key.kind.family]
    items = [
        SignItem(number, key.key_id, algorithm, os.urandom(algorithm.digest.size_bytes)) for number, (key, algorithm) in enumerate(pairs)
    ]
    call = Heard(worker, msgspec.msgpack.encode(SignCall(items, kept)))
    answers: dict[str, SignAnswer] = {}
    while (body := await call.next()) is not None:
        for answer in msgspec.msgpack.decode(body, type=SignReply).answers:
            key, algorithm = pairs[answer.job_id]
            answers[f"{key.credential_id} {algorithm.value}"] = answer
    return answers


def main() -> None:
    folder = Path(sys.argv[1])
    prepare(folder)
    print(json.dumps(asyncio.run(use(folder))))  # noqa: T201


if __name__ == "__main__":
    main()
