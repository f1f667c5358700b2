"""Gauges that are looked up rather than told: processes, disk, the loop's own delay. Once a second, and cheap.

A worker's figures come from /proc/PID/stat (proc(5)), which the daemon has held open since it started it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from signer.telemetry.metrics import Metrics
from signer.workers.supervisor import Place, PlaceState

_LOOK_S = 1.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME, _RSS = 11, 12, 21
"""Fields of /proc/PID/stat, counted from the one after the command's name."""


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """What a process has used so far."""

    cpu_s: float
    resident_bytes: int


def process_figures(stat: bytes) -> ProcessFigures | None:
    """From /proc/PID/stat; None when it is empty: there is no such process any more."""
    fields = stat.rpartition(b") ")[2].split()
    if not fields:
        return None
    return ProcessFigures((int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS, int(fields[_RSS]) * _PAGE_BYTES)


class Vitals:
    """Looks at workers and disk. places: by kind (`token`, `document`). journal: its file; None where it is not on a disk of ours."""

    def __init__(self, metrics: Metrics, places: Mapping[str, Sequence[Place]], journal: Path | None) -> None:
        self._metrics = metrics
        self._places = places
        self._journal = journal
        self._counted: dict[str, tuple[int, float]] = {}

    async def run(self) -> None:
        """Looks once a second, until cancelled."""
        clock_s = asyncio.get_running_loop().time
        while True:
            self.look()
            due_s = clock_s() + _LOOK_S
            await asyncio.sleep(_LOOK_S)
            self._metrics.event_loop_delay_seconds.set(max(0.0, clock_s() - due_s))

    def look(self) -> None:
        """Sets every gauge from what is true now."""
        for kind, places in self._places.items():
            for place in places:
                self._look_at(kind, place)
        for state in PlaceState:
            ready = sum(place.state is state for place in self._places.get("document", ()))
            self._metrics.document_workers.labels(state=state.value).set(ready)
        if self._journal is not None:
            self._look_at_disk(self._journal)

    def _look_at(self, kind: str, place: Place) -> None:
        pid = place.worker.pid if place.worker else 0
        found = process_figures(place.worker.read_stat()) if place.worker else None
        labels = {"kind": kind, "worker": place.spec.name}
        self._metrics.worker_resident_memory_bytes.labels(**labels).set(found.resident_bytes if found else 0)
        counter = self._metrics.worker_cpu_seconds.labels(**labels)
        if found is not None:
            counted_pid, counted_s = self._counted.get(place.spec.name, (0, 0.0))
            counter.inc(max(0.0, found.cpu_s - (counted_s if counted_pid == pid else 0.0)))
            self._counted[place.spec.name] = (pid, found.cpu_s)

    def _look_at_disk(self, journal: Path) -> None:
        files = [journal, journal.with_name(journal.name + "-wal")]
        self._metrics.journal_size_bytes.set(sum(file.stat().st_size for file in files if file.exists()))
        usage = shutil.disk_usage(journal.parent)
        self._metrics.journal_disk_bytes.set(usage.total)
        self._metrics.journal_disk_free_bytes.set(usage.free)
