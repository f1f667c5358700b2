"""The fault rig: a daemon on a SoftHSM token behind the shim, and what its journal says once it is down."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from signer.journal import Accounting, accounting, verify_chain
from signer.journal.entries import INTENT, NOTE, decode
from signer.model import Level
from signer.store import open_engine
from signer.validation.pdf import verify_pdf
from signer.validation.report import Indication
from signer.validation.trust import TrustAnchors
from tests.support.batch import Delivery
from tests.support.daemon import Running, World, start_daemon
from tests.support.nursery import Prepare, unprepared
from tests.support.shim import Shim
from tests.support.waiting import WITHIN_S, until

FULL = os.environ.get("SIGNER_FAULTS", "") == "full"
"""`make faults` runs the long forms."""
only_full = pytest.mark.skipif(not FULL, reason="a longer form of its neighbour: make faults")
Record = Callable[..., None]
"""The fixture `record`: writes one line of the fault report."""
_DIGEST_BYTES = 32
_TIMESTAMP_PLAN = "rfc3161"


@dataclass(frozen=True, slots=True)
class Books:
    """A journal, read and verified after its daemon ended.

    intents: by digest, its last 32 bytes. documents: the digests among them that are documents', not timestamps'. released: outcomes by
    request and document; signatures: the SHA-256 of what each released, in hexadecimal. notes: by kind.
    """

    counts: Accounting
    entries: int
    intents: Counter[bytes]
    documents: frozenset[bytes]
    released: Counter[tuple[str, str]]
    signatures: dict[tuple[str, str], str]
    notes: Counter[str]

    @classmethod
    def read(cls, url: str) -> Books:
        """JournalDamaged when the chain is broken."""
        with open_engine(url, must_exist=True).connect() as connection:
            report = verify_chain(connection)
            counts = accounting(connection)
            rows = connection.exec_driver_sql("SELECT body FROM journal_entry ORDER BY entry_index").all()
        entries = [decode(bytes(row[0])) for row in rows]
        released = [entry for entry in entries if entry["kind"] == "released"]
        return cls(
            counts=counts,
            entries=report.entries,
            intents=Counter(_digest(entry) for entry in entries if entry["kind"] == INTENT),
            documents=frozenset(_digest(entry) for entry in entries if entry["kind"] == INTENT and entry["plan"] != _TIMESTAMP_PLAN),
            released=Counter((entry["request"], entry["document"]) for entry in released),
            signatures={(entry["request"], entry["document"]): entry["signature"] for entry in released},
            notes=Counter(entry["note"] for entry in entries if entry["kind"] == NOTE),
        )

    def extra_key_uses(self, shim: Shim) -> int:
        """C_Sign calls that no intent of the same digest accounts for."""
        return (shim.digests() - self.intents).total()

    def document_key_uses(self, shim: Shim, *, after_ns: int = 0) -> int:
        """C_Sign calls for documents, begun after a moment of time.monotonic_ns()."""
        return sum(use.digest in self.documents and use.at_ns > after_ns for use in shim.key_uses())

    @property
    def doubled(self) -> int:
        """Signatures released more than once."""
        return sum(count > 1 for count in self.released.values())

    def check(self, shim: Shim) -> None:
        """What must hold after any fault."""
        assert self.counts.balanced
        assert self.extra_key_uses(shim) == 0, "a key was used without an intent"
        assert len(shim.key_uses()) <= self.counts.intents
        assert self.doubled == 0, "a signature was released twice"


def _digest(intent: Mapping[str, Any]) -> bytes:
    return bytes.fromhex(intent["digest"])[-_DIGEST_BYTES:]


class Rig:
    """Daemons, one after the other, on one token and one journal."""

    def __init__(self, world: World, shim: Shim, name: str) -> None:
        self.world = world
        self.shim = shim
        self.name = name
        self.journal_url = f"sqlite:///{world.folder / name}.db"
        self.running: Running | None = None

    def config(self, *, token: Mapping[str, Any] | None = None, journal: Mapping[str, Any] | None = None, **changes: Any) -> Path:
        """Writes the configuration: the world's, with the shim as the token's module and a journal of the rig's own."""
        if not self.journal_url.startswith("sqlite:"):
            secret = self.world.folder / f"{self.name}.secret"
            secret.touch(mode=0o600)
            secret.write_text("0123456789abcdef" * 4, encoding="ascii")
            changes = {"activation": {"secrets": [f"file:{secret}"]}} | changes
        shimmed = {"module": str(self.shim.module), "environment": self.shim.environment, "processes": 2} | dict(token or {})
        return self.world.config(f"{self.name}.toml", token=shimmed, journal={"url": self.journal_url} | dict(journal or {}), **changes)

    @contextlib.contextmanager
    def daemon(self, **changes: Any) -> Iterator[Running]:
        """A daemon while the block runs; ended in order if it still runs then."""
        running = self.start(**changes)
        try:
            yield running
        finally:
            self.shim.calm()
            running.stop()

    def start(self, *, environment: Mapping[str, str] | None = None, prepare: Prepare = unprepared, **changes: Any) -> Running:
        """A daemon that the caller ends."""
        self.running = start_daemon(self.config(**changes), environment=environment, prepare=prepare)
        return self.running

    def channel(self) -> grpc.Channel:
        """To the daemon that runs now."""
        assert self.running is not None
        return self.world.channel(self.running.port)

    def books(self) -> Books:
        """The journal; the daemon must be down."""
        return Books.read(self.journal_url)


