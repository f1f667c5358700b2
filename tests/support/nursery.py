"""Daemons and commands without the wait for their imports: forked from a process that has them already (`multiprocessing`'s forkserver).

Nearly all processor time that a command takes, and two of the three seconds of a daemon's own process, are imports, the same ones each
time, and a test run starts hundreds. Only `signer` itself is forked; a daemon's workers are programs that it starts, as always.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path

from signer.cli import VERBS, main
from signer.config.server import TlsVersion
from signer.server.grpc_environment import variables

_COMMAND_S_MAX = 180.0
_PR_SET_PDEATHSIG = 1
_PRELOADED = (
    "signer.server.serve",
    "signer.server.diagnosis",
    "signer.client",
    "signer.cli.sign_run",
    "signer.cli.verify_files",
    "rich.table",
    *(f"signer.cli.{verb}" for verb in VERBS),
)


Prepare = Callable[[], None]
"""Called in the forked process before the command: what sabotages it. A function of a module, or a partial of one."""


def unprepared() -> None:
    """As it is."""


class Forked:
    """A daemon's process, with what is used of `subprocess.Popen`."""

    def __init__(self, arguments: list[str], output: Path, prepare: Prepare) -> None:
        process = _nursery().Process  # first of all: it adds to the environment
        given = (arguments, dict(os.environ), None, output, output)
        # `daemon`: ended with the test process, if it is still there by then
        self._process = process(target=_run, args=given, kwargs={"prepare": prepare}, daemon=True)
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


def command(arguments: list[str], environment: Mapping[str, str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`signer` with these arguments, to its end. environment: all of it. folder: where it works."""
    with tempfile.TemporaryDirectory() as scratch:
        out, err = Path(scratch) / "out", Path(scratch) / "err"
        process = _nursery().Process(target=_run, args=(arguments, dict(environment), folder, out, err))
        process.start()
        process.join(_COMMAND_S_MAX)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(arguments, _COMMAND_S_MAX)
        return subprocess.CompletedProcess(arguments, process.exitcode, *(file.read_text(encoding="utf-8") for file in (out, err)))


@cache
def _nursery() -> ForkServerContext:
    os.environ.update(variables(TlsVersion.TLS_1_3))  # read by gRPC when it is loaded there
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *_PRELOADED])
    return context


def _run(
    arguments: list[str], environment: dict[str, str], folder: Path | None, out: Path, err: Path, *, prepare: Prepare = unprepared
) -> None:
    """In the forked process: `python -m signer` with these arguments. out, err: appended to, as both may be one file."""
    # The nursery ends with the test process, however that ends: once nobody holds this pipe, of which each of its children has an end.
    os.close(forkserver._forkserver._forkserver_alive_fd)  # type: ignore[attr-defined]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    with out.open("ab") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
    with err.open("ab") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    if folder is not None:
        os.chdir(folder)
    sys.argv = ["signer", *arguments]
    prepare()
    main()
