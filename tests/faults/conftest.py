"""What all fault tests stand on: one world and one class of report cards a test process, a shim and a rig of its own for each test."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from signer.demo.pupils import generate_class
from signer.demo.report_card import render
from tests.support.daemon import World
from tests.support.other_token import CardIssuer
from tests.support.rig import FULL, Record, Rig
from tests.support.shim import Shim, build
from tests.support.worlds import copy_of

REPORT = os.environ.get("SIGNER_FAULTS_REPORT", "")
_CARDS = 20
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def world(pristine_world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    return copy_of(pristine_world, tmp_path_factory.mktemp("faults") / "it")


@pytest.fixture(scope="session")
def issuer(world: World) -> CardIssuer:
    return CardIssuer(world)


@pytest.fixture(scope="session")
def shim_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="session")
def cards() -> dict[str, bytes]:
    """Report cards of a class by document id; `make faults` takes the whole class of 35."""
    school_class = generate_class()
    pupils = school_class.pupils if FULL else school_class.pupils[:_CARDS]
    return {pupil.pupil_code: render(school_class, pupil) for pupil in pupils}


@pytest.fixture
def rig(world: World, shim_module: Path, request: pytest.FixtureRequest) -> Iterator[Rig]:
    name = f"rig-{next(_NUMBERS)}-" + re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:60].strip("-")
    shim = Shim(shim_module, world.token, world.folder / f"{name}.shim")
    made = Rig(world, shim, name)
    yield made
    shim.calm()
    if made.running is not None and made.running.process.poll() is None:
        made.running.process.kill()
        made.running.process.wait()


@pytest.fixture
def record(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Record:
    """Writes one line of the fault report."""

    def write(fault: str, *, client_saw: str, lost: int, extra_key_uses: int, heal_s: float | None = None, **more: Any) -> None:
        line = {"fault": fault, "client_saw": client_saw, "lost": lost, "extra_key_uses": extra_key_uses, "heal_s": heal_s, **more}
        text = json.dumps({**line, "test": request.node.name}, ensure_ascii=False)
        with capsys.disabled():
            print(f"\n{text}")  # noqa: T201
        if REPORT:
            with Path(REPORT).open("a", encoding="utf-8") as file:
                file.write(text + "\n")

    return write
