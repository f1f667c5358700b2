"""What a process has in memory stays there: no core dump, no look from beside, no swap."""

from __future__ import annotations

import resource
from pathlib import Path

from signer.confinement.kernel import Prctl, mlockall, prctl

_CURRENT, _FUTURE, _ON_FAULT = 1, 2, 4
_CAP_IPC_LOCK = 14


def keep_memory_private() -> None:
    """No core dump is written, and no other process of this user may read this one's memory or environment, or trace it.

    The kernel asks for CAP_SYS_PTRACE instead, also where it pipes dumps to a program (core(5)), which RLIMIT_CORE alone does not stop.
    """
    prctl(Prctl.SET_DUMPABLE, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def lock_memory() -> bool:
    """Keeps every page that this process has touched, and will touch, out of swap; False where it may not.

    All of it, because a PIN is copied by the interpreter and the vendor's module where nobody can follow. Tried only where no limit stands
    in the way (RLIMIT_MEMLOCK infinity, systemd's LimitMEMLOCK=, or CAP_IPC_LOCK): below one, later allocations would fail.
    """
    if not may_lock_memory():
        return False
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (hard, hard))
        mlockall(_CURRENT | _FUTURE | _ON_FAULT)
    except OSError:
        return False
    return True


def may_lock_memory() -> bool:
    """Whether no limit stands in the way."""
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] == resource.RLIM_INFINITY:
        return True
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> _CAP_IPC_LOCK & 1)
