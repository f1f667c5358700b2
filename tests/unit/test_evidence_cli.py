from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.algorithms import DigestAlgorithm
from signer.cli import main
from signer.cli.evidence_files import find_items, find_records
from signer.cli.evidence_renew import Renewal
from signer.timestamp.archived import ArchiveJudge
from tests.support import pki, rfc4998
from tests.support.stamping import authority, http_tsa, stamp

COUNT = 5


@pytest.fixture(scope="module")
def tsa() -> Iterator[str]:
    with http_tsa(authority(clock=lambda: datetime.now(UTC))) as url:
        yield url


@pytest.fixture(autouse=True)
def _without_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SIGNER_TRUST", "SIGNER_LANG", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    file = tmp_path / "root.pem"
    file.write_bytes(pki.root().pem)
    return file


@pytest.fixture
def school_class(tmp_path: Path) -> Path:
    folder = tmp_path / "lớp 1A"
    (folder / "tổ 2").mkdir(parents=True)
    for number in range(COUNT):
        (folder / ("tổ 2" if number == 4 else "") / f"học sinh {number}.pdf").write_bytes(b"%%PDF report card %d" % number)
    (folder / ".hidden.pdf").write_bytes(b"not part of the class")
    (folder / "notes.txt").write_bytes(b"neither")
    return folder


def run(*arguments: str | Path, expect: int = 0) -> Any:
    """stdout as JSON where asked for, else as text."""
    ran = CliRunner().invoke(main, ["evidence", *map(str, arguments)])
    assert ran.exit_code == expect, (ran.exit_code, ran.output, ran.exception)
    return json.loads(ran.stdout) if "--json" in arguments else ran.output


def create(source: Path, tsa: str, root: Path, *more: str | Path) -> Any:
    return run("create", source, "--tsa", tsa, "--tsa-trust", root, "--json", *more)


def verify(source: Path, root: Path, *more: str | Path, expect: int = 0) -> Any:
    return run("verify", source, "--tsa-trust", root, "--json", *more, expect=expect)


def statuses(found: Any) -> dict[str, str]:
    return {document["path"]: document["status"] for document in found["documents"]}


def test_a_class_is_proved_with_one_timestamp_each_document_and_all(school_class: Path, tsa: str, root: Path) -> None:
    made = create(school_class, tsa, root)
    folder = school_class.with_name("lớp 1A-evidence")
    assert (made["documents"], made["records"], made["folder"]) == (COUNT, COUNT + 1, str(folder))
    assert made["class_record"] == str(folder / "class.er")
    found = verify(school_class, root)
    assert set(statuses(found).values()) == {"PROVEN"}
    assert found["class"]["status"] == "PROVEN"
    assert {document["proven_time"] for document in found["documents"]} == {made["proven_time"]}
    files = [school_class / f"học sinh {number}.pdf" for number in range(4)] + [school_class / "tổ 2" / "học sinh 4.pdf"]
    for file in files:
        record = folder / file.relative_to(school_class).with_name(file.name + ".er")
        (one,) = rfc4998.stamps_that_prove(record.read_bytes(), [file.read_bytes()])
        assert one.root.hex() == made["root"]
    assert len(rfc4998.stamps_that_prove((folder / "class.er").read_bytes(), [file.read_bytes() for file in files])) == 1


def test_changed_missing_and_new_documents_are_each_told(school_class: Path, tsa: str, root: Path) -> None:
    create(school_class, tsa, root)
    (school_class / "học sinh 0.pdf").write_bytes(b"%PDF better marks")
    (school_class / "học sinh 1.pdf").unlink()
    (school_class / "học sinh 9.pdf").write_bytes(b"%PDF a stranger")
    found = verify(school_class, root, expect=1)
    assert statuses(found) == {
        "học sinh 0.pdf": "ALTERED",
        "học sinh 1.pdf": "MISSING",
        "học sinh 2.pdf": "PROVEN",
        "học sinh 3.pdf": "PROVEN",
        "học sinh 9.pdf": "NOT_COVERED",
        "tổ 2/học sinh 4.pdf": "PROVEN",
    }
    assert found["class"]["status"] == "MISSING"
    assert found["class"]["problem"].startswith("2 documents")
    assert found["summary"] == {"ALTERED": 1, "MISSING": 1, "PROVEN": 3, "NOT_COVERED": 1}


