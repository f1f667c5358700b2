"""Three daemons on one PostgreSQL and one token behind HAProxy, killed with SIGKILL in turn while classes are signed through it.

`signer sign` goes on with another daemon by itself. Afterwards: nothing lost, nothing doubled; each id has one released signature in the
journal, and it is the one in the file that the client holds.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader

from signer.journal.entries import decode
from signer.store import open_engine
from tests.e2e.test_cli_sign import Desk, desk_at
from tests.support.daemon import World
from tests.support.postgres import cluster
from tests.support.replicas import Replicas, replicas
from tests.support.rig import FULL, Books, Record, wait_until
from tests.support.shim import Door, Shim

CLASSES = 8 if FULL else 2
ROUNDS = 4 if FULL else 1
SIGN_S = 0.15
_CLASS_S_MAX = 280.0
"""Below pytest's own limit."""


@pytest.fixture
def shim(world: World, shim_module: Path, tmp_path: Path) -> Iterator[Shim]:
    made = Shim(shim_module, world.token, tmp_path / "shim")
    yield made
    made.calm()


@pytest.fixture
def three(world: World, shim: Shim) -> Iterator[Replicas]:
    token = {"module": str(shim.module), "environment": shim.environment, "processes": 1}
    with cluster() as postgres, replicas(world, postgres.database(), token=token) as made:
        yield made
        shim.calm()


def has_gone_on(shim: Shim, seen: int, is_done: threading.Event) -> bool:
    return is_done.is_set() or len(shim.key_uses()) > seen + 3


def kill_in_turn(three: Replicas, shim: Shim, is_done: threading.Event) -> int:
    """Each daemon, once keys are in use again; one is always left. How many were killed before the work was done."""
    kills = 0
    with ThreadPoolExecutor(len(three.each)) as starting:
        coming: list[Future[None]] = []
        for replica in [*three.each] * ROUNDS:
            while len(coming) == len(three.each) - 1:
                coming.pop(0).result()
            seen = len(shim.key_uses())
            wait_until(partial(has_gone_on, shim, seen, is_done), "keys are in use")
            if is_done.is_set():
                break
            replica.kill()
            kills += 1
            coming.append(starting.submit(replica.start))
    return kills


def sign_class(desk: Desk, number: int, cards: Mapping[str, bytes]) -> tuple[int, dict[str, Any]]:
    folder = desk.folder / f"class-{number}"
    folder.mkdir()
    for name, content in cards.items():
        (folder / f"{name}.pdf").write_bytes(content)
    process = desk.start("sign", folder.name, "--credential", "cbql", "--field", "CBQL", "--request-id", f"class-{number}", "--json")
    out, err = process.communicate(timeout=_CLASS_S_MAX)
    assert out, err
    told: dict[str, Any] = json.loads(out)
    return process.returncode, told


def signature_sha256(pdf: bytes) -> str:
    [signature] = PdfFileReader(BytesIO(pdf), strict=False).embedded_signatures
    return hashlib.sha256(signature.signer_info["signature"].native).hexdigest()


def released(url: str) -> Counter[tuple[str, str]]:
    """SHA-256 of released signature values by request, the timestamps' left out."""
    with open_engine(url, must_exist=True).connect() as connection:
        rows = connection.exec_driver_sql("SELECT body FROM journal_entry WHERE kind = 'released'").all()
    entries = [decode(bytes(row[0])) for row in rows]
    return Counter((entry["request"], entry["signature"]) for entry in entries if entry["request"].startswith("class-"))


def test_daemons_killed_in_turn_lose_nothing_and_double_nothing(
    three: Replicas, shim: Shim, cards: dict[str, bytes], record: Record, tmp_path: Path
) -> None:
    is_done = threading.Event()
    desk = desk_at(three.world, three.balancer.port, tmp_path)
    shim.delay(Door.SIGN, SIGN_S)
    with ThreadPoolExecutor(CLASSES + 1) as work:
        signing = [work.submit(sign_class, desk, number, cards) for number in range(CLASSES)]
        killing = work.submit(kill_in_turn, three, shim, is_done)
        began_s = time.monotonic()
        try:
            told = [each.result() for each in signing]
        finally:
            is_done.set()
        took_s = time.monotonic() - began_s
        kills = killing.result()
    books, kept = Books.read(three.url), released(three.url)
    held = {
        number: {path.stem: path.read_bytes() for path in (desk.folder / f"class-{number}-signed").glob("*.pdf")}
        for number in range(CLASSES)
    }
    record(
        "SIGKILL of three daemons in turn, behind HAProxy",
        client_saw="nothing: signer sign went on",
        lost=CLASSES * len(cards) - sum(map(len, held.values())),
        extra_key_uses=books.extra_key_uses(shim),
        kills=kills,
        documents=CLASSES * len(cards),
        took_s=round(took_s, 1),
        c_sign=len(shim.key_uses()),
        unknown=books.counts.unknown,
        doubled=books.doubled,
    )
    assert [code for code, _told in told] == [0] * CLASSES, json.dumps(told)
    assert kills >= (2 * len(three.each) if FULL else 2)
    books.check(shim)
    assert books.counts.open == 0
    assert kept == Counter((f"class-{number}", signature_sha256(pdf)) for number, pdfs in held.items() for pdf in pdfs.values())
    assert {number: set(pdfs) for number, pdfs in held.items()} == {number: set(cards) for number in range(CLASSES)}
