"""Debian's haproxy with the configuration of deploy/haproxy, in front of daemons of this machine."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.mortal import mortal
from tests.support.ports import free_port
from tests.support.waiting import until

CONFIG = Path(__file__).parents[2] / "deploy/haproxy/haproxy.cfg"


@dataclass(frozen=True, slots=True)
class Backend:
    """A daemon's ports on this machine."""

    port: int
    metrics_port: int


@dataclass(frozen=True, slots=True)
class Balancer:
    """A running one. port: gRPC's."""

    port: int
    log: Path


@contextlib.contextmanager
def haproxy(folder: Path, backends: Sequence[Backend]) -> Iterator[Balancer]:
    """The operator's own configuration, with gRPC's addresses changed and the other doors left out."""
    folder.mkdir(parents=True, exist_ok=True)
    port, config = free_port(), folder / "haproxy.cfg"
    config.write_text(_local(CONFIG.read_text(encoding="utf-8"), port, backends), encoding="utf-8")
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(mortal("haproxy", "-db", "-f", config), stdout=output, stderr=output)
    try:
        until(lambda: _listens(port) or process.poll() is not None, "haproxy to listen")
        assert process.poll() is None, log.read_text(encoding="utf-8")
        yield Balancer(port, log)
    finally:
        process.terminate()
        process.wait(90)


def _local(config: str, port: int, backends: Sequence[Backend]) -> str:
    kept = re.split(r"(?m)^# The page", config)[0]
    servers = "\n".join(
        f"    server signer{number} 127.0.0.1:{each.port} check port {each.metrics_port}" for number, each in enumerate(backends, 1)
    )
    kept, count = re.subn(r"(?m)^    server-template .*$", servers, kept)
    kept, bound = re.subn(r"(?m)^    bind :8443$", f"    bind 127.0.0.1:{port}", kept)
    assert (count, bound) == (1, 1), "the configuration is no longer what is changed here"
    return kept


def _listens(port: int) -> bool:
    hexed = f"0100007F:{port:04X}"
    return any(line.split()[1] == hexed and line.split()[3] == "0A" for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
