"""`signer sign` as a person or a script runs it, against the real daemon."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm

from tests.support import pdfs
from tests.support.daemon import OTHER_SCHOOL, SCHOOL, Running, World, running_daemon
from tests.support.looks import text_of
from tests.support.nursery import command
from tests.support.proxy import Proxy
from tests.support.waiting import until

CARDS = {f"Nguyễn Văn {letter}.pdf": pdfs.report_card(number, pages=1) for number, letter in enumerate("ABCDE")}


@dataclass(frozen=True)
class Desk:
    """Where school software's command line works. run: `signer VERB ARGUMENTS` to its end; a cold start where the environment differs."""

    folder: Path
    environment: Mapping[str, str]

    def start(self, *arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "signer", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd=self.folder,
            env={**self.environment, **environment},
        )

    def run(self, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        if not environment:
            return command([str(argument) for argument in arguments], self.environment, self.folder)
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=90)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def sign(self, *arguments: str | Path, **environment: str) -> tuple[int, dict[str, Any]]:
        """Exit code and JSON of `signer sign`."""
        done = self.run("sign", *arguments, "--json", **environment)
        assert done.stdout, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        assert told["exit_code"] == done.returncode
        return done.returncode, told

    def put_class(self, name: str = "1A", more: Mapping[str, bytes] = MappingProxyType({})) -> Path:
        folder = self.folder / name
        folder.mkdir()
        for file, content in {**CARDS, **more}.items():
            (folder / file).write_bytes(content)
        return folder


def desk_at(world: World, port: int, folder: Path, client: str = "school") -> Desk:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("SIGNER_", "LC_", "LANG"))}
    (folder / "signer").mkdir(parents=True)
    (folder / "signer" / "client.toml").write_text(
        f'server = "localhost:{port}"\nca = "{world.pki}/tls-ca.crt"\ncertificate = "{world.pki}/{client}.crt"\n'
        f'key = "{world.pki}/{client}.key"\nschool = "{SCHOOL}"\ncredential = "gvcn"\n',
        encoding="utf-8",
    )
    root = str(Path(__file__).parents[2])
    return Desk(folder, {**plain, "XDG_CONFIG_HOME": str(folder), "PYTHONPATH": root, "LANG": "C.UTF-8"})


@pytest.fixture
def desk(world: World, daemon: Running, tmp_path: Path) -> Desk:
    return desk_at(world, daemon.port, tmp_path)


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.pdf")}


def test_a_class_is_signed_verified_and_left_alone_the_second_time(desk: Desk, world: World) -> None:
    source = desk.put_class()
    before = hashes(source)
    code, told = desk.sign("1A", "--field", "GVCN", "--reason", "Xác nhận")
    assert (code, told["summary"]["signed"], told["summary"]["failed"]) == (0, 5, 0)
    signed = hashes(desk.folder / "1A-signed")
    assert {file["file"]: file["signed_sha256"] for file in told["files"]} == signed
    assert hashes(source) == before
    verified = desk.run("verify", "1A-signed", "--trust", world.root_file)
    assert (verified.returncode, verified.stdout.count("TOTAL_PASSED")) == (0, 5)
    assert "GVCN" in verified.stdout
    code, again = desk.sign("1A", "--field", "GVCN", "--reason", "Xác nhận")
    assert (code, again["summary"]["skipped"], again["summary"]["signed"], again["request_id"]) == (0, 5, 0, told["request_id"])
    assert hashes(desk.folder / "1A-signed") == signed


