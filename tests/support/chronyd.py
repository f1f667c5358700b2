"""A real chronyd on loopback that never touches the system clock (`-x`): as an NTP server, and as the keeper of a clock that is asked."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.mortal import mortal
from tests.support.ports import free_port
from tests.support.waiting import until

CHRONYC = Path(shutil.which("chronyc") or "/usr/bin/chronyc")
_CHRONYD = shutil.which("chronyd") or "/usr/sbin/chronyd"


@dataclass
class Chronyd:
    """A running one. port: its NTP port; socket: its command socket."""

    process: subprocess.Popen[bytes]
    port: int
    socket: Path

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    def tracking(self) -> list[str]:
        """Fields of `chronyc -c tracking`."""
        command = [str(CHRONYC), "-h", str(self.socket), "-c", "-n", "tracking"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        return ran.stdout.strip().split(",")

    def is_synchronised(self) -> bool:
        return self.tracking()[-1] == "Normal"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def chronyd(folder: Path, *lines: str, environment: Mapping[str, str] | None = None) -> Iterator[Chronyd]:
    """lines: of its configuration, besides where it listens. Waits until it believes that it knows the time."""
    folder.mkdir(mode=0o700, parents=True)
    port = free_port(socket.SOCK_DGRAM)
    command_socket = folder / "chronyd.sock"
    where = (f"port {port}", "bindaddress 127.0.0.1", "allow 127.0.0.1", "cmdport 0", f"bindcmdaddress {command_socket}")
    (folder / "chrony.conf").write_text("\n".join([*where, f"pidfile {folder / 'pid'}", *lines, ""]), encoding="ascii")
    user = ["-U", "-u", pwd.getpwuid(os.geteuid()).pw_name]
    with (folder / "log").open("wb") as log:
        command = [_CHRONYD, "-x", "-d", *user, "-f", folder / "chrony.conf"]
        process = subprocess.Popen(mortal(*command), stdout=log, stderr=log, env={**os.environ, **(environment or {})})
    running = Chronyd(process, port, command_socket)
    try:
        until(lambda: running.is_synchronised() or process.poll() is not None, "chronyd to know the time")
        assert process.poll() is None, (folder / "log").read_text(encoding="utf-8")
        yield running
    finally:
        running.kill()


def honest(folder: Path) -> contextlib.AbstractContextManager[Chronyd]:
    """Serves this machine's time."""
    return chronyd(folder, "local stratum 3")


def off_by(
    folder: Path, offset_s: float, source: Chronyd, environment: Mapping[str, str] | None = None
) -> contextlib.AbstractContextManager[Chronyd]:
    """Believes that true time is so much ahead of what its source says: serves that, and reports the system clock as slow by it."""
    line = f"server 127.0.0.1 port {source.port} offset {offset_s} minpoll -2 maxpoll -2 iburst"
    return chronyd(folder, line, environment=environment)
