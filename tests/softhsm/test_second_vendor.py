"""Another vendor's software token, opencryptoki's, worked like SoftHSM: what it can do it does, what it can't is refused by name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from signer.algorithms import KeyFamily, SignatureAlgorithm
from tests.support import swtok

_NAMESPACES = ("unshare", "--mount", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What our workers made of it, in namespaces of its own."""
    if not swtok.MODULE.exists():
        pytest.skip("opencryptoki is not installed: tools/setup.sh test")
    if subprocess.run([*_NAMESPACES, "true"], capture_output=True, check=False).returncode:
        pytest.skip("namespaces may not be made here: opencryptoki keeps everything at fixed places of the machine")
    command = [*_NAMESPACES, sys.executable, "-m", "tests.support.swtok", str(tmp_path_factory.mktemp("swtok"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2], timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_it_is_found_by_its_uri_and_signs_with_every_algorithm_of_a_key_made_in_it(told: dict[str, Any]) -> None:
    assert (told["label"], told["model"], told["keys"]) == ("swtok-test", "IBM SoftTok", ["rsa-2048"])
    wanted = {f"rsa-2048 {algorithm.value}" for algorithm in SignatureAlgorithm if algorithm.family is KeyFamily.RSA}
    assert told["signed"] == dict.fromkeys(wanted, "OK")
    assert x509.load_der_x509_csr(bytes.fromhex(told["made"][0])).is_signature_valid
    assert told["destroyed"] == 1


def test_what_it_has_no_mechanism_for_is_refused_and_harms_nothing_else(told: dict[str, Any]) -> None:
    assert told["made"][1:] == ["TOKEN_REFUSED"] * 3, "EC keys and wrapping, as Debian 12 builds it"
