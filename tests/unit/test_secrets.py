import json
import os
import pickle
from pathlib import Path

import pytest

from signer.errors import ConfigError, PinSourceUnreadable
from signer.secrets import PinReference, PinSource, Secret

VALUE = "correct-horse-battery"


def pin_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "pin"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("text", ["file:/etc/signer/pin", "env:TOKEN_PIN", "credential:token-pin", "file:a:b"])
def test_a_reference_reads_back_as_it_was_written(text: object) -> None:
    assert str(PinReference.parse(text)) == text


@pytest.mark.parametrize("text", [VALUE, "", "file:", "env: ", f"pin:{VALUE}", f"FILE:{VALUE}", 12345678, None, ["file:x"], "file:a\0b"])
def test_what_is_no_reference_is_refused_and_never_repeated(text: object) -> None:
    with pytest.raises(ConfigError) as refused:
        PinReference.parse(text)
    assert "file:PATH" in refused.value.message
    assert VALUE not in refused.value.message
    assert "12345678" not in refused.value.message


@pytest.mark.parametrize("name", ["../other", "/etc/passwd", ".hidden"])
def test_a_credential_is_a_bare_name(name: str) -> None:
    with pytest.raises(ConfigError, match="bare name"):
        PinReference.parse(f"credential:{name}")


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_the_newline_that_ends_a_pin_file_is_no_part_of_the_pin(tmp_path: Path, ending: bytes) -> None:
    path = pin_file(tmp_path, f" {VALUE} ".encode() + ending)
    assert PinReference.parse(f"file:{path}").read().reveal() == f" {VALUE} "


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_pin_file_open_to_others_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = pin_file(tmp_path, VALUE.encode(), mode)
    with pytest.raises(PinSourceUnreadable, match="chmod 600") as refused:
        PinReference.parse(f"file:{path}").read()
    assert VALUE not in refused.value.message


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe" + VALUE.encode(), b"x" * 5000])
def test_a_pin_file_without_a_sensible_pin_is_refused_and_never_repeated(tmp_path: Path, content: bytes) -> None:
    path = pin_file(tmp_path, content)
    with pytest.raises(PinSourceUnreadable) as refused:
        PinReference.parse(f"file:{path}").read()
    assert VALUE not in refused.value.message
    assert refused.value.__cause__ is None


def test_a_missing_pin_file_a_folder_and_a_fifo_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    for name in ("absent", ".", "fifo"):
        with pytest.raises(PinSourceUnreadable):
            PinReference(PinSource.FILE, str(tmp_path / name)).read()


def test_a_variable_gives_its_pin_and_a_missing_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_PIN", VALUE)
    assert PinReference.parse("env:TOKEN_PIN").read() == Secret(VALUE)
    with pytest.raises(PinSourceUnreadable, match="NO_SUCH_PIN"):
        PinReference.parse("env:NO_SUCH_PIN").read()


def test_a_systemd_credential_is_read_with_the_mode_systemd_gives_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pin_file(tmp_path, VALUE.encode(), 0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert PinReference.parse("credential:pin").read().reveal() == VALUE


def test_without_systemd_credentials_the_missing_line_of_the_unit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(PinSourceUnreadable, match="LoadCredential=pin:PATH"):
        PinReference.parse("credential:pin").read()


def test_only_file_references_are_anchored_to_the_configuration_folder() -> None:
    folder = Path("/etc/signer")
    assert str(PinReference.parse("file:pin").anchored(folder)) == "file:/etc/signer/pin"
    assert str(PinReference.parse("file:/run/pin").anchored(folder)) == "file:/run/pin"
    assert str(PinReference.parse("env:PIN").anchored(folder)) == "env:PIN"


def test_a_secret_shows_itself_to_reveal_alone() -> None:
    secret = Secret(VALUE)
    shown = [str(secret), repr(secret), f"{secret}", f"{[secret]}", "%s" % secret, json.dumps({"a": secret}, default=repr)]  # noqa: UP031
    assert secret.reveal() == VALUE
    assert all(VALUE not in text for text in shown)
    with pytest.raises(TypeError, match="does not leave its process"):
        pickle.dumps(secret)
    with pytest.raises(TypeError, match="unhashable"):
        hash(secret)
    assert secret == Secret(VALUE)
    assert secret != Secret("other")
    assert secret != VALUE
