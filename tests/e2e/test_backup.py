"""docs/backup.md done: the database copied while a class is signed, and another machine that goes on from the copy."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from signer.errors import VerificationFailed
from signer.journal import verify_chain
from signer.store import open_engine
from tests.e2e.test_audit import JOURNAL_KEY, ORIGIN, client
from tests.support.calls import sign_digests
from tests.support.daemon import World, running_daemon
from tests.support.postgres import OWNER, Cluster, Database, binary, cluster
from tests.support.worlds import copy_of

DIGESTS = {f"pupil-{number}": hashlib.sha256(b"%d" % number).digest() for number in range(20)}
CHECKPOINTS = {"credential": "journal", "origin": ORIGIN, "interval_s": 3600}


def configured(world: World, url: str = "sqlite:///journal.db") -> Path:
    secret = world.folder / "activation.secret"
    secret.touch(0o600)
    secret.write_text("shared by everybody who goes on with this journal", encoding="utf-8")
    return world.config(
        activation={"secrets": [f"file:{secret}"]},
        journal={"url": url, "checkpoints": CHECKPOINTS},
        credentials=[JOURNAL_KEY],
        clients=[{"id": "auditor", "common_name": "unlisted", "kind": "auditor"}],
    )


def copied(database: Path, to: Path) -> None:
    """As the page has it."""
    with contextlib.closing(sqlite3.connect(database)) as source:
        source.execute("VACUUM INTO ?", (str(to),))


def test_a_copy_made_while_signing_goes_on_elsewhere_with_the_same_log(pristine_world: World, tmp_path: Path) -> None:
    first, second = copy_of(pristine_world, tmp_path / "first"), copy_of(pristine_world, tmp_path / "second")
    copy = tmp_path / "copy.db"
    with (
        running_daemon(configured(first)) as running,
        first.channel(running.port) as channel,
        client(first, running, "unlisted") as auditor,
    ):
        signed = sign_digests(channel, DIGESTS, request_id="before", credential_id="cbql")
        kept = auditor.audit.checkpoint(make=True)
        stop = threading.Event()
        goes_on = threading.Thread(target=_sign_until, args=(channel, stop))
        goes_on.start()
        try:
            copied(first.folder / "journal.db", copy)
        finally:
            stop.set()
            goes_on.join()
        sign_digests(channel, DIGESTS, request_id="after", credential_id="cbql")
        lost = auditor.audit.checkpoint(make=True)
    with open_engine(f"sqlite:///{copy}", must_exist=True).connect() as connection:
        verify_chain(connection, {kept.checkpoint.size: kept.checkpoint.root})
    shutil.copy(copy, second.folder / "journal.db")
    with (
        running_daemon(configured(second)) as running,
        second.channel(running.port) as channel,
        client(second, running, "unlisted") as auditor,
    ):
        again = sign_digests(channel, DIGESTS, request_id="before", credential_id="cbql")
        assert [each.signature for each in again.results] == [each.signature for each in signed.results]
        assert all(each.replayed for each in again.results), "no key was used for what the copy knows"
        auditor.audit.checkpoint(make=True)
        assert auditor.audit.require_consistent(kept.note).checkpoint.size > kept.checkpoint.size
        with contextlib.suppress(VerificationFailed):  # what was signed after the copy is told as cut off, or as another past
            auditor.audit.require_consistent(lost.note)
            raise AssertionError("a witness was not told what the restore forgot")


def test_a_dump_made_while_signing_goes_on_elsewhere_with_the_same_log(pristine_world: World, tmp_path: Path) -> None:
    with cluster() as server:
        before, after = server.database(), server.database()
        first = copy_of(pristine_world, tmp_path / "first")
        with (
            running_daemon(configured(first, before.url)) as running,
            first.channel(running.port) as channel,
            client(first, running, "unlisted") as auditor,
        ):
            signed = sign_digests(channel, DIGESTS, request_id="before", credential_id="cbql")
            kept = auditor.audit.checkpoint(make=True)
            dumped(
                server, before, server.folder / "dump", lambda: sign_digests(channel, DIGESTS, request_id="meanwhile", credential_id="cbql")
            )
        restored(server, after, server.folder / "dump")
        second = copy_of(pristine_world, tmp_path / "second")
        with (
            running_daemon(configured(second, after.url)) as running,
            second.channel(running.port) as channel,
            client(second, running, "unlisted") as auditor,
        ):
            again = sign_digests(channel, DIGESTS, request_id="before", credential_id="cbql")
            assert [each.signature for each in again.results] == [each.signature for each in signed.results]
            assert all(each.replayed for each in again.results)
            sign_digests(channel, DIGESTS, request_id="after", credential_id="cbql")
            auditor.audit.checkpoint(make=True)
            assert auditor.audit.require_consistent(kept.note).checkpoint.size > kept.checkpoint.size
        with open_engine(after.url).connect() as connection:
            verify_chain(connection, {kept.checkpoint.size: kept.checkpoint.root})
            with pytest.raises(DBAPIError, match="append-only"):
                connection.exec_driver_sql("DELETE FROM journal_entry")


def dumped(server: Cluster, database: Database, to: Path, meanwhile: Callable[[], object]) -> None:
    """As the page has it, over the socket."""
    where = [f"--host={server.folder}", f"--port={server.port}", f"--username={OWNER}", f"--file={to}", database.name]
    with subprocess.Popen([binary("pg_dump"), "--format=custom", *where]) as dump:
        meanwhile()
        assert dump.wait() == 0


def restored(server: Cluster, database: Database, dump: Path) -> None:
    where = [f"--host={server.folder}", f"--port={server.port}", "--username=postgres", f"--dbname={database.name}", str(dump)]
    subprocess.run([binary("pg_restore"), "--exit-on-error", "--no-owner", f"--role={OWNER}", *where], check=True)


def _sign_until(channel: object, stop: threading.Event) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        sign_digests(channel, {"pupil": DIGESTS["pupil-0"]}, request_id=f"meanwhile-{number}", credential_id="cbql")  # type: ignore[arg-type]
