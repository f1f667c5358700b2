"""What the service manager is told when it could not be told at once."""

from __future__ import annotations

import socket
from pathlib import Path

from signer.server.service_manager import ServiceManager


def test_what_a_full_queue_did_not_take_is_told_with_the_next_word(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(address)
        filled = fill(address)
        manager = ServiceManager(address)
        manager.ready()
        for _each in range(filled):
            ear.recv(4096)
        manager.stopping()
        assert ear.recv(4096).split(b"\n") == [b"READY=1", b"STOPPING=1", b"STATUS=draining"]


def test_a_word_that_was_told_is_told_once_and_of_two_alike_the_later_stays(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    manager = ServiceManager(address)
    manager.ready()
    manager.reloading()
    manager.ready()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(address)
        manager.stopping()
        names = [line.partition(b"=")[0] for line in ear.recv(4096).split(b"\n")]
        assert names == [b"RELOADING", b"MONOTONIC_USEC", b"READY", b"STOPPING", b"STATUS"]
        manager.ready()
        assert ear.recv(4096) == b"READY=1"


def fill(address: str) -> int:
    """Puts in what the queue holds; how many that were."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.settimeout(0)
        count = 0
        try:
            while True:
                other.sendto(b"WATCHDOG=1", address)
                count += 1
        except BlockingIOError:
            return count
