import hashlib
import os
import stat
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "hsm-config/softhsm/init.sh"
MODULE = "/usr/lib/softhsm/libsofthsm2.so"


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A folder for PATH whose softhsm2-util writes down its arguments before it becomes the real one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    wrapper = folder / "softhsm2-util"
    wrapper.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/arguments\nexec /usr/bin/softhsm2-util "$@"\n')
    wrapper.chmod(0o755)
    return folder


def init(folder: Path, label: str, pin_file: str = "pin", first_on_path: Path | None = None) -> subprocess.CompletedProcess[str]:
    path = f"{first_on_path}:{os.environ['PATH']}" if first_on_path else os.environ["PATH"]
    return subprocess.run(
        [str(SCRIPT), label, str(folder / "hsm"), str(folder / pin_file)], env={"PATH": path}, capture_output=True, text=True, check=False
    )


def pkcs11_tool(folder: Path, label: str, *arguments: str) -> str:
    environment = {**os.environ, "SOFTHSM2_CONF": str(folder / "hsm/softhsm2.conf")}
    command = ["pkcs11-tool", "--module", MODULE, "--token-label", label, "--login", "--pin", (folder / "pin").read_text().strip()]
    return subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, check=True).stdout


def fingerprints(folder: Path) -> dict[Path, str]:
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_new_token_opens_with_the_pin_in_the_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    assert init(tmp_path, "school-1").returncode == 0
    assert stat.S_IMODE((tmp_path / "pin").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "pin.so").stat().st_mode) == 0o600
    assert len((tmp_path / "pin").read_text().strip()) == 40
    assert (tmp_path / "pin").read_text() != (tmp_path / "pin.so").read_text()
    assert "ECDSA" in pkcs11_tool(tmp_path, "school-1", "--list-mechanisms")


def test_no_pin_stands_in_a_command_line_or_in_what_is_printed(tmp_path: Path, recorded: Path) -> None:
    done = init(tmp_path, "school-1", first_on_path=recorded)
    assert done.returncode == 0
    shown = (tmp_path / "arguments").read_text() + done.stdout + done.stderr
    assert "--init-token" in shown
    for name in ("pin", "pin.so"):
        assert (tmp_path / name).read_text().strip() not in shown


def test_running_it_again_on_an_empty_token_changes_nothing(tmp_path: Path) -> None:
    init(tmp_path, "school-1")
    before = fingerprints(tmp_path)
    again = init(tmp_path, "school-1")
    assert again.returncode == 0
    assert "nothing changed" in again.stdout
    assert fingerprints(tmp_path) == before


def test_a_token_that_holds_keys_is_refused_and_keeps_them(tmp_path: Path) -> None:
    init(tmp_path, "school-1")
    pkcs11_tool(tmp_path, "school-1", "--keypairgen", "--key-type", "EC:prime256v1", "--label", "seal", "--id", "01")
    before = fingerprints(tmp_path)
    for pin_file in ("pin", "other-pin"):
        refused = init(tmp_path, "school-1", pin_file)
        assert refused.returncode == 1
        assert "holds 2 objects: not touched" in refused.stderr
    assert fingerprints(tmp_path) == before
    assert "seal" in pkcs11_tool(tmp_path, "school-1", "--list-objects", "--type", "privkey")


def test_a_pin_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "pin").write_text("the PIN of another token")
    refused = init(tmp_path, "school-1")
    assert refused.returncode == 1
    assert "not overwritten" in refused.stderr
    assert (tmp_path / "pin").read_text() == "the PIN of another token"


def test_a_failed_start_leaves_no_pin_file_behind(tmp_path: Path, recorded: Path) -> None:
    (recorded / "softhsm2-util").write_text('#!/bin/sh\n[ "$1" = --show-slots ] || exit 1\n')
    failed = init(tmp_path, "school-1", first_on_path=recorded)
    assert failed.returncode == 1
    assert not (tmp_path / "pin").exists()
    assert not (tmp_path / "pin.so").exists()


@pytest.mark.parametrize("label", ["a b", "../x", "x" * 33])
def test_a_label_that_is_no_plain_name_is_refused(tmp_path: Path, label: str) -> None:
    assert init(tmp_path, label).returncode == 1
    assert not (tmp_path / "hsm").exists()
