"""Archiving while the authority, the daemon or its document workers are killed: nobody gets half a level, a repeat completes it all."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.errors import RemoteError, SignerError
from tests.support import archive, long_term, pdfs, pki
from tests.support.archive import Archive, Extended, header, start, stream
from tests.support.calls import Answers, fresh_id, intents, plan, sign_batch
from tests.support.daemon import Running, start_daemon
from tests.support.rig import Books, Record, kill, wait_until, workers
from tests.support.tsa import TsaProcess, write_identity
from tests.support.waiting import WITHIN_S

COUNT, MIDWAY = 12, 3


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with archive.archive(tmp_path_factory.mktemp("archive") / "it") as it:
        yield it


@pytest.fixture(scope="module")
def tsa(place: Archive) -> Iterator[TsaProcess]:
    """An outside authority whose certificate's status can be asked for."""
    issued = pki.issue(
        "Outside TSA (DEMO)",
        pki.rsa_key(102),
        place.authority,
        usages=(ExtendedKeyUsageOID.TIME_STAMPING,),
        extensions=place.places(),
    )
    folder = place.world.folder / "tsa"
    write_identity(folder, issued, place.authority.pem)
    made = TsaProcess(folder)
    made.start()
    yield made
    made.kill()


@pytest.fixture(scope="module")
def documents(place: Archive) -> dict[str, bytes]:
    """Signed at B-B by a teacher whose key is no token's: each needs two timestamps."""
    teacher = place.issue()
    return {f"d{number}": pdfs.signed(pdfs.report_card(number, pages=1), signer=teacher) for number in range(COUNT)}


class Rig:
    """Daemons one after the other, on one journal."""

    def __init__(self, place: Archive, tsa: TsaProcess) -> None:
        self.place = place
        server = {"name": "outside", "url": tsa.url, "ca_files": [str(place.world.root_file)], "timeout_s": 20.0, "pause_s_max": 1.0}
        self.journal = f"sqlite:///{place.world.folder / fresh_id().replace('/', '-')}.db"
        self.config = place.world.config(
            "faults.toml",
            tsas=[server],
            stamping={"patience_s": 0.2},
            journal={"url": self.journal},
            revocation={"pause_s": 0.0, "cache_s_max": 0.0},
        )
        self.running: Running = start_daemon(self.config)

    def extend(self, documents: dict[str, bytes], request_id: str, midway: Callable[[], object] | None = None) -> Extended:
        """midway: done at the third result, when half of the documents are sent and no more."""
        struck = threading.Event()

        def messages() -> Iterator[archive.Request]:
            yield header(request_id=request_id)
            for count, (name, content) in enumerate(documents.items()):
                if midway is not None and count == COUNT // 2:
                    struck.wait(WITHIN_S)
                yield start(name, content)

        def on_result(count: int) -> None:
            if midway is not None and count == MIDWAY:
                midway()
                struck.set()

        with self.place.world.channel(self.running.port) as channel:
            return stream(channel, messages(), on_result)


@pytest.fixture
def rig(place: Archive, tsa: TsaProcess) -> Iterator[Rig]:
    made = Rig(place, tsa)
    yield made
    made.running.stop()


def check(rig: Rig, documents: dict[str, bytes], done: Extended) -> None:
    """All there, all valid, and the books add up."""
    assert done.reasons() == {}
    for name, content in done.contents.items():
        assert content.startswith(documents[name])
        assert long_term.valid_now(content, pki.root().der) == [True] * 3, name
    rig.running.stop()
    books = Books.read(rig.journal)
    assert books.counts.balanced
    assert books.doubled == 0
    assert books.counts.open == 0


def test_the_authority_dies_midway_and_a_repeat_completes_the_rest(
    rig: Rig, tsa: TsaProcess, documents: dict[str, bytes], record: Record
) -> None:
    request_id = fresh_id()
    first = rig.extend(documents, request_id, tsa.kill)
    failed = first.reasons()
    assert set(failed.values()) == {"TIMESTAMP_UNAVAILABLE"}
    assert MIDWAY <= first.summary.signed == COUNT - len(failed)
    assert all(not first.contents[name] for name in failed), "no half of a level is handed out"
    tsa.start()
    time.sleep(1.0)  # the authority's pause after its failures
    done = rig.extend(documents, request_id)
    assert done.summary.replayed == first.summary.signed
    assert {name: done.contents[name] for name in documents if name not in failed} == {
        name: content for name, content in first.contents.items() if name not in failed
    }
    record("the authority dies while a class is archived", client_saw="TIMESTAMP_UNAVAILABLE", lost=0, extra_key_uses=0)
    check(rig, documents, done)


def test_the_daemon_dies_midway_and_a_repeat_completes_the_rest(rig: Rig, documents: dict[str, bytes], record: Record) -> None:
    request_id = fresh_id()

    with pytest.raises(SignerError) as seen:
        rig.extend(documents, request_id, rig.running.process.kill)
    assert isinstance(seen.value, RemoteError), seen.value
    rig.running.process.wait()
    rig.running = start_daemon(rig.config)
    done = rig.extend(documents, request_id)
    assert done.summary.replayed >= MIDWAY
    record("the daemon dies while a class is archived", client_saw=seen.value.reason.value, lost=0, extra_key_uses=0)
    check(rig, documents, done)


def test_the_daemon_dies_between_signature_and_level_and_no_key_is_used_twice(rig: Rig, record: Record) -> None:
    """CAs answer so slowly that the class is caught signed, parked, and waiting for its validation data."""
    request_id, cards = fresh_id(), {f"d{number}": pdfs.report_card(number, pages=1) for number in range(4)}
    journal = Path(rig.journal.removeprefix("sqlite:///"))
    rig.place.responder.stop()
    rig.place.shelf.delay_s = 3.0

    def sign() -> Answers:
        with rig.place.world.channel(rig.running.port) as channel:
            return sign_batch(channel, cards, plan=plan("gvcn", archive.LTA), request_id=request_id)

    def broken() -> None:
        with pytest.raises(SignerError):
            sign()

    signing = threading.Thread(target=broken)
    signing.start()
    wait_until(lambda: parked(journal) == len(cards), "the class is parked")
    rig.running.process.send_signal(signal.SIGKILL)
    signing.join()
    rig.running.process.wait()
    rig.place.shelf.delay_s = 0.0
    rig.place.serve()
    rig.running = start_daemon(rig.config)
    done = sign()
    assert done.reasons() == {}
    assert sorted(intents(journal, request_id)) == sorted(cards), "one intent a document: one key use"
    for content in done.contents.values():
        assert long_term.valid_now(content, pki.root().der) == [True, True]
    record("the daemon dies between signature and level", client_saw="SERVICE_UNREACHABLE", lost=0, extra_key_uses=0)


def parked(journal: Path) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT count(*) FROM signature WHERE state = 'parked'").fetchone()[0])


def test_document_workers_die_midway_and_nobody_notices(rig: Rig, documents: dict[str, bytes], record: Record) -> None:
    def killed() -> None:
        killed_now = [kill(pid) for pid in workers(rig.running.process.pid, "signer.documents.worker")]
        assert any(killed_now)

    done = rig.extend(documents, fresh_id(), killed)
    record("document workers die while a class is archived", client_saw="OK", lost=0, extra_key_uses=0)
    check(rig, documents, done)