def test_bad_files_fail_alone_and_the_table_says_what_to_do(desk: Desk) -> None:
    desk.put_class(
        more={
            "empty.pdf": b"",
            "[red]letter\x1b[2J.pdf": b"Dear parents",
            "locked.pdf": pdfs.encrypted(CARDS["Nguyễn Văn A.pdf"], user="x"),
        }
    )
    english = desk.run("sign", "1A", "--out", "en")
    vietnamese = desk.run("sign", "1A", "--out", "vi", LANG="vi_VN.UTF-8")
    for done in (english, vietnamese):
        assert done.returncode == 1
        assert "DOCUMENT_EMPTY" in done.stdout
        assert "DOCUMENT_NOT_PDF" in done.stdout
        assert "DOCUMENT_ENCRYPTED" in done.stdout
        assert "[red]letter" in done.stdout
        assert "\x1b" not in done.stdout + done.stderr
    assert "Next step" in english.stdout
    assert "Việc cần làm" in vietnamese.stdout
    assert "mật khẩu" in vietnamese.stdout
    assert set(hashes(desk.folder / "en")) == set(CARDS)
    code, told = desk.sign("1A", "--out", "en")
    assert (code, told["summary"]["skipped"], told["summary"]["failed"]) == (1, 5, 3)
    assert {failure["reason"] for failure in told["failures"]} == {"DOCUMENT_EMPTY", "DOCUMENT_NOT_PDF", "DOCUMENT_ENCRYPTED"}


def test_a_class_is_signed_visibly_and_another_look_is_another_request(desk: Desk, tmp_path: Path) -> None:
    desk.put_class()
    look = ("--visible-style", "person", "--visible-rectangle", "-1,400,90,180,70", "--visible-line", "Nguyễn Thị Lan")
    code, told = desk.sign("1A", *look, "--visible-line", "Giáo viên chủ nhiệm")
    assert (code, told["summary"]["signed"]) == (0, 5)
    for path in (desk.folder / "1A-signed").glob("*.pdf"):
        text = text_of(path.read_bytes(), tmp_path)
        assert "Nguyễn Thị Lan Giáo viên chủ nhiệm" in text
    code, again = desk.sign("1A", *look, "--visible-line", "Giáo viên chủ nhiệm")
    assert (code, again["summary"]["skipped"]) == (0, 5)
    other = desk.run("sign", "1A", *look)
    assert (other.returncode, "--visible was" in other.stderr) == (2, True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--visible-line", "x"), "need --visible-style"),
        (("--visible-style", "person", "--visible-rectangle", "1,2,3"), "PAGE,X,Y,WIDTH,HEIGHT"),
        (("--visible-style", "person", "--visible-rectangle", "one,2,3,4,5"), "PAGE,X,Y,WIDTH,HEIGHT"),
        (("--visible-style", "person", "--visible-beside", "GVCN"), "--visible-offset go together"),
        (("--visible-style", "person", "--visible-beside", "GVCN", "--visible-offset", "1,2,3"), "DX,DY,WIDTH,HEIGHT"),
        (("--lock", "all", "--locked-field", "GVCN"), "--locked-field goes with"),
        (("--lock", "include"), "--locked-field goes with"),
    ],
)
def test_visible_options_without_sense_are_refused_before_the_daemon_is_asked(options: tuple[str, ...], words: str, desk: Desk) -> None:
    desk.put_class()
    done = desk.run("sign", "1A", *options, "--server", "localhost:1")
    assert (done.returncode, words in done.stderr) == (2, True)


def test_a_class_is_certified_locked_and_shown_beside_a_text(desk: Desk, tmp_path: Path) -> None:
    desk.put_class()
    look = ("--visible-style", "person", "--visible-beside", "mark 10", "--visible-occurrence", "0", "--visible-offset", "0,-75,180,70")
    options = (
        *look,
        "--visible-line",
        "Nguyễn Thị Lan",
        "--field",
        "GVCN",
        "--certify",
        "fill-forms",
        "--lock",
        "exclude",
        "--locked-field",
        "CBQL",
    )
    code, told = desk.sign("1A", *options)
    assert (code, told["summary"]["signed"]) == (0, 5)
    for path in (desk.folder / "1A-signed").glob("*.pdf"):
        first = PdfFileReader(BytesIO(path.read_bytes())).embedded_signatures[0]
        assert (first.docmdp_level, first.fieldmdp.fields) == (MDPPerm.FILL_FORMS, ["CBQL"])
        assert "Nguyễn Thị Lan" in text_of(path.read_bytes(), tmp_path)
    changed = desk.run("sign", "1A", *options[:-4])
    assert (changed.returncode, "--lock was" in changed.stderr) == (2, True)


