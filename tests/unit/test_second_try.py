"""The policy of second tries, on a suite of its own: who gets one, after what, and that it is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
CONFTEST = """
from pathlib import Path
from tests.support.second_try import give_second_tries

def pytest_collection_modifyitems(items):
    give_second_tries(items, Path(__file__).parent)
"""
SUITE = """
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.waiting import until

TRIES = Path(__file__).with_suffix(".tries")

@dataclass
class Delivery:
    lost: int
    signed: int

def first_try(name):
    with TRIES.open("a") as file:
        file.write(name + chr(10))
    return TRIES.read_text().split().count(name) == 1

@pytest.fixture(scope="module")
def daemon():
    return first_try("module")

@pytest.fixture
def rig():
    if first_try("rig"):
        raise ConnectionRefusedError

def test_late(daemon):
    assert not first_try("late")

def test_waits():
    is_first = first_try("waits")
    until(lambda: not is_first, "a refused PIN to be held", 0.1)

def test_setup(rig):
    first_try("setup")

def test_always_late():
    assert first_try("always") is None

def test_loses():
    delivery = Delivery(int(first_try("loses")), 5)
    assert (
        delivery.signed,
        delivery.lost,
    ) == (5, 0)

def test_is_not_refused():
    if first_try("refused"):
        with pytest.raises(ValueError):
            pass
"""


@pytest.fixture
def tries(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, int]]:
    """How often each test of each room ran, `outcomes` of all together."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeini("[pytest]\naddopts = -rfER --import-mode=importlib\n")
    pytester.makeconftest(CONFTEST)
    for room in ("e2e", "unit"):
        pytester.mkdir(room)
        (pytester.path / room / "test_it.py").write_text(SUITE, encoding="utf-8")
    ran = pytester.runpytest_subprocess()
    ran.stdout.fnmatch_lines(["RERUN e2e/test_it.py::test_late*"])
    counted = {
        room: {name: lines.count(name) for name in lines}
        for room in ("e2e", "unit")
        for lines in [(pytester.path / room / "test_it.tries").read_text(encoding="utf-8").split()]
    }
    return {**counted, "outcomes": ran.parseoutcomes()}


def test_a_second_try_is_for_tests_that_talk_and_never_for_what_must_never_happen(tries: dict[str, dict[str, int]]) -> None:
    told = json.dumps(tries)
    assert tries["e2e"] == {"module": 1, "late": 2, "waits": 2, "rig": 2, "setup": 1, "always": 2, "loses": 1, "refused": 1}, told
    assert tries["unit"] == {"module": 1, "late": 1, "waits": 1, "rig": 1, "always": 1, "loses": 1, "refused": 1}, told
    assert (tries["outcomes"]["rerun"], tries["outcomes"]["passed"]) == (4, 3)
    assert tries["outcomes"]["failed"] + tries["outcomes"]["errors"] == 3 + 6
