"""`signer sign --queue` and `signer batches` against the real daemon, as a school types them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_cli_lists import run
from tests.support import pdfs
from tests.support.daemon import SCHOOL, Running, World, running_daemon
from tests.support.waiting import until

SIGN = ("--school", SCHOOL, "--credential", "gvcn", "--level", "b-b", "--field", "GVCN", "--queue")


@pytest.fixture(scope="module")
def queue_daemon(world: World) -> Iterator[Running]:
    with running_daemon(world.config("queue-cli.toml", journal={"url": "sqlite:///queue-cli.db"}, queue={})) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "lớp 5A"
    made.mkdir()
    for number in range(3):
        (made / f"Nguyễn Văn {number}.pdf").write_bytes(pdfs.report_card(number, pages=1))
    return made


def _later_today() -> str:
    """Hours of Vietnam's day that begin in three hours."""
    start = datetime.now(timezone(timedelta(hours=7))) + timedelta(hours=3)
    return f"{start:%H:%M}-{start + timedelta(hours=1):%H:%M}"


def batches(world: World, daemon: Running, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    done = run(world, daemon, "batches", *arguments, "--school", SCHOOL, "--json")
    assert done.returncode == code, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["batches"]
    return found


def test_the_same_command_hands_over_and_later_fetches_every_file(world: World, queue_daemon: Running, folder: Path) -> None:
    first = run(world, queue_daemon, "sign", str(folder), *SIGN, "--label", "5A")
    assert first.returncode in {0, 5}, first.stderr
    until(lambda: batches(world, queue_daemon, "list")[0]["state"] == "completed", "the batch to be signed")
    done = run(world, queue_daemon, "sign", str(folder), *SIGN, "--label", "5A", "--json")
    assert done.returncode == 0, done.stderr
    signed = sorted(path.name for path in folder.with_name("lớp 5A-signed").glob("*.pdf"))
    assert signed == sorted(path.name for path in folder.glob("*.pdf"))
    (batch, *_others) = batches(world, queue_daemon, "list", "--state", "completed")
    assert (batch["label"], batch["signed"], batch["left"]) == ("5A", 3, 0)
    assert run(world, queue_daemon, "sign", str(folder), *SIGN, "--label", "5A").returncode == 0


def test_a_batch_is_held_for_the_night_watched_paused_resumed_cancelled_and_fetched(
    world: World, queue_daemon: Running, folder: Path, tmp_path: Path
) -> None:
    held = run(world, queue_daemon, "sign", str(folder), *SIGN, "--until", "2099-01-01T00:00")
    assert held.returncode == 2, "later than the appliance allows"
    waits = run(world, queue_daemon, "sign", str(folder), *SIGN, "--fresh", "--between", _later_today())
    assert waits.returncode == 5
    assert "Run the same command again" in waits.stderr
    batch = batches(world, queue_daemon, "list")[0]["batch_id"]
    assert batches(world, queue_daemon, "pause", batch)[0]["state"] == "paused"
    assert batches(world, queue_daemon, "resume", batch)[0]["state"] in {"queued", "running", "waiting"}
    assert batches(world, queue_daemon, "cancel", batch)[0]["state"] == "cancelled"
    watched = run(world, queue_daemon, "batches", "watch", batch, "--school", SCHOOL)
    assert (watched.returncode, "cancelled" in watched.stderr) == (1, True)
    assert batches(world, queue_daemon, "fetch", batch, "--out", str(tmp_path / "out"), code=1)[0]["failed"] == 3
    missing = run(world, queue_daemon, "batches", "cancel", "nothing", "--school", SCHOOL)
    assert missing.returncode == 4
    assert "signer batches list" in missing.stderr


def test_what_other_software_submitted_is_fetched_by_document_ids(
    world: World, queue_daemon: Running, folder: Path, tmp_path: Path
) -> None:
    run(world, queue_daemon, "sign", str(folder), *SIGN)
    batch = batches(world, queue_daemon, "list")[0]["batch_id"]
    until(lambda: batches(world, queue_daemon, "list")[0]["state"] == "completed", "the batch to be signed")
    batches(world, queue_daemon, "fetch", batch, "--out", str(tmp_path / "out"))
    assert len(list((tmp_path / "out").glob("*.pdf"))) == 3
    assert batches(world, queue_daemon, "fetch", batch, "--out", str(tmp_path / "again"), code=1)


def test_options_of_the_queue_need_it(world: World, queue_daemon: Running, folder: Path) -> None:
    assert run(world, queue_daemon, "sign", str(folder), *SIGN[:-1], "--between", "22:00-05:00").returncode == 2
    assert run(world, queue_daemon, "sign", str(folder), *SIGN, "--between", "night").returncode == 2
