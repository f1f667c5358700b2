"""The daemon's journal killed with SIGKILL at random moments, start-up included: what was acknowledged is there, nothing more was released.

A killed process loses nothing that it gave to the kernel, so this proves the order of writes and acknowledgements, and recovery; that a
commit also survives power loss is what synchronous=FULL is for.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

from signer.journal import Journal, SignatureState, verify_chain
from signer.model import SignatureKey
from signer.store import open_engine

ROUNDS = 20
LIFE_MAX_S = 0.5

VICTIM = """
import asyncio, os, sys
from hashlib import sha256
from signer.algorithms import SignatureAlgorithm
from signer.journal import Intent, Journal, Outcome, OutcomeKind
from signer.model import SignatureKey

url, round_number = sys.argv[1:]

def acknowledged(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

async def sign(journal, task):
    for number in range(100_000):
        document = f"{round_number}-{task}-{number}"
        key = SignatureKey("school", "class", document)
        digest = sha256(document.encode()).digest()
        await journal.look_up([key])
        os.write(1, f"asked {document}\\n".encode())
        attempts = await journal.intend([Intent(key, digest, "c", "k", "5a", SignatureAlgorithm.ECDSA_SHA256, digest, "digest")])
        acknowledged("intended", document)
        await journal.settle([Outcome(key, attempts[0], OutcomeKind.RELEASED, digest * 100, digest)])
        acknowledged("released", document)
        if number % 5 == 0:
            serials = await journal.reserve_serials(3)
            acknowledged("serials", serials.start, serials.stop)

async def main():
    journal = Journal(url)
    await journal.start()
    acknowledged("started")
    await asyncio.gather(*(sign(journal, task) for task in range(16)))

asyncio.run(main())
"""


def killed_in(life_s: float, url: str, round_number: int) -> list[list[str]]:
    """What a victim acknowledged before it was killed; its life is counted from the start of its journal, or of the process if negative."""
    command = [sys.executable, "-c", VICTIM, url, str(round_number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, process_group=0) as victim:
        assert victim.stdout is not None
        lines = [] if life_s < 0 else [victim.stdout.readline()]
        reader = _drain_for(victim, abs(life_s))
        os.kill(victim.pid, signal.SIGKILL)
        lines += (reader + victim.stdout.read()).splitlines(keepends=True)
        assert victim.wait() == -signal.SIGKILL, "the victim ended by itself"
    return [line.decode().split() for line in lines if line.endswith(b"\n")]


def _drain_for(victim: subprocess.Popen[bytes], seconds: float) -> bytes:
    """Read on, so that a full pipe never holds the victim still."""
    assert victim.stdout is not None
    descriptor = victim.stdout.fileno()
    os.set_blocking(descriptor, False)
    read, deadline = b"", time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            read += os.read(descriptor, 1 << 20)
        except BlockingIOError:
            time.sleep(0.002)
    os.set_blocking(descriptor, True)
    return read


async def examined(url: str, documents: set[str]) -> dict[str, tuple[SignatureState, bytes]]:
    """Open the journal as the next daemon would, and look everything up."""
    journal = Journal(url)
    await journal.start()
    counts = await journal.accounting()
    assert counts.balanced
    assert counts.open == 0
    stored = await journal.look_up([SignatureKey("school", "class", document) for document in documents])
    await journal.stop()
    with open_engine(url, must_exist=True).connect() as connection:
        verify_chain(connection)
    return {key.document_id: (each.state, each.material) for key, each in stored.items()}


def check(found: dict[str, tuple[SignatureState, bytes]], intended: set[str], released: set[str]) -> None:
    assert intended <= found.keys()
    for document in released:
        assert found[document] == (SignatureState.RELEASED, sha256(document.encode()).digest() * 100)


def test_whatever_moment_it_is_killed_all_that_was_acknowledged_is_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/journal.db"
    moments = random.Random(20260529)  # noqa: S311 (moments to die, not keys)
    asked: set[str] = set()
    intended: set[str] = set()
    released: set[str] = set()
    serials: list[int] = []
    for round_number in range(ROUNDS):
        before = set(asked)
        from_process_start = round_number % 5 == 4
        life_s = -moments.uniform(0.1, LIFE_MAX_S) if from_process_start else moments.uniform(0, LIFE_MAX_S)
        for verb, *words in killed_in(life_s, url, round_number):
            if verb == "serials":
                serials.extend(range(int(words[0]), int(words[1])))
            elif words:
                {"asked": asked, "intended": intended, "released": released}[verb].add(words[0])
        check(asyncio.run(examined(url, asked - before)), intended - before, released - before)
    check(asyncio.run(examined(url, asked)), intended, released)
    assert len(released) > ROUNDS
    assert len(serials) == len(set(serials)), "a serial number was handed out twice"
