"""A real PostgreSQL of a test's own: its cluster, its port, its socket, durable as in production, to be killed and frozen at will.

PostgreSQL refuses to run as root: there the package's user runs it, in a folder that this user can reach (pytest's are root's alone).
The cluster sorts as Vietnamese does (ICU), not by bytes: whoever needs an order of bytes has to ask for it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.mortal import as_user, mortal
from tests.support.ports import free_port
from tests.support.waiting import until

OWNER = "signer"
"""The role that owns every database made here: no superuser, as in production."""
EMPTY = "template0"
_SUPERUSER = "postgres"
_PACKAGE_USER = "postgres"
_BINARIES = "/usr/lib/postgresql"
_LOCALE = ("--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=vi-VN")
_LINES = (
    "fsync = on",
    "synchronous_commit = on",
    "full_page_writes = on",
    "listen_addresses = '127.0.0.1'",
    "shared_buffers = 32MB",
    "max_connections = 200",
    "log_line_prefix = '%m [%p] %d '",
)


def binary(name: str) -> str:
    """The newest installed version's program: Debian keeps them outside the path."""
    versions = sorted(Path(_BINARIES).glob("[0-9]*"), key=lambda folder: int(folder.name))
    return str(versions[-1] / "bin" / name) if versions else name


@dataclass(frozen=True, slots=True)
class Database:
    """A database of a cluster, owned by OWNER.

    url: over the socket, by peer. tcp_url: over TCP, which asks for the cluster's password. owner_url: the cluster's superuser, by peer.
    """

    name: str
    url: str
    tcp_url: str
    owner_url: str


@dataclass
class Cluster:
    """A cluster and its postmaster. folder: the user's own; password: OWNER's, asked for over TCP only."""

    folder: Path
    port: int
    password: str
    process: subprocess.Popen[bytes] | None = None
    _names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def database(self, template: str = EMPTY) -> Database:
        """A fresh one: empty, or a copy of another to which nobody is connected."""
        name = f"test_{os.getpid()}_{next(self._names)}"
        self.sql(f'CREATE DATABASE "{name}" OWNER {OWNER} TEMPLATE "{template}"')
        return self.named(name)

    def named(self, name: str) -> Database:
        where = f"@/{name}?host={self.folder}&port={self.port}"
        over_tcp = f"postgresql://{OWNER}@127.0.0.1:{self.port}/{name}"
        return Database(name, f"postgresql://{OWNER}{where}", over_tcp, f"postgresql://{_SUPERUSER}{where}")

    def drop(self, database: Database) -> None:
        """Also while somebody is connected."""
        self.sql(f'DROP DATABASE "{database.name}" WITH (FORCE)')

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Runs it as superuser; its rows, columns parted by bars."""
        command = [binary("psql"), "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]
        where = [f"--host={self.folder}", f"--port={self.port}", f"--username={_SUPERUSER}", f"--dbname={database}"]
        ran = subprocess.run([*command, *where, f"--command={statement}"], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    def start(self) -> None:
        """Starts the postmaster, after a kill too, and waits until it takes connections (recovery included)."""
        until(self._is_vacant, "the last postmaster's children to go")
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(mortal(binary("postgres"), "-D", self.folder / "data", user=_user()), stdout=log, stderr=log)
        until(lambda: self.is_ready() or self._has_ended(), "PostgreSQL to take connections")
        assert not self._has_ended(), self.log

    def is_ready(self) -> bool:
        command = [binary("pg_isready"), "--quiet", f"--host={self.folder}", f"--port={self.port}", "--timeout=1"]
        return subprocess.run(command, check=False).returncode == 0

    def stop(self) -> None:
        """As `pg_ctl stop -m immediate`: no checkpoint, the next start recovers."""
        self._end(signal.SIGQUIT)

    def shut_down(self) -> None:
        """As `pg_ctl stop -m fast`: in order."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL for the postmaster and every process under it."""
        assert self.process is not None
        _tell(self._family(), signal.SIGKILL)
        self.process.wait()

    def restart(self) -> None:
        """In order; connections are cut."""
        self.shut_down()
        self.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """While the block runs no process of the cluster does: connections stand, new ones are taken by the kernel, nothing answers."""
        family = self._family()
        _tell(family, signal.SIGSTOP)
        try:
            yield
        finally:
            _tell(family, signal.SIGCONT)

    def _family(self) -> list[int]:
        assert self.process is not None
        return [self.process.pid, *_children(self.process.pid)]

    def _end(self, kind: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(kind)
            self.process.wait(90)

    def _has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def _is_vacant(self) -> bool:
        """No process works in the data folder: children outlive a killed postmaster by a moment, and block the next one."""
        data = str(self.folder / "data")
        return not any(_works_in(pid) == data for pid in _processes())


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """A new cluster, running while the block does. Takes about a second; databases in it are cheap."""
    folder = Path(tempfile.mkdtemp(prefix="signer-postgres-"))
    try:
        made = _make(folder)
        try:
            made.start()
            made.sql(f"CREATE ROLE {OWNER} LOGIN PASSWORD '{made.password}'")
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make(folder: Path) -> Cluster:
    made, user = Cluster(folder, free_port(), secrets.token_urlsafe(16)), _user()
    if user:
        os.chown(folder, user.pw_uid, user.pw_gid)
        folder.chmod(0o711)  # its socket is for whoever runs the tests
    data = folder / "data"
    command = [
        *(["setpriv", *as_user(user)] if user else []),
        binary("initdb"),
        "-D",
        str(data),
        f"--username={_SUPERUSER}",
        "--no-sync",
        "--auth=peer",
        *_LOCALE,
    ]
    subprocess.run(command, check=True, capture_output=True, text=True, cwd="/")
    lines = (*_LINES, f"port = {made.port}", f"unix_socket_directories = '{folder}'")
    with (data / "postgresql.auto.conf").open("a", encoding="utf-8") as settings:
        settings.write("\n".join([*lines, ""]))
    me = pwd.getpwuid(os.geteuid()).pw_name
    (data / "pg_ident.conf").write_text(f"tests {me} {OWNER}\ntests {me} {_SUPERUSER}\n", encoding="utf-8")
    (data / "pg_hba.conf").write_text("local all all peer map=tests\nhost all all 127.0.0.1/32 scram-sha-256\n", encoding="utf-8")
    return made


def _user() -> pwd.struct_passwd | None:
    """Whom PostgreSQL runs as instead of root."""
    return pwd.getpwnam(_PACKAGE_USER) if os.geteuid() == 0 else None


def _tell(pids: list[int], kind: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, kind)


def _processes() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]


def _children(parent_pid: int) -> list[int]:
    found = []
    for pid in _processes():
        with contextlib.suppress(OSError):
            if int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rsplit(") ", 1)[1].split()[1]) == parent_pid:
                found.append(pid)
    return found


def _works_in(pid: int) -> str | None:
    with contextlib.suppress(OSError):
        return str(Path(f"/proc/{pid}/cwd").readlink())
    return None
