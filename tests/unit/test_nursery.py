"""What the nursery forks ends with the process that asked for it, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys, time
from functools import partial
from pathlib import Path
from tests.support.nursery import Forked

if __name__ == "__main__":
    print(Forked(["--version"], Path(sys.argv[1]), partial(time.sleep, 3600)).pid, flush=True)
    time.sleep(3600)
"""


def test_a_daemon_does_not_outlive_a_test_process_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    command = [sys.executable, str(tmp_path / "program.py"), str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
        assert process.stdout is not None
        forked = Path(f"/proc/{int(process.stdout.readline())}")
        until((tmp_path / "log").exists, "it to have begun")
        assert forked.exists()
        process.send_signal(signal.SIGKILL)
    until(lambda: not forked.exists(), "it to be gone")
