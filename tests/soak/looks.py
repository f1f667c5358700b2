"""What the appliance's processes hold, from /proc (proc(5)): memory, file descriptors, threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.usage import Groups, rss_bytes


@dataclass(frozen=True, slots=True)
class Holding:
    """Of one process. rss_bytes: resident, as an operator sees it."""

    rss_bytes: int
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True)
class Look:
    """After so many documents. holdings: by the name of the process (`daemon`, `token_workers 0`, …); pids: the same processes."""

    documents: int
    holdings: Mapping[str, Holding]
    pids: Mapping[str, int]
    sessions: int


def look(groups: Groups, documents: int, sessions: int) -> Look:
    """Now. sessions: open PKCS#11 sessions, as the daemon counts them."""
    pids = {_name(group, number): pid for group, found in groups().items() for number, pid in enumerate(sorted(found))}
    return Look(documents, {name: _holding(pid) for name, pid in pids.items()}, pids, sessions)


def _name(group: str, number: int) -> str:
    return group if group == "daemon" else f"{group} {number}"


def _holding(pid: int) -> Holding:
    process = Path(f"/proc/{pid}")
    return Holding(rss_bytes([pid]), len(list((process / "fd").iterdir())), len(list((process / "task").iterdir())))
