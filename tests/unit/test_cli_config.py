"""`signer config`: everything wrong with a file at once, and the reference."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from signer.cli import main
from signer.config import reference

ROOT = Path(__file__).parents[2]


def test_every_problem_is_told_with_file_and_key(tmp_path: Path) -> None:
    file = tmp_path / "signer.toml"
    file.write_text('[server]\nlistn = "x"\n[metrics]\nlisten = 5\n', encoding="utf-8")
    result = CliRunner().invoke(main, ["config", "check", "--config", str(file)])
    assert result.exit_code == 1
    assert f"{file}: server.listn: unknown key" in result.stderr
    assert f"{file}: metrics.listen" in result.stderr
    as_json = CliRunner().invoke(main, ["config", "check", "--config", str(file), "--json"])
    assert as_json.exit_code == 1
    told = json.loads(as_json.stdout)
    assert (told["valid"], told["advice"]) == (False, [])
    assert told["problems"] == result.stderr.splitlines()


def test_a_missing_file_is_refused_like_a_wrong_one(tmp_path: Path) -> None:
    assert CliRunner().invoke(main, ["config", "check", "--config", str(tmp_path / "nowhere.toml")]).exit_code == 1


def test_the_reference_is_the_documentations() -> None:
    assert CliRunner().invoke(main, ["config", "reference"]).stdout == reference()