def test_the_class_record_alone_judges_documents_too(school_class: Path, tsa: str, root: Path) -> None:
    create(school_class, tsa, root, "--records", "class", "--digest", "sha384")
    assert set(statuses(verify(school_class, root)).values()) == {"PROVEN"}
    (school_class / "học sinh 0.pdf").write_bytes(b"%PDF better marks")
    found = verify(school_class, root, expect=1)
    assert statuses(found)["học sinh 0.pdf"] == "NOT_COVERED"
    assert found["class"]["problem"].startswith("1 documents")


def test_a_document_is_verified_alone_by_its_own_record(school_class: Path, tsa: str, root: Path, tmp_path: Path) -> None:
    create(school_class, tsa, root, "--out", tmp_path / "out", "--records", "documents")
    alone = tmp_path / "elsewhere"
    alone.mkdir()
    shutil.copy(school_class / "học sinh 3.pdf", alone)
    found = verify(alone / "học sinh 3.pdf", root, "--evidence", tmp_path / "out")
    assert statuses(found) == {"học sinh 3.pdf": "PROVEN"}


def test_companions_are_one_group_with_their_document(tmp_path: Path, tsa: str, root: Path) -> None:
    folder = tmp_path / "class"
    folder.mkdir()
    for name in ("a.pdf", "a.pdf.p7s", "a.xml", "b.pdf"):
        (folder / name).write_bytes(name.encode())
    create(folder, tsa, root, "--group")
    assert sorted(find_records(tmp_path / "class-evidence")) == ["a", "b", "class"]
    assert statuses(verify(folder, root, "--group")) == {"a": "PROVEN", "b": "PROVEN"}
    (folder / "a.pdf.p7s").write_bytes(b"another signature")
    assert statuses(verify(folder, root, "--group", expect=1)) == {"a": "ALTERED", "b": "PROVEN"}


def test_older_evidence_is_never_overwritten(school_class: Path, tsa: str, root: Path) -> None:
    create(school_class, tsa, root)
    assert "there is evidence already" in run("create", school_class, "--tsa", tsa, "--tsa-trust", root, expect=2)


def test_damaged_records_and_timestamps_of_nobody_prove_nothing(school_class: Path, tsa: str, root: Path, tmp_path: Path) -> None:
    create(school_class, tsa, root)
    folder = school_class.with_name("lớp 1A-evidence")
    whole = (folder / "học sinh 0.pdf.er").read_bytes()
    (folder / "học sinh 0.pdf.er").write_bytes(whole[:-1])
    assert statuses(verify(school_class, root, expect=1))["học sinh 0.pdf"] == "RECORD_DAMAGED"
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(pki.issue("Kẻ lạ", pki.rsa_key(5), is_ca=True).pem)
    found = verify(school_class, stranger, expect=1)
    assert statuses(found)["học sinh 1.pdf"] == "NOT_PROVEN"
    assert found["documents"][1]["check"] == "timestamp"
    late = verify(school_class, root, "--at", "2034-01-02T00:00+07:00", expect=1)
    assert late["documents"][1]["check"] == "expired"


def test_a_tsa_that_can_not_be_believed_leaves_no_record(school_class: Path, root: Path, tsa: str) -> None:
    folder = school_class.with_name("lớp 1A-evidence")
    with http_tsa(authority(clock=lambda: datetime.now(UTC) - timedelta(days=30))) as liar:
        run("create", school_class, "--tsa", liar, "--tsa-trust", root, expect=3)
        assert not folder.exists()
        assert create(school_class, liar, root, "--tsa", tsa)["records"] == COUNT + 1
    shutil.rmtree(folder)
    run("create", school_class, "--tsa", "http://127.0.0.1:9/", "--tsa-trust", root, expect=3)
    run("create", school_class, "--tsa", "ftp://tsa.example/", "--tsa-trust", root, expect=2)
    run("create", school_class, "--tsa", tsa, expect=2)
    assert not folder.exists()


def test_renewal_by_timestamp_needs_no_documents_and_keeps_what_is_not_due(school_class: Path, tsa: str, root: Path) -> None:
    create(school_class, tsa, root)
    folder = school_class.with_name("lớp 1A-evidence")
    not_due = run("renew", folder, "--tsa", tsa, "--tsa-trust", root, "--json", "--due-before", "2030-01-01T00:00+07:00")
    assert not_due["summary"] == {"records": COUNT + 1, "renewed": 0, "failed": 0}
    renewed = run("renew", folder, "--tsa", tsa, "--tsa-trust", root, "--json")
    assert renewed["summary"] == {"records": COUNT + 1, "renewed": COUNT + 1, "failed": 0}
    found = verify(school_class, root)
    assert set(statuses(found).values()) == {"PROVEN"}
    assert [len(chain) for chain in found["documents"][0]["timestamps"]] == [2]
    document = school_class / "học sinh 0.pdf"
    assert len(rfc4998.stamps_that_prove((folder / "học sinh 0.pdf.er").read_bytes(), [document.read_bytes()])) == 2


