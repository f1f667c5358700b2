import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from signer.config.server import ServerSettings
from signer.config.shape import keys_of
from signer.tokens.settings import TokenSettings

UNIT = Path(__file__).resolve().parents[2] / "deploy/systemd/signer.service"
EXPOSURE_MAX = 2.0

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that exists here, as systemd-analyze looks for it."""
    copy = tmp_path / "signer.service"
    copy.write_text(UNIT.read_text().replace("/opt/signer/bin/signer", sys.executable))
    return copy


def analyze(*arguments: str) -> str:
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@needs_systemd
def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path) -> None:
    assert analyze("verify", "--man=no", str(unit)).strip() == ""


@needs_systemd
def test_the_unit_is_shut_in(unit: Path) -> None:
    found = re.search(
        r"Overall exposure level for signer\.service: ([\d.]+)", analyze("security", "--offline=yes", "--no-pager", str(unit))
    )
    assert found is not None
    assert float(found[1]) <= EXPOSURE_MAX


def test_systemd_waits_longer_than_a_drain_and_a_login_together() -> None:
    found = re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)
    assert found is not None
    assert int(found[1]) > keys_of(ServerSettings)["drain_s"].default + keys_of(TokenSettings)["login_s_max"].default