def workers(parent_pid: int, module: str = "signer.tokens.worker") -> list[int]:
    """Worker processes of a process, those that still start included."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text(encoding="utf-8", errors="replace").rsplit(") ", 1)[1].split()[1])
            if parent == parent_pid and module.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def kill(pid: int) -> bool:
    """SIGKILL; False when the process had gone already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool], what: str, within_s: float = WITHIN_S) -> float:
    """`until`, in finer steps; how long it took, in seconds."""
    return until(condition, what, within_s, poll_s=0.01)


def wait_until_quiet(shim: Shim, quiet_s: float) -> None:
    """Returns once no key has been used for so long."""

    def is_quiet() -> bool:
        uses = shim.key_uses()
        return not uses or time.monotonic_ns() - uses[-1].at_ns > quiet_s * 1e9

    wait_until(is_quiet, "no key is used any more")


def wait_until_ready(daemon: Running, count: int = 2) -> float:
    """Waits until so many token workers serve; how long it took, in seconds."""
    return wait_until(lambda: len(daemon.worker_pids("school-token")) >= count, "the token's workers serve")


def verified(delivery: Delivery, world: World, level: Level = Level.B_T) -> list[str]:
    """Problems that our own verification (pyHanko) finds in what was delivered."""
    trust = TrustAnchors(*[(load_pem_x509_certificate(world.root_file.read_bytes()).public_bytes(Encoding.DER),)] * 2)
    problems = []
    for document_id, content in delivery.signed_files().items():
        report = verify_pdf(content, trust)
        fine = report.indication is Indication.TOTAL_PASSED and [signature.level for signature in report.signatures] == [level]
        if not fine:
            problems.append(f"{document_id}: {report}")
    return problems


def pdfsig_refusals(delivery: Delivery, folder: Path, signatures: int = 1) -> list[str]:
    """Documents in which pdfsig does not find exactly so many signatures, all of them valid."""
    folder.mkdir(parents=True, exist_ok=True)
    refused = []
    for document_id, content in delivery.signed_files().items():
        path = folder / f"{delivery.request_id}-{document_id}.pdf"
        path.write_bytes(content)
        said = subprocess.run(["pdfsig", "-nocert", str(path)], capture_output=True, text=True, check=False).stdout
        if said.count("Signature Validation: Signature is Valid.") != signatures or said.count("Signature #") != signatures:
            refused.append(f"{document_id}: {said}")
        path.unlink()
    return refused
