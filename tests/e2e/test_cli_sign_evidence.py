"""`signer sign --evidence` and `--shortage`, as a clerk runs them; the proofs judged by `signer evidence verify` and by others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_cli_sign import CARDS, Desk, desk_at
from tests.support import pki
from tests.support.daemon import Running, World, running_daemon
from tests.support.time_calls import others_accept
from tests.support.tsa import TsaProcess, write_identity


@pytest.fixture
def desk(world: World, daemon: Running, tmp_path: Path) -> Desk:
    return desk_at(world, daemon.port, tmp_path)


def proofs(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.er")}


def verdicts(desk: Desk, world: World, source: str) -> set[str]:
    done = desk.run("evidence", "verify", source, "--tsa-trust", world.ca_file, "--json")
    return {document["status"] for document in json.loads(done.stdout)["documents"]}


def test_every_signed_file_of_a_class_gets_its_proof_beside_it(desk: Desk, world: World, tmp_path: Path) -> None:
    source = desk.put_class()
    (source / "tổ 2").mkdir()
    (source / "tổ 2" / "z.pdf").write_bytes(CARDS["Nguyễn Văn A.pdf"])
    code, told = desk.sign("1A", "--evidence")
    assert (code, told["evidence"]["written"], told["evidence"]["error"]) == (0, 6, None)
    folder = desk.folder / "1A-signed-evidence"
    made = proofs(folder)
    assert set(made) == {*(f"{name}.er" for name in CARDS), "tổ 2/z.pdf.er"}
    assert verdicts(desk, world, "1A-signed") == {"PROVEN"}
    signed = (desk.folder / "1A-signed" / "Nguyễn Văn B.pdf").read_bytes()
    assert others_accept(made["Nguyễn Văn B.pdf.er"], signed, world, tmp_path) == 1

    code, again = desk.sign("1A", "--evidence", "--server", "localhost:1")
    assert (code, again["evidence"]["in_place"], again["evidence"]["written"]) == (0, 6, 0), "nobody is asked for what is there"
    (folder / "Nguyễn Văn C.pdf.er").unlink()
    (folder / "Nguyễn Văn D.pdf.er").write_bytes(made["Nguyễn Văn A.pdf.er"])
    code, mended = desk.sign("1A", "--evidence")
    assert (code, mended["evidence"]["in_place"], mended["evidence"]["written"]) == (0, 4, 2)
    assert proofs(folder) == made, "the same record: no further timestamp"


def test_evidence_may_be_asked_for_later_and_covers_corrected_cards(desk: Desk, world: World) -> None:
    source = desk.put_class(more={"bad.pdf": b"no PDF"})
    code, told = desk.sign("1A")
    assert (code, told["evidence"]) == (1, None)
    code, told = desk.sign("1A", "--evidence")
    assert (code, told["summary"]["skipped"], told["evidence"]["written"]) == (1, 5, 5), "the bad file has no signature to prove"
    first = proofs(desk.folder / "1A-signed-evidence")
    (source / "bad.pdf").write_bytes(CARDS["Nguyễn Văn A.pdf"])
    code, told = desk.sign("1A", "--evidence")
    assert (code, told["evidence"]["written"], told["evidence"]["in_place"]) == (0, 1, 5)
    assert first.items() <= proofs(desk.folder / "1A-signed-evidence").items(), "what has its proof keeps it"
    assert verdicts(desk, world, "1A-signed") == {"PROVEN"}
    (desk.folder / "1A-signed" / "bad.pdf").write_bytes(b"tampered")
    assert verdicts(desk, world, "1A-signed") == {"PROVEN", "ALTERED"}


def test_one_file_has_its_proof_too_and_people_read_where(desk: Desk, world: World) -> None:
    (desk.folder / "card.pdf").write_bytes(CARDS["Nguyễn Văn A.pdf"])
    done = desk.run("sign", "card.pdf", "--evidence", LANG="vi_VN.UTF-8")
    assert done.returncode == 0
    assert "Tệp bằng chứng" in done.stdout
    assert set(proofs(desk.folder / "card-signed.pdf-evidence")) == {"card-signed.pdf.er"}
    assert verdicts(desk, world, "card-signed.pdf") == {"PROVEN"}


@dataclass(frozen=True)
class Shortage:
    """A desk at a daemon whose one outside authority is down at first."""

    desk: Desk
    tsa: TsaProcess
    root: Path


@pytest.fixture
def shortage(world: World, tmp_path: Path) -> Iterator[Shortage]:
    write_identity(tmp_path / "tsa", pki.tsa())
    root = tmp_path / "tsa-root.pem"
    root.write_bytes(pki.root().pem)
    tsa = TsaProcess(tmp_path / "tsa")
    tsa.start()
    tsa.kill()
    servers = [{"name": "only", "url": tsa.url, "ca_files": [str(root)], "timeout_s": 2.0, "pause_s_max": 1.0}]
    few = {"processes": 1}
    changes: dict[str, Any] = {"token": few, "documents": few, "tsas": servers, "stamping": {"patience_s": 0, "complete_interval_s": 1.0}}
    config = world.config("cli-shortage.toml", journal={"url": f"sqlite:///{tmp_path}/journal.db"}, **changes)
    with running_daemon(config) as daemon:
        yield Shortage(desk_at(world, daemon.port, tmp_path / "desk"), tsa, root)
    tsa.kill()


def test_parked_files_come_with_the_same_command_once_there_is_a_timestamp_and_so_do_their_proofs(shortage: Shortage) -> None:
    desk = shortage.desk
    desk.put_class()
    code, told = desk.sign("1A", "--shortage", "park", "--evidence")
    assert (code, told["summary"]["failed"], told["evidence"]["written"]) == (1, 5, 0)
    assert {failure["reason"] for failure in told["failures"]} == {"TIMESTAMP_PENDING"}
    assert not list((desk.folder / "1A-signed").glob("*.pdf"))
    shortage.tsa.start()
    for _ in range(20):
        code, told = desk.sign("1A", "--shortage", "park", "--evidence")
        if code == 0:
            break
    assert (code, told["evidence"]["error"]) == (0, None)
    assert len(proofs(desk.folder / "1A-signed-evidence")) == 5
    verified = desk.run("evidence", "verify", "1A-signed", "--tsa-trust", shortage.root)
    assert verified.returncode == 0


def test_without_a_timestamp_the_files_are_signed_the_missing_proofs_told_and_brought_by_the_repeat(shortage: Shortage) -> None:
    desk = shortage.desk
    desk.put_class()
    code, told = desk.sign("1A", "--level", "b-b", "--evidence")
    assert (code, told["summary"]["signed"], told["summary"]["failed"]) == (1, 5, 0)
    assert told["evidence"]["error"]["reason"] == "TIMESTAMP_UNAVAILABLE"
    assert len(list((desk.folder / "1A-signed").glob("*.pdf"))) == 5
    shortage.tsa.start()
    code, told = desk.sign("1A", "--level", "b-b", "--evidence")
    assert (code, told["summary"]["skipped"], told["evidence"]["written"]) == (0, 5, 5)
