"""What processes cost, read from /proc (proc(5)): CPU time and resident memory, by group of processes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.bench.measure import Run, Sample

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_UTIME_AFTER_NAME, _STIME_AFTER_NAME = 11, 12

Groups = Callable[[], Mapping[str, list[int]]]
"""Process ids by group, as they are now."""


def daemon_groups(pid: int) -> dict[str, list[int]]:
    """A daemon's process and its workers', with those that check for them."""
    workers = _children(pid, b"signer.tokens.worker")
    return {
        "daemon": [pid],
        "token_workers": [*workers, *(checker for worker in workers for checker in _children(worker, b"signer.tokens.checker"))],
        "document_workers": _children(pid, b"signer.documents.worker"),
    }


def _children(pid: int, module: bytes) -> list[int]:
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
        with contextlib.suppress(OSError):
            if module in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                found.append(int(child))
    return found


def cpu_s(pids: list[int]) -> float:
    """User and system time of all threads so far, in seconds; in steps of 10 ms."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            total += int(fields[_UTIME_AFTER_NAME]) + int(fields[_STIME_AFTER_NAME])
    return total / _TICKS_PER_S


def rss_bytes(pids: list[int]) -> int:
    """Resident memory of all of them, pages they share counted for each."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
    return total


class Meter:
    """Adds up what each group spends while the subject runs, and how many items it made of it."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self._spent_s: dict[str, float] = {}
        self._items = 0

    def metered(self, run: Run) -> Run:
        """The same run, metered."""

        def measured() -> Sample:
            before = self._cpu_s()
            sample = run()
            for group, seconds in self._cpu_s().items():
                self._spent_s[group] = self._spent_s.get(group, 0.0) + seconds - before[group]
            self._items += sample.items
            return sample

        return measured

    def cpu_us_per_item(self) -> dict[str, float]:
        """Microseconds of CPU that one item cost, by group."""
        return {group: round(seconds * 1e6 / self._items, 1) for group, seconds in self._spent_s.items() if self._items}

    def rss_mb(self) -> dict[str, float]:
        """Megabytes (10^6 bytes) resident now, by group."""
        return {group: round(rss_bytes(pids) / 1e6, 1) for group, pids in self._groups().items()}

    def _cpu_s(self) -> dict[str, float]:
        return {group: cpu_s(pids) for group, pids in self._groups().items()}
