"""`signer trust`: an operator's way to believe a CA, and what is refused whoever says yes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from signer.cli import main
from signer.trust.anchor import Anchor
from signer.trust.known import known_cas
from tests.support import pki

SHA256 = Anchor(pki.root().x509).anchor_id
TEACHER = pki.issue("Trần Văn Giáo", pki.rsa_key(1), pki.authority())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "trust"


def run(verb: str, folder: Path, *arguments: str | Path, stdin: str = "") -> Result:
    return CliRunner().invoke(main, ["trust", verb, *map(str, arguments), "--folder", str(folder)], input=stdin)


def told(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def pem(folder: Path, certificate: pki.Issued, name: str = "ca.pem") -> Path:
    file = folder.parent / name
    file.write_bytes(certificate.pem)
    return file


def listed(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = told(run("list", folder, "--json"))["anchors"]
    return found


def test_a_ca_is_believed_on_its_fingerprint_and_for_what_was_said(folder: Path) -> None:
    colons = ":".join(SHA256[at : at + 2] for at in range(0, 64, 2)).upper()
    result = run("add", folder, pem(folder, pki.root()), "--sha256", colons, "--purpose", "signing")
    assert result.exit_code == 0, result.output
    assert colons in result.stdout
    assert [(each["anchor_id"], each["purposes"], each["is_root"]) for each in listed(folder)] == [(SHA256, ["signing"], True)]
    assert "Root G2 (DEMO)" in run("list", folder).stdout


def test_a_ca_that_nobody_vouched_for_is_shown_and_not_believed(folder: Path) -> None:
    for more in ((), ("--json",), ("--dry-run",)):
        result = run("add", folder, pem(folder, pki.root()), *more, stdin="y\n")
        assert result.exit_code == 1
        assert "--sha256" in result.stderr
        assert SHA256[:2].upper() in result.stdout.upper()
    assert listed(folder) == []


def test_a_dry_run_changes_nothing(folder: Path) -> None:
    assert run("add", folder, pem(folder, pki.root()), "--sha256", SHA256, "--dry-run").exit_code == 0
    assert listed(folder) == []


@pytest.mark.parametrize("known", known_cas(), ids=lambda known: known.known_as)
def test_an_impostor_of_the_government_is_refused_with_its_true_fingerprint_named(folder: Path, known: Any) -> None:
    impostor = pki.issue(known.common_name, pki.rsa_key(150), is_ca=True)
    result = run("add", folder, pem(folder, impostor), "--sha256", Anchor(impostor.x509).anchor_id)
    assert result.exit_code not in {0, 1}
    assert known.sha256 in result.stderr
    assert listed(folder) == []


def test_another_fingerprint_than_the_files_is_refused(folder: Path) -> None:
    result = run("add", folder, pem(folder, pki.root()), "--sha256", "00" * 32)
    assert result.exit_code == 2
    assert SHA256 in result.stderr
    assert listed(folder) == []


def test_a_removed_ca_is_believed_no_longer(folder: Path) -> None:
    run("add", folder, pem(folder, pki.root()), "--sha256", SHA256)
    assert run("remove", folder, "ffff").exit_code == 1
    assert run("remove", folder, SHA256[:12]).exit_code == 0
    assert listed(folder) == []


def test_check_tells_who_vouches_for_a_leaf_only_certificate(folder: Path) -> None:
    run("add", folder, pem(folder, pki.root()), "--sha256", SHA256)
    leaf = pem(folder, TEACHER, "teacher.pem")
    assert run("check", folder, leaf).exit_code == 1, "nobody knows the CA between"
    run("add", folder, pem(folder, pki.authority()), "--sha256", Anchor(pki.authority().x509).anchor_id)
    result = run("check", folder, leaf)
    assert result.exit_code == 0
    assert "Root G2 (DEMO)" in result.stdout
    [found] = told(run("check", folder, leaf, "--json"))["certificates"]
    assert [name.split(",")[0] for name in found["chain"]] == ["CN=CA phục vụ các cơ quan Nhà nước (DEMO)", "CN=Root G2 (DEMO)"]
    assert found["purposes"] == ["signing", "validation", "timestamp"]


@pytest.mark.parametrize("content", [b"", b"rubbish"])
def test_what_is_no_certificate_is_a_usage_error(folder: Path, content: bytes) -> None:
    file = folder.parent / "x.pem"
    file.write_bytes(content)
    for verb in ("add", "check"):
        assert run(verb, folder, file).exit_code == 2
    assert run("remove", folder, "not hex").exit_code == 2


def test_without_a_configured_folder_nothing_is_added(folder: Path) -> None:
    result = CliRunner().invoke(main, ["trust", "list", "--config", str(folder / "none.toml")])
    assert result.exit_code == 2