def test_renewal_by_hash_tree_renews_what_is_whole_and_leaves_the_rest_as_it_was(school_class: Path, tsa: str, root: Path) -> None:
    create(school_class, tsa, root)
    folder = school_class.with_name("lớp 1A-evidence")
    (school_class / "học sinh 0.pdf").write_bytes(b"%PDF better marks")
    (school_class / "học sinh 1.pdf").unlink()
    before = {name: file.read_bytes() for name, file in find_records(folder).items()}
    arguments = ("renew", folder, "--hash-tree", "--documents", school_class, "--tsa", tsa, "--tsa-trust", root, "--json")
    renewed = run(*arguments, expect=1)
    assert renewed["summary"] == {"records": COUNT + 1, "renewed": 3, "failed": 3}
    changed = {name for name, file in find_records(folder).items() if file.read_bytes() != before[name]}
    assert changed == {"học sinh 2.pdf", "học sinh 3.pdf", "tổ 2/học sinh 4.pdf"}
    found = verify(school_class, root, expect=1)
    assert statuses(found)["học sinh 2.pdf"] == "PROVEN"
    record, document = folder / "học sinh 2.pdf.er", school_class / "học sinh 2.pdf"
    assert [one.digest for one in rfc4998.stamps_that_prove(record.read_bytes(), [document.read_bytes()])] == ["sha256", "sha512"]
    assert "go together" in run("renew", folder, "--hash-tree", "--tsa", tsa, "--tsa-trust", root, expect=2)


def test_records_that_ran_out_are_told_and_not_renewed(school_class: Path, tsa: str, root: Path) -> None:
    create(school_class, tsa, root)

    class FarAhead:
        """A TSA in 2036, when the first one's certificates have long ended."""

        def stamp(self, imprint: bytes, algorithm: DigestAlgorithm) -> bytes:
            usages = (ExtendedKeyUsageOID.TIME_STAMPING,)
            later = datetime(2040, 1, 1, tzinfo=UTC)
            issued = pki.issue("TSA 2036 (DEMO)", pki.rsa_key(121), pki.root(), usages=usages, not_after=later)
            return stamp(imprint, algorithm, datetime(2036, 1, 1, tzinfo=UTC), issued)

    folder = school_class.with_name("lớp 1A-evidence")
    before = {name: file.read_bytes() for name, file in find_records(folder).items()}
    renewal = Renewal(FarAhead(), ArchiveJudge([pki.root().der]), lambda: datetime(2036, 1, 1, tzinfo=UTC))
    for outcomes in (
        renewal.by_timestamp(find_records(folder)),
        renewal.by_hash_tree(find_records(folder), find_items(school_class, folder, grouped=False), DigestAlgorithm.SHA512),
    ):
        assert all("not renewed in time" in one.problem and not one.renewed for one in outcomes)
    assert {name: file.read_bytes() for name, file in find_records(folder).items()} == before


def test_people_read_tables_in_their_language(school_class: Path, tsa: str, root: Path) -> None:
    assert "5 tài liệu được chứng minh" in run("create", school_class, "--tsa", tsa, "--tsa-trust", root, "--lang", "vi")
    told = run("verify", school_class, "--tsa-trust", root)
    assert "5 documents, 5 proven, 0 not" in told
    assert "(the class as a whole)" in told
    assert "6 renewed" in run("renew", school_class.with_name("lớp 1A-evidence"), "--tsa", tsa, "--tsa-trust", root)


@pytest.mark.parametrize("spoil", [lambda file: file.write_bytes(b""), lambda file: (file.unlink(), file.symlink_to("nowhere"))])
def test_a_document_that_can_not_be_hashed_stops_everything_before_the_tsa_is_asked(school_class: Path, root: Path, spoil: Any) -> None:
    spoil(school_class / "học sinh 3.pdf")
    told = run("create", school_class, "--tsa", "http://127.0.0.1:9/", "--tsa-trust", root, expect=2)
    assert "học sinh 3.pdf" in told
    assert not school_class.with_name("lớp 1A-evidence").exists()
