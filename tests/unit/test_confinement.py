"""What a process that shut itself in can still do: asked of real programs, because nothing given up can be had back."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from signer.confinement.syscalls import Refusal, filter_program
from signer.model import Severity
from signer.server.diagnosis import process
from tests.support.waiting import until

_PROGRAM = """
import errno, json, os, signal, socket, subprocess, sys, threading
from signer.confinement import files, kernel, memory, syscalls

tried = {}
def attempt(name, act):
    try:
        act()
    except OSError as error:
        tried[name] = errno.errorcode[error.errno]
    else:
        tried[name] = "done"

def fork():
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)

def trace_nobody():
    # To let oneself be traced would end with the next signal, and nobody there to go on.
    try:
        kernel.syscall(101 if os.uname().machine == "x86_64" else 117, 17, 2**22 + 1, 0, 0)
    except ProcessLookupError:
        pass

def in_a_thread():
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()

"""
_ATTEMPTS = """
attempt("read /etc/passwd", lambda: open("/etc/passwd").close())
attempt("read the secret", lambda: open(sys.argv[1]).close())
attempt("write beside it", lambda: open(sys.argv[1] + ".new", "w").close())
attempt("load a library", lambda: __import__("sqlite3"))
attempt("IPv4", lambda: socket.socket(socket.AF_INET).close())
attempt("IPv6", lambda: socket.socket(socket.AF_INET6).close())
attempt("Unix", lambda: socket.socket(socket.AF_UNIX).close())
attempt("socket pair", lambda: [end.close() for end in socket.socketpair()])
attempt("program", lambda: subprocess.run(["true"], check=True))
attempt("fork", fork)
attempt("thread", in_a_thread)
attempt("signal to the parent", lambda: os.kill(os.getppid(), 0))
attempt("signal to itself", lambda: signal.raise_signal(signal.SIGURG))
attempt("tracing", trace_nobody)
attempt("io_uring", lambda: kernel.syscall(425, 1, bytes(120)))
print(json.dumps(tried))
"""


def tried(shut_in: str, tmp_path: Path) -> dict[str, str]:
    """What becomes of each attempt after this code: `done`, or the error's name."""
    secret = tmp_path / "pin"
    secret.write_text("1234")
    done = subprocess.run([sys.executable, "-c", _PROGRAM + shut_in + _ATTEMPTS, secret], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_document_worker_keeps_its_libraries_and_threads_and_nothing_else(tmp_path: Path) -> None:
    shut_in = "assert files.read_only_below(files.programs_own_files())\nassert syscalls.refuse(syscalls.nothing_but_work())\n"
    found = tried(shut_in, tmp_path)
    kept = {"load a library", "socket pair", "thread", "signal to itself"}
    assert {name for name, outcome in found.items() if outcome == "done"} == kept
    assert {outcome for name, outcome in found.items() if name not in kept} == {"EACCES"}


def test_a_token_worker_without_a_network_keeps_everything_of_its_own_machine(tmp_path: Path) -> None:
    found = tried("assert syscalls.refuse(syscalls.no_network())\n", tmp_path)
    assert {name for name, outcome in found.items() if outcome == "EACCES"} == {"IPv4", "IPv6", "tracing", "io_uring"}
    assert found["Unix"] == found["program"] == found["read the secret"] == "done"


def test_a_token_worker_with_a_network_loses_only_the_way_around_a_filter_and_into_others_memory(tmp_path: Path) -> None:
    found = tried("assert syscalls.refuse(syscalls.no_looks_aside())\n", tmp_path)
    assert {name for name, outcome in found.items() if outcome == "EACCES"} == {"tracing", "io_uring"}


def test_without_shutting_in_all_of_it_is_allowed(tmp_path: Path) -> None:
    """Else the tests above would say nothing. io_uring may be switched off."""
    found = tried("", tmp_path)
    assert {name for name, outcome in found.items() if outcome != "done"} <= {"io_uring"}


_STRANGER = 65534


def _looks(pid: int) -> list[bool]:
    """Whether an ordinary user's program sees a byte of each."""
    commands = [["head", "-c", "1", f"/proc/{pid}/{name}"] for name in ("environ", "maps")]
    return [subprocess.run(each, user=_STRANGER, group=_STRANGER, capture_output=True, check=False).returncode == 0 for each in commands]


def _is_open(pid: int) -> bool:
    return all(_looks(pid))


@pytest.mark.skipif(os.getuid() != 0, reason="to become another user takes root")
def test_memory_and_environment_are_closed_to_the_same_user() -> None:
    """Seen by another process of an ordinary user; to root of the machine nothing is closed."""
    program = "import sys\nfrom signer.confinement.memory import keep_memory_private\n{}print('up', flush=True)\nsys.stdin.read()\n"
    for shut_in, readable in (("", True), ("keep_memory_private()\n", False)):
        command = [sys.executable, "-c", program.format(shut_in)]
        with subprocess.Popen(command, user=_STRANGER, group=_STRANGER, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            if readable:
                until(partial(_is_open, process.pid), "a look into a process that is open")
            else:
                assert not any(_looks(process.pid))
            core = Path(f"/proc/{process.pid}/limits").read_text(encoding="ascii").partition("Max core file size")[2].split()[:2]
            process.communicate()
        assert (core == ["0", "0"]) or readable


def test_memory_is_locked_where_no_limit_stands_in_the_way_and_left_alone_elsewhere() -> None:
    """Below a limit, an allocation in the middle of a signature would fail."""
    program = (
        "import resource, sys\nfrom signer.confinement.memory import lock_memory\n"
        "resource.setrlimit(resource.RLIMIT_MEMLOCK, tuple(map(int, sys.argv[1:])) or resource.getrlimit(resource.RLIMIT_MEMLOCK))\n"
        "locked = lock_memory()\nkept = bytearray(64 << 20)\n"
        "print(locked, [line.split()[1] for line in open('/proc/self/status') if line.startswith('VmLck')][0])"
    )

    def run(*limits: str, front: tuple[str, ...] = ()) -> list[str]:
        done = subprocess.run([*front, sys.executable, "-c", program, *limits], capture_output=True, text=True, check=True)
        return done.stdout.split()

    is_root = os.getuid() == 0
    if is_root or resource.getrlimit(resource.RLIMIT_MEMLOCK)[1] == resource.RLIM_INFINITY:
        locked, kib = run()
        assert locked == "True"
        assert int(kib) > 64 << 10, "what is allocated later as well"
    plain = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--reuid=65534", "--clear-groups") if is_root else ()
    assert run("1048576", "1048576", front=plain) == ["False", "0"]


def test_a_call_that_a_machine_does_not_have_takes_no_place_in_its_filter() -> None:
    numbers = [-1 if number == 6 else number for number in range(25)]
    with_fork = filter_program((Refusal("fork"), Refusal("kill")), 0xC00000B7, numbers)
    assert with_fork == filter_program((Refusal("kill"),), 0xC00000B7, numbers)


def test_the_diagnosis_says_whether_a_pin_can_reach_a_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    swaps = tmp_path / "swaps"
    swaps.write_text("Filename Type Size Used Priority\n", encoding="utf-8")
    assert not process.has_swap(swaps)
    swaps.write_text("Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n", encoding="utf-8")
    assert process.has_swap(swaps)
    assert process.has_swap(tmp_path / "hidden")
    for may_lock, swapped, severity in ((True, True, Severity.OK), (False, True, Severity.WARN), (False, False, Severity.OK)):
        monkeypatch.setattr(process, "may_lock_memory", lambda may=may_lock: may)
        monkeypatch.setattr(process, "has_swap", lambda has=swapped: has)
        (found,) = [finding for finding in process.check_process() if finding.check == "memory"]
        assert found.severity is severity
        assert bool(found.remedy) == (severity is Severity.WARN)
