"""An HSM on the network: p11-kit's server in front of a SoftHSM token of its own, reached through p11-kit's client module.

Killed, it is an HSM that loses power; stopped, one that hangs; slow, one far away. The daemon's module answers as such modules do: every
call fails at once, and goes on failing until the module is finalised and initialised again.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from tests.support.mortal import mortal
from tests.support.shim import Shim
from tests.support.waiting import until

MODULE = Path("/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so")


class FarHsm:
    """`start` and `kill` as often as needed; `kill` at the end. shim: the module it serves, which counts the uses of keys."""

    def __init__(self, shim: Shim, address: Path) -> None:
        self._shim = shim
        self._address = address
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What the daemon's workers need to reach it."""
        return {"P11_KIT_SERVER_ADDRESS": f"unix:path={self._address}"}

    def start(self) -> None:
        """Power on; it answers when this returns."""
        self._address.unlink(missing_ok=True)
        command = mortal("p11-kit", "server", "--foreground", "--name", self._address, "--provider", self._shim.module, "pkcs11:")
        self._process = process = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], **self._shim.environment},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        until(lambda: self._address.exists() or process.poll() is not None, "p11-kit server to listen")
        assert process.poll() is None, "p11-kit server ended"

    def kill(self) -> None:
        """Power off, with everything it was doing."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def stop(self) -> None:
        """It hangs."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """It hangs no more."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)
