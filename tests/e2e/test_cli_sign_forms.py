"""`signer sign` on what is no PDF: records, other XML, and any file."""

from __future__ import annotations

from pathlib import Path

import pytest

from signer.demo.ministry_xml import write_class_xml
from signer.demo.pupils import generate_class
from tests.e2e.test_cli_sign import Desk, desk_at, hashes
from tests.support import cms_judges, xml_verdicts
from tests.support.daemon import Running, World


@pytest.fixture
def desk(world: World, daemon: Running, tmp_path: Path) -> Desk:
    return desk_at(world, daemon.port, tmp_path / "desk")


def test_a_class_of_records_goes_from_teacher_to_principal_to_seal(desk: Desk, world: World, tmp_path: Path) -> None:
    folder = desk.folder / "1A"
    for path in write_class_xml(folder, generate_class(seed=2028))[3:]:
        path.unlink()
    (folder / "no-record.xml").write_bytes(b"<a/>")
    for role, credential in (("homeroom-teacher", "gvcn"), ("principal", "cbql"), ("clerk", "seal")):
        code, told = desk.sign(folder, "--role", role, "--credential", credential, SIGNER_LEVEL="b-t")
        assert (code, told["summary"]["signed"], told["summary"]["failed"]) == ((1, 3, 1) if role == "homeroom-teacher" else (0, 3, 0))
        assert desk.sign(folder, "--role", role, "--credential", credential)[1]["summary"]["skipped"] == 3
        folder = folder.with_name(f"{folder.name}-signed")
    for path in sorted(folder.glob("*.xml")):
        for number in range(3):
            assert xml_verdicts.xmlsec1(path.read_bytes(), (world.root_file, world.ca_file), tmp_path, number)


def test_any_file_gets_its_signature_beside_it_or_around_it(desk: Desk, world: World, tmp_path: Path) -> None:
    folder = desk.folder / "marks"
    folder.mkdir(parents=True)
    (folder / "bang-diem.xlsx").write_bytes(bytes(range(256)))
    before = hashes(folder)
    code, told = desk.sign(folder, "--profile", "cades")
    assert (code, told["summary"]["signed"]) == (0, 1)
    beside = (folder.with_name("marks-signed") / "bang-diem.xlsx.p7s").read_bytes()
    assert cms_judges.openssl(beside, world.root_file, tmp_path, bytes(range(256))).returncode == 0
    assert cms_judges.pyhanko(beside, world.root_file, bytes(range(256))).stamped_at is not None
    assert desk.sign(folder / "bang-diem.xlsx", "--profile", "cades", "--attached", "--level", "b-b")[0] == 0
    around = cms_judges.openssl((folder / "bang-diem.xlsx.p7m").read_bytes(), world.root_file, tmp_path)
    assert (around.returncode, around.stdout) == (0, bytes(range(256)))
    assert before.items() <= hashes(folder).items()


def test_xml_that_is_no_record_is_signed_inside_itself_or_beside_itself_by_its_name(desk: Desk, world: World, tmp_path: Path) -> None:
    file = desk.folder / "don.xml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes("<don><ten>Nguyễn</ten></don>".encode())
    cas = (world.root_file, world.ca_file)
    assert desk.sign(file)[0] == 0
    assert xml_verdicts.xmlsec1((desk.folder / "don-signed.xml").read_bytes(), cas, tmp_path)
    assert desk.sign(file, "--packaging", "detached")[0] == 0
    assert xml_verdicts.xmlsec1((desk.folder / "don.xml.xades").read_bytes(), cas, tmp_path, content=("don.xml", file.read_bytes()))
