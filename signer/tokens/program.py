"""How the programs of this room begin and end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from signer.workers.frames import WorkerChannel


def run_program(run: Callable[[WorkerChannel], int]) -> NoReturn:
    """Runs it on the descriptor of the command line; leaves by os._exit because vendor modules crash in exit handlers."""
    try:
        code = run(WorkerChannel.from_fd(int(sys.argv[1])))
    except BrokenPipeError:  # the daemon is gone, and with it whoever would want to hear more
        code = 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
