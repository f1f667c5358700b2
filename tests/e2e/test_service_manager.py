"""What systemd hears of a daemon (Type=notify), from its start to its end: heard on a real datagram socket."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.daemon import World, running_daemon

HEARD_S_MAX = 30.0


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """Hears what is said at its path."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(HEARD_S_MAX)
        yield ear


def heard_until(manager: socket.socket, word: str) -> list[str]:
    """Every line up to the message that holds `word`."""
    lines: list[str] = []
    while word not in lines:
        lines += manager.recv(4096).decode().splitlines()
    return lines


def test_the_service_manager_hears_ready_reloading_beats_and_the_end_from_the_daemon_alone(
    new_world: Callable[[], World], manager: socket.socket
) -> None:
    world = new_world()
    config = world.config(token={"processes": 1}, documents={"processes": 1})
    environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "600000", "WATCHDOG_PID": str(os.getpid())}
    with running_daemon(config, environment=environment) as running:
        assert "RELOADING=1" not in heard_until(manager, "READY=1")
        assert "STATUS=ready to sign" in heard_until(manager, "STATUS=ready to sign")
        beats = heard_until(manager, "WATCHDOG=1") + heard_until(manager, "WATCHDOG=1")
        assert set(beats) == {"WATCHDOG=1"}, "a status is told when it changes"
        children = running.worker_pids("")
        assert children
        assert all(b"NOTIFY_SOCKET" not in Path(f"/proc/{pid}/environ").read_bytes() for pid in children)

        config.write_text(config.read_text(encoding="utf-8") + "\nno_such_key = 1\n", encoding="utf-8")
        running.process.send_signal(signal.SIGHUP)
        said = heard_until(manager, "RELOADING=1") + heard_until(manager, "READY=1")
        assert any(line.startswith("MONOTONIC_USEC=") for line in said), "systemd asks for the time of a reload"

        assert running.stop() == 0
        assert "STATUS=draining" in heard_until(manager, "STOPPING=1")
