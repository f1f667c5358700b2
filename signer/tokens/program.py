"""How the programs of this room begin, shut themselves in (`confinement`), and end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

from signer.confinement.memory import keep_memory_private, lock_memory
from signer.confinement.syscalls import no_looks_aside, no_network, refuse
from signer.telemetry.logs import get_logger
from signer.tokens.wire import Start
from signer.workers.frames import WorkerChannel

_log = get_logger(__name__)


def shut_in(start: Start) -> None:
    """Before the module is loaded and the PIN read: its memory stays its own, and it has the network only if its token needs one."""
    keep_memory_private()
    memory_locked = lock_memory()
    calls = refuse(no_looks_aside() if start.network else no_network())
    tell = _log.info if calls else _log.warning  # an old kernel, or a machine whose calls we don't know
    tell("worker shut in", memory_locked=memory_locked, network=start.network or not calls, system_calls=calls)


def run_program(run: Callable[[WorkerChannel], int]) -> NoReturn:
    """Runs it on the descriptor of the command line; leaves by os._exit because vendor modules crash in exit handlers."""
    try:
        code = run(WorkerChannel.from_fd(int(sys.argv[1])))
    except BrokenPipeError:  # the daemon is gone, and with it whoever would want to hear more
        code = 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