def test_a_corrected_card_is_signed_anew_and_the_others_are_not(desk: Desk) -> None:
    source = desk.put_class()
    desk.sign("1A")
    first = hashes(desk.folder / "1A-signed")
    (source / "Nguyễn Văn B.pdf").write_bytes(pdfs.report_card(77, pages=1))
    code, told = desk.sign("1A")
    assert (code, told["summary"]["signed"], told["summary"]["skipped"]) == (0, 1, 4)
    second = hashes(desk.folder / "1A-signed")
    assert {name for name in first if first[name] != second[name]} == {"Nguyễn Văn B.pdf"}


def test_an_output_that_somebody_changed_is_not_overwritten_unless_told_to(desk: Desk) -> None:
    desk.put_class()
    desk.sign("1A")
    output = desk.folder / "1A-signed" / "Nguyễn Văn C.pdf"
    output.write_bytes(b"annotated")
    refused = desk.run("sign", "1A")
    assert refused.returncode == 2
    assert "--fresh" in refused.stderr
    assert output.read_bytes() == b"annotated"
    code, told = desk.sign("1A", "--fresh")
    assert (code, told["summary"]["signed"]) == (0, 5)


def test_three_signatures_of_three_people_go_from_folder_to_folder(desk: Desk, world: World) -> None:
    desk.put_class("0")
    for number, (credential, field) in enumerate([("gvcn", "GVCN"), ("cbql", "CBQL"), ("seal", "KY_PHAT_HANH")]):
        code, _ = desk.sign(f"{number}", "--out", f"{number + 1}", "--credential", credential, "--field", field, "--level", "b-b")
        assert code == 0
    verified = desk.run("verify", "3", "--trust", world.root_file, "--json")
    assert verified.returncode == 0
    for file in json.loads(verified.stdout)["files"]:
        assert [signature["name"] for signature in file["signatures"]] == ["GVCN", "CBQL", "KY_PHAT_HANH"]


def test_one_file_is_signed_beside_itself_and_never_over_itself(desk: Desk) -> None:
    card = desk.folder / "card.pdf"
    card.write_bytes(CARDS["Nguyễn Văn A.pdf"])
    code, told = desk.sign("card.pdf", "--level", "b-b")
    assert (code, told["output"]) == (0, "card-signed.pdf")
    assert (desk.folder / "card-signed.pdf").read_bytes().startswith(card.read_bytes())
    assert desk.run("sign", "card.pdf", "--out", "card.pdf").returncode == 2
    assert card.read_bytes() == CARDS["Nguyễn Văn A.pdf"]


def signed_or_ended(process: subprocess.Popen[str], folder: Path, count: int) -> None:
    until(lambda: len(list(folder.glob("*.pdf"))) >= count or process.poll() is not None, f"{count} signed files", poll_s=0.005)


def test_killed_at_any_moment_the_same_command_finishes_the_class(world: World, new_world: Callable[[], World], tmp_path: Path) -> None:
    del world
    own = new_world()
    with running_daemon(own.config(limits={"batch_in_flight_documents": 1})) as daemon:
        desk = desk_at(own, daemon.port, tmp_path)
        desk.put_class(more={f"{number}.pdf": pdfs.report_card(number, pages=1) for number in range(45)})
        interrupted = 0
        for wanted in (1, 12, 25):
            process = desk.start("sign", "1A")
            signed_or_ended(process, desk.folder / "1A-signed", wanted)
            process.send_signal(signal.SIGINT if wanted == 12 else signal.SIGKILL)
            _, err = process.communicate(timeout=60)
            interrupted += process.returncode != 0
            if wanted == 12 and process.returncode:
                assert (process.returncode, "run the same command again" in err) == (130, True)
        assert interrupted
        code, told = desk.sign("1A")
        assert code == 0
        assert told["summary"]["skipped"] + told["summary"]["signed"] + told["summary"]["replayed"] == 50
        assert told["summary"]["skipped"] > 0
        verified = desk.run("verify", "1A-signed", "--trust", own.root_file)
        assert (verified.returncode, "50 files, 50 passed" in verified.stdout) == (0, True)
        assert not list((desk.folder / "1A-signed").glob("*.partial"))


