"""What systemd hears of a daemon (Type=notify), from its start to its end: heard on a real datagram socket."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.daemon import World, running_daemon
from tests.support.waiting import until


@dataclass(slots=True)
class Ear:
    """Takes every message as it comes, as systemd does. lines: all there were."""

    address: str
    lines: list[str] = field(default_factory=list)

    def listen(self, door: socket.socket) -> None:
        while message := door.recv(4096):
            self.lines.extend(message.decode().splitlines())

    def until(self, word: str, after: int = 0) -> int:
        """Until this line was heard; how many there were up to it."""
        until(lambda: word in self.lines[after:], word)
        return self.lines.index(word, after) + 1


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Ear]:
    """Hears what is said at its path."""
    ear = Ear(str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(ear.address)
        listening = threading.Thread(target=ear.listen, args=[door])
        listening.start()
        try:
            yield ear
        finally:
            door.sendto(b"", ear.address)
            listening.join()


def test_the_service_manager_hears_ready_reloading_beats_and_the_end_from_the_daemon_alone(
    new_world: Callable[[], World], manager: Ear
) -> None:
    world = new_world()
    config = world.config(token={"processes": 1}, documents={"processes": 1})
    environment = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "600000", "WATCHDOG_PID": str(os.getpid())}
    with running_daemon(config, environment=environment) as running:
        ready = max(manager.until("READY=1"), manager.until("STATUS=ready to sign"))
        assert "RELOADING=1" not in manager.lines[:ready]
        beat = manager.until("WATCHDOG=1", manager.until("WATCHDOG=1", ready))
        assert set(manager.lines[ready:beat]) == {"WATCHDOG=1"}, "a status is told when it changes"
        children = running.worker_pids("")
        assert children
        assert all(b"NOTIFY_SOCKET" not in Path(f"/proc/{pid}/environ").read_bytes() for pid in children)

        config.write_text(config.read_text(encoding="utf-8") + "\nno_such_key = 1\n", encoding="utf-8")
        running.process.send_signal(signal.SIGHUP)
        reloading = manager.until("RELOADING=1")
        again = manager.until("READY=1", reloading)
        assert any(line.startswith("MONOTONIC_USEC=") for line in manager.lines[reloading:again]), "systemd asks for the time of a reload"

        assert running.stop() == 0
        manager.until("STATUS=draining", manager.until("STOPPING=1") - 1)
