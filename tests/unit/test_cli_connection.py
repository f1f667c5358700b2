"""Where the command line's connection comes from: option, variable, file."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from signer.cli import main
from signer.cli.connection import given, read_client_config
from signer.client import SignerClient
from signer.demo.pem import write_certificates
from signer.demo.tls_pki import TlsPki
from signer.errors import ConfigError


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    file = tmp_path / "client.toml"
    file.write_text(
        'server = "there:1"\nca = "ca.crt"\ncertificate = "c.crt"\nkey = "/keys/c.key"\nschool = "79000001"\n', encoding="utf-8"
    )
    return file


def test_a_file_is_read_with_its_paths_made_absolute(config_file: Path) -> None:
    assert read_client_config(config_file) == {
        "server": "there:1",
        "ca": str(config_file.parent / "ca.crt"),
        "cert": str(config_file.parent / "c.crt"),
        "key": "/keys/c.key",
        "school": "79000001",
    }


def test_an_option_goes_before_the_file_and_the_default_last(config_file: Path) -> None:
    values = given(config_file, server="here:2", school=None)
    assert (values.get("server"), values.get("school"), values.get("level", "b-t")) == ("here:2", "79000001", "b-t")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('servr = "x"', "servr: unknown key — did you mean 'server'?"),
        ('pin = "1234"', "pin: unknown key"),
        ("server = 8443", "server: expected a string"),
        ("server =", "is no TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "client.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(f"{file}: ")) as refused:
        read_client_config(file)
    assert complaint in refused.value.message
    assert "1234" not in refused.value.message


def test_what_is_missing_is_named_with_every_way_to_give_it() -> None:
    with pytest.raises(click.UsageError, match=re.escape("--ca (SIGNER_CA), --server-name (SIGNER_SERVER_NAME)")):
        given(None, server="x:1").require("server", "ca", "server_name")


def test_variables_stand_for_options_and_the_default_file_for_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "signer").mkdir()
    (tmp_path / "signer" / "client.toml").write_text('ca = "from-file.crt"\n', encoding="utf-8")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("SIGNER_SERVER", "localhost:1")
    monkeypatch.setenv("SIGNER_CERT", "c.crt")
    result = CliRunner().invoke(main, ["tokens", "--key", "c.key"])
    assert result.exit_code == 2
    assert f"ca: {tmp_path}/signer/from-file.crt can't be read" in result.stderr


def test_files_that_do_not_fit_are_refused_before_anything_is_dialled(tmp_path: Path) -> None:
    tls = TlsPki.create()
    ca = tmp_path / "ca.crt"
    write_certificates(ca, tls.certificate)
    certificate, key = tls.client("one").write_pem(tmp_path, "one")
    _, other_key = tls.client("two").write_pem(tmp_path, "two")
    wrong: dict[str, dict[str, str | Path]] = {
        "key: does not belong to the certificate": {"key": other_key},
        "key: holds no PEM private key": {"key": certificate},
        "certificate: holds no PEM certificate": {"certificate": key},
        "ca: holds no PEM certificate": {"ca": key},
        "can't be read": {"ca": tmp_path / "nowhere"},
        "server must be host:port": {"server": "localhost"},
    }
    for complaint, change in wrong.items():
        values: dict[str, str | Path] = {"server": "localhost:1", "ca": ca, "certificate": certificate, "key": key, **change}
        with pytest.raises(ConfigError, match=re.escape(complaint)):
            SignerClient(str(values["server"]), ca=values["ca"], certificate=values["certificate"], key=values["key"])
    with SignerClient("localhost:1", ca=ca.read_bytes(), certificate=certificate.read_bytes(), key=str(key)):
        pass
