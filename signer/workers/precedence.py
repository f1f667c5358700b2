"""Who goes first where programs want the same core: the token, which there is one of, before documents, which wait for it anyway.

| program | niceness | scheduling (sched(7)) |
|---|---|---|
| token worker | −10 where it may: RLIMIT_NICE (systemd's LimitNICE=), or CAP_SYS_NICE; else as the daemon | as others |
| document worker, and who makes keys | 5 | SCHED_BATCH: woken, it does not take the core from who runs |

A token worker can't keep others out for long: it never has more in hand than it signs in 20 ms, and what comes next takes the daemon.

Where the kernel groups processes by session (`sched_autogroup_enabled`), a niceness counts only among those of one session, and each worker
leads its own: so the group gets it as well.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_FIRST, _LAST = -10, 5
_GROUP = Path("/proc/self/autogroup")


def go_first() -> bool:
    """This process and its threads to come, before others; False where it may not. To be called before files are out of reach."""
    try:
        _be_nice(_FIRST)
    except PermissionError:
        return False
    return True


def give_way() -> None:
    """This process and its threads to come, after others. Never refused; to be called before files are out of reach."""
    _be_nice(_LAST)
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _be_nice(niceness: int) -> None:
    """Relative to what it is. PermissionError for less than it may."""
    reached = os.nice(niceness)
    with suppress(OSError):  # no such groups, or too soon after the last change
        _GROUP.write_text(str(reached), encoding="ascii")
