"""Daemons without the wait for their imports: forked from a process that has them already (`multiprocessing`'s forkserver).

Two of the three seconds of processor time that a daemon's own process takes to start are imports, the same ones each time, and a test run
starts more than a hundred. Only the daemon's own process is forked; its workers are programs that it starts, as always.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path

from signer.cli import main
from signer.config.server import TlsVersion
from signer.server.grpc_environment import variables


class Forked:
    """A forked process, with what is used of `subprocess.Popen`."""

    def __init__(self, arguments: list[str], output: Path) -> None:
        # `daemon`: ended with the test process, if it is still there by then
        self._process = _nursery().Process(target=_run, args=(arguments, dict(os.environ), str(output)), daemon=True)
        self._process.start()
        self._lock = threading.Lock()
        self.pid = self._process.pid or 0

    def poll(self) -> int | None:
        """Its exit code, -N when signal N ended it; None while it runs."""
        with self._lock:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended; subprocess.TimeoutExpired."""
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("signer serve", timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Nothing when it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


@cache
def _nursery() -> ForkServerContext:
    os.environ.update(variables(TlsVersion.TLS_1_3))  # read by gRPC when it is loaded there
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "signer.cli.serve", "signer.server.serve"])
    return context


def _run(arguments: list[str], environment: dict[str, str], output: str) -> None:
    """In the forked process: `python -m signer` with these arguments."""
    os.environ.clear()
    os.environ.update(environment)
    with Path(output).open("wb") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    sys.argv = ["signer", *arguments]
    main()
