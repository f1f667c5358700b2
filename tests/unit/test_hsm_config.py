"""hsm-config/: every stanza is one that the configuration takes, and every page says whether the device was run."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from signer.config import load

FOLDER = Path(__file__).parents[2] / "hsm-config"
DEVICES = sorted(path.parent.name for path in FOLDER.glob("*/token.toml"))
_SERVER = """\
[server]
tls_certificate = "file"
tls_private_key = "file"
tls_client_ca = "file"
"""


def test_every_family_that_was_promised_is_there() -> None:
    promised = {"softhsm", "opensc", "bit4id", "safenet", "yubihsm2", "nitrokey-hsm"}
    promised |= {"thales-luna", "entrust-nshield", "utimaco", "aws-cloudhsm", "opencryptoki"}
    assert promised <= set(DEVICES)


@pytest.mark.parametrize("device", DEVICES)
def test_its_stanza_is_taken_as_it_stands_but_for_files_of_another_machine(device: str, tmp_path: Path) -> None:
    stanza = (FOLDER / device / "token.toml").read_text(encoding="utf-8")
    (tmp_path / "file").touch()
    (tmp_path / "tokens").mkdir()
    here = re.sub(r'^module = ".*?"', 'module = "file"', stanza, flags=re.MULTILINE)
    here = re.sub(r'^softhsm_token_directory = ".*?"', 'softhsm_token_directory = "tokens"', here, flags=re.MULTILINE)
    config = tmp_path / "signer.toml"
    config.write_text(_SERVER + here, encoding="utf-8")
    [token] = load(config).tokens
    [written] = tomllib.loads(stanza)["tokens"]
    assert token.name == written["name"]
    assert Path(written["module"]).is_absolute()
    assert written["pin"].startswith("credential:"), "where systemd keeps it from everybody else"
    assert written["processes"] == 1 or device == "softhsm"


@pytest.mark.parametrize("device", DEVICES)
def test_its_page_says_whether_it_was_run_and_the_overview_says_the_same(device: str) -> None:
    page = (FOLDER / device / "README.md").read_text(encoding="utf-8")
    [row] = [line for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith(f"| [{device}]")]
    state = row.split("|")[3].strip()
    was_run = "**Run:**" in page or "all reproduced" in page
    assert was_run == state.startswith("run")
    assert was_run != page.splitlines()[2].startswith("**Not run.**")
