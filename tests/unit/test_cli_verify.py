"""`signer verify`: the verdict on files, and its exit code."""

from __future__ import annotations

import functools
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding

from signer.cli import main
from tests.support import cms, pdfs, pki

CHAIN = (pki.authority(),)
TEACHER = pki.issue("Trần Văn Giáo", pki.rsa_key(1), pki.authority())
CARD = pdfs.report_card(pages=1)
STAMP = functools.partial(pdfs.timestamp_token, at=pdfs.SIGNED_AT)
SIGNED = pdfs.signed(CARD, signer=TEACHER, chain=CHAIN, timestamp=STAMP)
AT = (pdfs.SIGNED_AT + timedelta(days=1)).isoformat()


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    file = tmp_path / "root.pem"
    file.write_bytes(pki.root().x509.public_bytes(Encoding.PEM))
    return file


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["verify", *map(str, arguments)])


def put(folder: Path, **files: bytes) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / f"{name}.pdf").write_bytes(content)
    return folder


def told(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_folder_of_good_files_passes(tmp_path: Path, trust: Path) -> None:
    folder = put(tmp_path / "signed", a=SIGNED, b=SIGNED)
    result = run(folder, "--trust", trust, "--at", AT)
    assert result.exit_code == 0
    assert result.stdout.count("TOTAL_PASSED") == 2
    assert "Trần Văn Giáo" in result.stdout
    assert "B-T" in result.stdout
    assert "2 files, 2 passed, 0 not" in result.stdout


@pytest.mark.parametrize(
    ("content", "indication", "reason"),
    [
        (CARD, "INDETERMINATE", ""),
        (SIGNED.replace(b"/FlateDecode", b"/FlateDecodf", 1), "TOTAL_FAILED", ""),
        (b"no pdf", "TOTAL_FAILED", "DOCUMENT_UNSUPPORTED"),
        (b"", "TOTAL_FAILED", "DOCUMENT_EMPTY"),
    ],
)
def test_one_file_that_does_not_pass_fails_the_run_and_hides_no_other(
    tmp_path: Path, trust: Path, content: bytes, indication: str, reason: str
) -> None:
    folder = put(tmp_path / "signed", good=SIGNED, odd=content)
    result = run(folder, "--trust", trust, "--at", AT, "--json")
    assert result.exit_code == 1
    good, odd = told(result)["files"]
    assert (good["indication"], odd["indication"], odd["reason"]) == ("TOTAL_PASSED", indication, reason)
    assert told(result)["summary"]["files"] == 2
    assert told(result)["summary"]["TOTAL_PASSED"] == 1
    assert odd["problems"] or odd["signatures"][0]["problems"]


def test_timestamps_of_another_authority_lower_the_level(tmp_path: Path, trust: Path) -> None:
    folder = put(tmp_path / "signed", a=SIGNED)
    strange = tmp_path / "strange.pem"
    strange.write_bytes(TEACHER.x509.public_bytes(Encoding.PEM))
    [file] = told(run(folder, "--trust", trust, "--tsa-trust", strange, "--at", AT, "--json"))["files"]
    assert file["signatures"][0]["level"] == "b-b"
    assert told(run(folder, "--trust", trust, "--at", AT, "--json"))["files"][0]["signatures"][0]["level"] == "b-t"


def test_without_trust_nothing_passes_and_the_reason_is_told(tmp_path: Path) -> None:
    result = run(put(tmp_path / "signed", a=SIGNED), "--at", AT)
    assert result.exit_code == 1
    assert "--trust" in result.stderr
    assert "INDETERMINATE" in result.stdout


def test_several_processes_say_the_same_in_the_same_order(tmp_path: Path, trust: Path) -> None:
    folder = put(tmp_path / "signed", **{f"f{number}": SIGNED if number % 2 else CARD for number in range(5)})
    assert told(run(folder, "--trust", trust, "--at", AT, "--json", "--jobs", "2")) == told(
        run(folder, "--trust", trust, "--at", AT, "--json", "--jobs", "1")
    )


def test_file_names_never_steer_the_terminal(tmp_path: Path, trust: Path) -> None:
    (tmp_path / "signed").mkdir()
    (tmp_path / "signed" / "\x1b[31m[bold]evil\u202e.pdf").write_bytes(SIGNED)
    for more in ((), ("--json",)):
        result = run(tmp_path / "signed", "--trust", trust, "--at", AT, *more)
        assert result.exit_code == 0
        assert "\x1b" not in result.stdout
        assert "\u202e" not in result.stdout
        assert "[bold]evil" in result.stdout


def test_wrong_arguments_are_usage_errors(tmp_path: Path, trust: Path) -> None:
    folder = put(tmp_path / "signed", a=SIGNED)
    assert run(folder, "--trust", trust, "--at", "2026-05-30T08:00:00").exit_code == 2
    assert run(folder, "--trust", trust, "--at", "yesterday").exit_code == 2
    assert run(folder, "--trust", folder / "a.pdf").exit_code == 2
    assert run(tmp_path / "nowhere").exit_code == 2
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty").exit_code == 2


def test_vietnamese_speaks_vietnamese_and_keeps_the_indications(tmp_path: Path, trust: Path) -> None:
    result = run(put(tmp_path / "signed", a=SIGNED), "--trust", trust, "--at", AT, "--lang", "vi")
    assert "Người ký" in result.stdout
    assert "TOTAL_PASSED" in result.stdout


CONTENT = "Điểm: 10\n".encode()


def test_cms_is_verified_beside_its_file_or_with_the_content_named(tmp_path: Path, trust: Path) -> None:
    folder = put(tmp_path / "signed", card=SIGNED)
    (folder / "record.txt").write_bytes(CONTENT)
    (folder / "record.txt.p7s").write_bytes(cms.signed(CONTENT, TEACHER, chain=CHAIN))
    (folder / "whole.p7m").write_bytes(cms.signed(CONTENT, TEACHER, attached=True, chain=CHAIN))
    result = run(folder, "--trust", trust, "--at", AT, "--json")
    assert {Path(file["path"]).name: file["indication"] for file in told(result)["files"]} == {
        "card.pdf": "TOTAL_PASSED",
        "record.txt.p7s": "TOTAL_PASSED",
        "whole.p7m": "TOTAL_PASSED",
    }
    (folder / "record.txt").rename(tmp_path / "elsewhere")
    alone = folder / "record.txt.p7s"
    [lost] = told(run(alone, "--trust", trust, "--at", AT, "--json"))["files"]
    assert lost["signatures"][0]["sub_indication"] == "SIGNED_DATA_NOT_FOUND"
    assert run(alone, "--trust", trust, "--at", AT, "--content", tmp_path / "elsewhere").exit_code == 0
    (tmp_path / "elsewhere").write_bytes(CONTENT + b"!")
    assert run(alone, "--trust", trust, "--at", AT, "--content", tmp_path / "elsewhere").exit_code == 1
    assert run(folder, "--trust", trust, "--content", trust).exit_code == 2


def test_what_a_p7s_signs_is_judged_through_it_alone(tmp_path: Path, trust: Path) -> None:
    folder = put(tmp_path / "signed")
    record = b"<HOC_BA/>"
    (folder / "a.xml").write_bytes(record)
    (folder / "a.xml.p7s").write_bytes(cms.signed(record, TEACHER, chain=CHAIN))
    assert [Path(file["path"]).name for file in told(run(folder, "--trust", trust, "--at", AT, "--json"))["files"]] == ["a.xml.p7s"]


def test_people_are_told_in_a_sentence_in_their_language(tmp_path: Path, trust: Path) -> None:
    folder = put(tmp_path / "signed", good=SIGNED, bad=SIGNED.replace(b"/FlateDecode", b"/FlateDecodf", 1))
    result = run(folder, "--trust", trust, "--at", AT, "--lang", "vi")
    [said] = [line for line in result.stdout.splitlines() if "Trần Văn Giáo ký lúc" in line]
    assert "bad.pdf: Tài liệu KHÔNG hợp lệ: 1 trong 1 chữ ký" in said
    one = run(folder / "good.pdf", "--trust", trust, "--at", AT, "--lang", "vi")
    assert "Tài liệu hợp lệ: 1 chữ ký đều có giá trị. Trần Văn Giáo ký lúc 08:15 30/05/2026 (có dấu thời gian): hợp lệ." in one.stdout
    [file] = told(run(folder / "good.pdf", "--trust", trust, "--at", AT, "--json"))["files"]
    assert file["summary_en"].startswith("The document is valid: all 1 signatures stand.")