def test_a_connection_that_breaks_is_made_anew_and_told_in_one_line(world: World, new_world: Callable[[], World], tmp_path: Path) -> None:
    del world
    own = new_world()
    with running_daemon(own.config(limits={"batch_in_flight_documents": 1})) as daemon, Proxy(daemon.port) as proxy:
        desk = desk_at(own, proxy.port, tmp_path)
        desk.put_class(more={f"{number}.pdf": pdfs.report_card(number, pages=1) for number in range(45)})
        proxy.cut_after(60_000)
        done = desk.run("sign", "1A", "--lang", "en")
        assert done.returncode == 0, done.stdout
        assert proxy.connections >= 2
        assert "trying again" in done.stderr
        assert len(hashes(desk.folder / "1A-signed")) == 50


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--school", OTHER_SCHOOL], 4, "SCHOOL_NOT_FOUND"),
        (["--credential", "nobody"], 4, "CREDENTIAL_NOT_FOUND"),
        (["--credential", "expired"], 4, "CERTIFICATE_EXPIRED"),
        (["--server", "localhost:1", "--connect-timeout", "0.2"], 3, "SERVICE_UNREACHABLE"),
        (["--algorithm", "md5"], 2, "INVALID_ARGUMENT"),
    ],
)
def test_a_request_refused_as_a_whole_has_a_code_of_its_own_and_writes_nothing(
    desk: Desk, arguments: list[str], code: int, reason: str
) -> None:
    desk.put_class()
    done = desk.run("sign", "1A", *arguments, "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["error"]["reason"]) == (code, reason)
    assert told["error"]["next_step"]
    assert not hashes(desk.folder / "1A-signed")


def test_a_client_certificate_that_is_not_configured_is_refused(world: World, daemon: Running, tmp_path: Path) -> None:
    desk = desk_at(world, daemon.port, tmp_path, "unlisted")
    desk.put_class()
    code, told = desk.sign("1A")
    assert (code, told["error"]["reason"]) == (4, "CALLER_UNKNOWN")


@pytest.mark.parametrize("arguments", [["--ca", "nowhere.crt"], ["--key", "card.pdf"], ["--level", "b-x"], ["--config", "nowhere.toml"]])
def test_wrong_arguments_are_told_before_anything_is_sent(desk: Desk, arguments: list[str]) -> None:
    desk.put_class()
    done = desk.run("sign", "1A", *arguments)
    assert done.returncode == 2
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_what_stands_where_an_output_goes_is_never_replaced(desk: Desk) -> None:
    desk.put_class()
    folder = desk.folder / "1A-signed" / "Nguyễn Văn E.pdf"
    folder.mkdir(parents=True)
    done = desk.run("sign", "1A")
    assert done.returncode == 2
    assert "exists and is not of this request" in done.stderr
    assert folder.is_dir()


def test_an_output_that_cannot_be_written_stops_with_a_message_and_continues_later(desk: Desk) -> None:
    source = desk.put_class()
    (source / "x").mkdir()
    (source / "x" / "a.pdf").write_bytes(pdfs.report_card(9, pages=1))
    (desk.folder / "1A-signed").mkdir()
    (desk.folder / "1A-signed" / "x").write_bytes(b"a file where a folder should be")
    done = desk.run("sign", "1A")
    assert done.returncode == 5
    assert "can't be written" in done.stderr
    assert "Traceback" not in done.stderr
    (desk.folder / "1A-signed" / "x").unlink()
    code, _ = desk.sign("1A")
    assert code == 0
    assert len(list((desk.folder / "1A-signed").rglob("*.pdf"))) == 6
