"""Worlds for every test that needs a token or a daemon; safe under xdist: built once, copied for each process."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

from tests.support.daemon import World
from tests.support.second_try import give_second_tries
from tests.support.worlds import copy_of, shared_world

# Machines are noisy: what an example may cost is a benchmark's question, not a test's; how many are thrown away is a matter of dice.
# These are loaded, so that a run that judges a change finds what the change did: `make fuzz` and whoever sets its variable throw their own.
hypothesis.settings.register_profile(
    "signer",
    deadline=None,
    derandomize="SIGNER_FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much, hypothesis.HealthCheck.data_too_large],
)
hypothesis.settings.load_profile("signer")

_SHORT_FILES = ("softhsm", "fuzz", "unit")
_ROOT = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that short ones fill what is left when the workers come to the end. Some get a second try."""
    items.sort(key=_length)
    give_second_tries(items, _ROOT)


def _length(item: pytest.Item) -> int:
    room = item.path.relative_to(_ROOT).parts[0]
    return _SHORT_FILES.index(room) + 2 if room in _SHORT_FILES else int(room != "faults")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A failure is told when it happens too: a run that is cut off has no summary."""
    is_tried_again = str(report.outcome) == "rerun"
    if (report.failed or is_tried_again) and "PYTEST_XDIST_WORKER" not in os.environ:
        what = "is flaky: it failed, and is tried again" if is_tried_again else "failed"
        sys.stderr.write(f"\n--- {report.nodeid} {what} ({report.when})\n{report.longreprtext}\n")


@pytest.fixture(scope="session")
def pristine_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The one that all others are copies of. No daemon may work on it."""
    base = tmp_path_factory.getbasetemp()
    return shared_world((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "pristine-world")


@pytest.fixture(scope="session")
def world(pristine_world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """This process' own world, whose token every test may use and none may spoil."""
    return copy_of(pristine_world, tmp_path_factory.mktemp("world") / "it")


@pytest.fixture
def new_world(pristine_world: World, tmp_path: Path) -> Callable[[], World]:
    """Makes worlds of the test's own, to be spoiled at will."""
    numbers = itertools.count(1)
    return lambda: copy_of(pristine_world, tmp_path / f"world-{next(numbers)}")
