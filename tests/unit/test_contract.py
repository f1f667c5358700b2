"""The contract keeps its promises: generated code is fresh, the lint bites, comments agree with the error table, names with the model."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import Any

import grpc
import pytest

from signer.algorithms import DigestAlgorithm, SignatureAlgorithm
from signer.errors import Reason
from signer.model import Level, Profile
from signer.rpc_status import CODES
from signer.v1 import common_pb2

_ROOT = Path(__file__).parents[2]
_SOURCES = sorted((_ROOT / "proto/signer/v1").glob("*.proto"))

# Told in comments, raised by rooms still to be filled: an entry leaves this list when its leaf enters signer.errors.
_LATER = {
    "NOT_FOUND": "AUTHORITY_NOT_FOUND",
}
_NEVER_ANSWERED = {Reason.SERVICE_UNREACHABLE, Reason.UNRECOGNIZED, Reason.SIGNATURE_SETTLED}
"""The client's own, and what only rooms say to each other."""


def _told() -> set[tuple[str, str]]:
    """Every CODE/REASON that a comment of the contract tells."""
    codes = {code.name for code in grpc.StatusCode}
    pairs: set[tuple[str, str]] = set()
    for source in _SOURCES:
        text = re.sub(r"\n *// ?", " ", source.read_text(encoding="utf-8"))
        pairs.update(pair for pair in re.findall(r"\b([A-Z_]+)/([A-Z][A-Z_]+)\b", text) if pair[0] in codes)
    return pairs


def _run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(script), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"PYTHON": sys.executable},
    )


def test_the_generated_code_is_what_the_contract_generates() -> None:
    done = _run(_ROOT / "proto/generate.sh", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_contract_is_lint_clean() -> None:
    done = _run(_ROOT / "proto/lint.sh")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_lint_bites_and_drift_is_seen(tmp_path: Path) -> None:
    shutil.copytree(_ROOT / "proto", tmp_path / "proto")
    shutil.copytree(_ROOT / "signer/v1", tmp_path / "signer/v1")
    spoiled = tmp_path / "proto/signer/v1/plan.proto"
    text = spoiled.read_text(encoding="utf-8")
    spoiled.write_text(text + "\nmessage Uncommented {\n  string BadName = 1;\n}\n", encoding="utf-8")
    lint = _run(tmp_path / "proto/lint.sh")
    assert lint.returncode != 0
    assert "BadName" in lint.stdout
    assert "non-empty comment" in lint.stdout
    assert _run(tmp_path / "proto/generate.sh", "--check").returncode == 1


@pytest.mark.parametrize(("code", "reason"), sorted(_told()))
def test_a_reason_told_in_a_comment_has_that_code(code: str, reason: str) -> None:
    known = {each.value: each for each in Reason}
    if reason in known:
        assert CODES[known[reason]].name == code
        assert reason not in _LATER.get(code, "").split(), "it is served now: take it off the list"
    else:
        assert reason in _LATER.get(code, "").split()


def test_every_reason_a_caller_can_meet_is_told() -> None:
    told = {reason for _, reason in _told()}
    assert {reason for reason in CODES if reason not in _NEVER_ANSWERED and reason.value not in told} == set()


@pytest.mark.parametrize(
    ("ours", "theirs", "prefix"),
    [
        (SignatureAlgorithm, common_pb2.SignatureAlgorithm, "SIGNATURE_ALGORITHM_"),
        (DigestAlgorithm, common_pb2.DigestAlgorithm, "DIGEST_ALGORITHM_"),
        (Level, common_pb2.Level, "LEVEL_"),
    ],
)
def test_the_contract_names_what_the_model_names(ours: type[Enum], theirs: Any, prefix: str) -> None:
    assert {f"{prefix}{each.name}" for each in ours} == set(theirs.keys()) - {f"{prefix}UNSPECIFIED"}


def test_profiles_are_the_models_but_for_digests() -> None:
    named = {f"PROFILE_{each.name}" for each in Profile if not each.is_of_digest}
    assert named == set(common_pb2.Profile.keys()) - {"PROFILE_UNSPECIFIED"}
