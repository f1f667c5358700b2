"""`signer sign` with a key that is a person's own, and `signer authorizations`, as people type them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import SCHOOL, World
from tests.support.holders import PIN, Holder, Holders, holders
from tests.support.pdfs import report_card
from tests.support.worlds import copy_of


@pytest.fixture(scope="module")
def desk(pristine_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holders]:
    with holders(copy_of(pristine_world, tmp_path_factory.mktemp("cli-holders") / "it"), 2) as made:
        yield made


@pytest.fixture
def class_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "class-12A1"
    folder.mkdir()
    for number in range(3):
        (folder / f"card-{number}.pdf").write_bytes(report_card(number, pages=1))
    return folder


def signer(desk: Holders, *arguments: str, typed: list[str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command as the school's software."""
    world = desk.office.world
    pki = world.pki
    connection = ["--server", f"localhost:{desk.office.running.port}", "--ca", str(pki / "tls-ca.crt")]
    connection += ["--cert", str(pki / "school.crt"), "--key", str(pki / "school.key"), "--school", SCHOOL]
    command = [sys.executable, "-m", "signer", *arguments, *connection]
    environment = {**os.environ, "LANG": "C.UTF-8", "SIGNER_LANG": "en"}
    # No terminal of its own: what is hidden on one is then read from standard input.
    lines = "".join(f"{line}\n" for line in typed or [])
    return subprocess.run(
        command, input=lines, capture_output=True, text=True, timeout=120, env=environment, check=False, start_new_session=True
    )


def sign(desk: Holders, holder: Holder, folder: Path, *more: str, typed: list[str] | None = None) -> subprocess.CompletedProcess[str]:
    return signer(desk, "sign", str(folder), "--credential", holder.credential_id, "--level", "b-b", *more, typed=typed)


def test_a_class_is_signed_under_one_word_and_continued_without_another(desk: Holders, class_folder: Path) -> None:
    holder = desk.next()
    alone = sign(desk, holder, class_folder)
    assert alone.returncode != 0
    assert "AUTHORIZATION_REQUIRED" in alone.stdout + alone.stderr
    _pin, code = holder.factors()
    done = sign(desk, holder, class_folder, "--authorize", holder.person_id, "--class", "12A1", typed=[PIN, code.totp])
    assert done.returncode == 0, done.stderr
    assert PIN not in done.stdout + done.stderr
    signed = class_folder.with_name("class-12A1-signed")
    assert len(list(signed.glob("*.pdf"))) == 3
    next(iter(signed.glob("*.pdf"))).unlink()
    again = sign(desk, holder, class_folder, "--authorize", holder.person_id, "--class", "12A1")
    assert again.returncode == 0, again.stderr
    assert len(list(signed.glob("*.pdf"))) == 3
    listed = signer(desk, "authorizations", "list", "--person", holder.person_id, "--json")
    [found] = json.loads(listed.stdout)["authorizations"]
    assert (found["state"], found["allowed"], found["signed"], found["class"]) == ("spent", 3, 3, "12A1")
    ended = signer(desk, "authorizations", "revoke", found["id"], "--reason", "enough", "--json")
    assert json.loads(ended.stdout)["authorizations"][0]["state"] == "revoked"


def test_a_wrong_pin_signs_nothing_and_says_what_to_do(desk: Holders, class_folder: Path) -> None:
    holder = desk.next()
    refused = sign(desk, holder, class_folder, "--authorize", holder.person_id, typed=["wrong-pin", "000000"])
    assert refused.returncode not in (0, 70)
    assert "Traceback" not in refused.stderr
    assert not list(class_folder.with_name("class-12A1-signed").glob("*.pdf"))
    both = sign(desk, holder, class_folder, "--authorize", "a", "--ask", "b")
    assert "not both" in both.stderr
