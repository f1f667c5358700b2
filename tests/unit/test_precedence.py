"""Who goes first on a core. Each in a process of its own, because a niceness can't be taken back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_TELL = """
import json, os
from pathlib import Path
from signer.workers import precedence
{before}
said = precedence.{call}()
group = Path("/proc/self/autogroup")
told = group.read_text().split()[-1] if group.exists() else None
print(json.dumps([said, os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0), told]))
"""
_NOBODY = 65_534
_CAP_SYS_NICE = 23


def _in_a_session_of_its_own(call: str, before: str = "") -> list[object]:
    program = [sys.executable, "-c", _TELL.format(call=call, before=before)]
    done = subprocess.run(program, stdout=subprocess.PIPE, check=True, start_new_session=True)
    found: list[object] = json.loads(done.stdout)
    return found


def _may_go_first() -> bool:
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) >> _CAP_SYS_NICE & 1)


def _groups() -> bool:
    return Path("/proc/self/autogroup").exists()


def test_a_document_worker_comes_after_others_and_takes_no_core_from_who_runs() -> None:
    mine = os.getpriority(os.PRIO_PROCESS, 0)

    _said, niceness, policy, group = _in_a_session_of_its_own("give_way")

    assert (niceness, policy) == (min(mine + 5, 19), os.SCHED_BATCH)
    assert group == (str(niceness) if _groups() else None)


@pytest.mark.skipif(not _may_go_first(), reason="needs CAP_SYS_NICE")
def test_a_token_worker_goes_first_where_it_may() -> None:
    mine = os.getpriority(os.PRIO_PROCESS, 0)

    said, niceness, policy, group = _in_a_session_of_its_own("go_first")

    assert (said, niceness, policy) == (True, max(mine - 10, -20), os.SCHED_OTHER)
    assert group == (str(niceness) if _groups() else None)


def test_a_token_worker_that_may_not_go_first_stays_where_it_is() -> None:
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    without = "import resource\nresource.setrlimit(resource.RLIMIT_NICE, (0, 0))\n"
    as_nobody = without + (f"os.setresuid({_NOBODY}, {_NOBODY}, {_NOBODY})" if os.geteuid() == 0 else "")

    said, niceness, policy, _group = _in_a_session_of_its_own("go_first", as_nobody)

    assert (said, niceness, policy) == (False, mine, os.SCHED_OTHER)
