"""What the configuration and its files tell, where nothing runs: files that changed since the daemon read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from signer.config import Config, advise, load
from signer.demo.tls_pki import TlsPki
from signer.model import Finding, Severity
from signer.server.diagnosis import check_files
from signer.store import open_engine, prepare_schema
from tests.support import pki
from tests.support.postgres import Cluster

SERVER = """
[server]
tls_certificate = "server.pem"
tls_private_key = "server.key"
tls_client_ca = "ca.pem"
[trust]
folder = "trust"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("server.pem", "server.key", "ca.pem"):
        (tmp_path / name).touch(0o600)
    (tmp_path / "trust").mkdir()
    return tmp_path


def loaded(folder: Path, more: str = "") -> Config:
    (folder / "signer.toml").write_text(SERVER + more, encoding="utf-8")
    return load(folder / "signer.toml")


def found(config: Config, check: str) -> list[Finding]:
    return [finding for finding in check_files(config, datetime.now(UTC)) if finding.check == check]


def test_a_ca_file_that_was_spoiled_since_is_a_finding_and_ends_no_check(folder: Path) -> None:
    config = loaded(folder)
    (folder / "trust" / "added.pem").write_bytes(b"no certificate")
    assert [problem.key for problem in advise(config) if "added.pem" in problem.text] == ["trust"]
    (finding,) = found(config, "trust")
    assert finding.severity is Severity.FAIL
    assert "added.pem" in finding.message
    assert finding.remedy


def test_a_ca_that_was_added_to_the_trust_folder_is_looked_at_like_a_configured_one(folder: Path) -> None:
    config = loaded(folder)
    assert ["no CA is configured" in finding.message for finding in found(config, "trust")] == [True]
    added = folder / "trust" / "added.pem"
    added.write_bytes(pki.issue("CA (DEMO)", pki.rsa_key(181), is_ca=True, not_after=datetime.now(UTC) + timedelta(days=900)).pem)
    assert [finding.severity for finding in found(config, "trust")] == [Severity.OK]
    added.write_bytes(pki.issue("CA (DEMO)", pki.rsa_key(181), is_ca=True, not_after=datetime.now(UTC) + timedelta(days=9)).pem)
    assert ["CN=CA (DEMO)" in finding.message for finding in found(config, "trust")] == [True]


def test_a_pin_that_the_uri_names_is_looked_at_like_any_other(folder: Path) -> None:
    """RFC 7512 section 2.3: pin-source."""
    (folder / "module.so").touch()
    pin = folder / "pin"
    pin.write_bytes(b"123456")
    pin.chmod(0o644)
    uri = f"pkcs11:token=x?pin-source=file:{pin}"
    config = loaded(folder, f'[[tokens]]\nname = "main"\nmodule = "module.so"\nuri = "{uri}"\n')
    (finding,) = found(config, "pin")
    assert finding.severity is Severity.FAIL
    assert f"chmod 600 {pin}" in finding.message
    pin.chmod(0o600)
    assert [finding.severity for finding in found(config, "pin")] == [Severity.OK]


def test_the_certificate_of_the_page_is_looked_at(folder: Path) -> None:
    TlsPki.create().server().write_pem(folder, "page")
    page = '[pages]\nlisten = "127.0.0.1:0"\norigin = "https://ky.example"\ntls_certificate = "page.crt"\ntls_private_key = "page.key"\n'
    config = loaded(folder, page)
    of_grpc, of_page = found(config, "tls")
    assert of_grpc.severity is Severity.FAIL
    assert of_page.message.startswith("the certificate of the page for people is good until")
    (folder / "page.key").write_bytes(b"no key")
    assert [finding.severity for finding in found(config, "tls")] == [Severity.FAIL, Severity.FAIL]


def test_a_journal_on_a_server_is_reached_as_the_daemon_reaches_it(folder: Path, postgres: Cluster) -> None:
    database = postgres.database()
    (folder / "password").touch(0o600)
    (folder / "password").write_text("wrong", encoding="utf-8")
    config = loaded(folder, f'[journal]\nurl = "{database.tcp_url}"\npassword_file = "password"\n')
    (refused,) = found(config, "journal")
    assert (refused.severity, "password authentication failed" in refused.message) == (Severity.FAIL, True)
    (folder / "password").write_text(postgres.password, encoding="utf-8")
    (empty,) = found(config, "journal")
    assert (empty.severity, "made at the first start" in empty.message) == (Severity.OK, True)
    prepare_schema(open_engine(config.journal.url))
    assert "schema" in found(config, "journal")[0].message
    (folder / "password").chmod(0o640)
    assert any("journal.password_file" in finding.message for finding in found(config, "file-modes"))
