"""What the service manager hears of the daemon (sd_notify(3)): ready, reloading, stopping, and that its event loop turns.

Nothing is said where nobody listens: NOTIFY_SOCKET is set by systemd (Type=notify) alone. The socket's name leaves the environment at once,
so that no worker speaks for the daemon.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, MutableMapping

_BEAT_S = 10.0
_BEATS_A_WATCHDOG = 3
_SAY_S_MAX = 0.5


class ServiceManager:
    """address: of its datagram socket, a path, or `@` and an abstract name; empty for none.

    watchdog_s: it ends a daemon that is silent for longer; None where it does not watch.
    """

    def __init__(self, address: str = "", watchdog_s: float | None = None) -> None:
        self._address = address.replace("@", "\0", 1) if address.startswith("@") else address
        self._beat_s = min(_BEAT_S, watchdog_s / _BEATS_A_WATCHDOG) if watchdog_s else _BEAT_S
        self._status = ""
        self._untold: dict[str, str] = {}  # what it was, by its name: the last of each, in order

    @classmethod
    def take(cls, environment: MutableMapping[str, str]) -> ServiceManager:
        """What systemd put there, taken out of it."""
        watchdog_us = environment.pop("WATCHDOG_USEC", "")
        environment.pop("WATCHDOG_PID", None)
        return cls(environment.pop("NOTIFY_SOCKET", ""), int(watchdog_us) / 1e6 if watchdog_us.isdecimal() else None)

    def ready(self) -> None:
        """Starting or reloading is over, well or not: the daemon serves."""
        self._say("READY=1")

    def reloading(self) -> None:
        """`ready` ends it."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Drains, and will be gone."""
        self._say("STOPPING=1", "STATUS=draining")

    async def run(self, status: Callable[[], str]) -> None:
        """Beats from the event loop until cancelled: a loop that stands still is noticed.

        status: asked before each beat; the line that `systemctl status` shows.
        """
        while self._address:
            told = status()
            self._say("WATCHDOG=1", *([f"STATUS={told}"] if told != self._status else []))
            self._status = told
            await asyncio.sleep(self._beat_s)

    def _say(self, *lines: str) -> None:
        if not self._address:
            return
        for line in lines:
            name = line.partition("=")[0]
            self._untold.pop(name, None)
            self._untold[name] = line
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
                door.settimeout(_SAY_S_MAX)
                door.sendto("\n".join(self._untold.values()).encode(), self._address)
        except OSError:  # a manager that is away, or its queue full: the daemon's work goes on, and the next beat tells it too
            return
        self._untold.clear()
