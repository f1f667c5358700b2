"""A second try for tests that talk to real processes on a machine that they share: which tests, and after which failures.

Why at all: a run of the whole suite starts hundreds of daemons, databases and browsers on two cores; what no test's limits foresee comes
once in a thousand, and one red test refuses everybody's work. Why so narrowly: a second try must hide no fault of ours. So

- only the rooms that are `TALKING` get one; laws, formats and fuzz tests are pure, and get none;
- what must never happen is never tried again (`NEVER`): something lost, doubled, unaudited, a key or a PIN used once too often, a refusal
  that did not come, a bug that the daemon tells as INTERNAL. It is looked for in the assertion that failed and in its message, not in the
  test's name;
- a test that stood still until pytest ended it is not tried again: one timer counts for both tries;
- each second try is told when it happens and in the run's summary (`-rR`): it is a flake, to be mended.

Fixtures of a module or a session are not made anew: where the first try broke their daemon, the second fails as well.
"""

from __future__ import annotations

import linecache
import re
import traceback
from collections.abc import Iterable
from pathlib import Path

import pytest

TALKING = ("e2e", "faults", "softhsm")
NEVER = re.compile(
    r"lost|doubl|twice|second time|key_use|key uses?\b|\buses\b|intent|unaudited|balanced|(?<!connection)(?<!connection )refus|"
    r"did not raise|\bpins?\b|\bpin_|secret|canar|found_in|accepted_lies|is_outside|invalid|revoked|replayed|tamper|damaged|not allowed|"
    r"\bINTERNAL\b|InternalError|Timeout \(>",
    re.IGNORECASE,
)
_WAITED_IN_VAIN = re.compile(r"waited [0-9.]+ s for ")
"""What `tests.support.waiting` says: a matter of time, whatever was waited for."""


class WorthASecondTry:
    """Of one test: asked for each failure of its first try, setup and teardown included. One that must never happen decides for all."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._never = False

    def __call__(self, error: BaseException | None) -> bool:
        if error is not None and not _WAITED_IN_VAIN.match(str(error)):
            self._never = self._never or bool(NEVER.search(f"{type(error).__name__}: {error}\n{failed_statement(error, self._root)}"))
        return not self._never


def give_second_tries(items: Iterable[pytest.Item], root: Path) -> None:
    """To tests of TALKING rooms. root: the folder of the rooms."""
    for item in items:
        if item.path.relative_to(root).parts[0] in TALKING:
            item.add_marker(pytest.mark.flaky(reruns=1, condition=WorthASecondTry(root)))


def failed_statement(error: BaseException, root: Path) -> str:
    """The innermost statement of ours that the error went through; empty where there is none."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(root)]
    if not frames or frames[-1].lineno is None:
        return ""
    innermost, first = frames[-1], frames[-1].lineno
    return "".join(linecache.getlines(innermost.filename)[first - 1 : innermost.end_lineno or first])
