"""seccomp(2) filters: classic BPF put together here, because a list of refused calls needs no library.

A filter names what is refused and lets everything else through: workers run vendors' modules and other people's parsers, whose calls nobody
can list. Refused calls answer EACCES. io_uring is always among them, since it opens sockets and files without the calls that are looked at.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from signer.confinement.kernel import Prctl, prctl

_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_ALLOW, _REFUSE, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_MODE_FILTER = 2
_X32 = 0x40000000
_CLONE_THREAD = 0x00010000
_NAMES = [
    "socket",
    "connect",
    "bind",
    "listen",
    "execve",
    "execveat",
    "fork",
    "vfork",
    "clone",
    "clone3",
    "kill",
    "tkill",
    "tgkill",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "pidfd_send_signal",
    "pidfd_getfd",
    "prlimit64",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "io_uring_setup",
    "keyctl",
    "bpf",
    "userfaultfd",
]
_MACHINES: dict[str, tuple[int, tuple[int, ...]]] = {
    "x86_64": (
        0xC000003E,
        (41, 42, 49, 50, 59, 322, 57, 58, 56, 435, 62, 200, 234, 129, 297, 424, 438, 302, 101, 310, 311, 425, 250, 321, 323),
    ),
    "aarch64": (
        0xC00000B7,
        (198, 203, 200, 201, 221, 281, -1, -1, 220, 435, 129, 130, 131, 138, 240, 424, 438, 261, 117, 270, 271, 425, 219, 280, 282),
    ),
}
"""By platform.machine(): AUDIT_ARCH, and the numbers of _NAMES; -1 where there is no such call."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that is refused, unless its argument is one of `unless`, or has the bits of `unless_bits`. Arguments: their low 32 bits."""

    name: str
    argument: int = 0
    unless: tuple[int, ...] = ()
    unless_bits: int = 0
    error: int = errno.EACCES


_OTHERS_MEMORY = tuple(map(Refusal, ("ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "io_uring_setup", "bpf")))


def no_network() -> tuple[Refusal, ...]:
    """For a program that speaks to its own machine alone: to services by their files (pcscd, pkcsslotd), to the kernel about devices."""
    return (*_OTHERS_MEMORY, Refusal("socket", unless=(socket.AF_UNIX, socket.AF_NETLINK)))


def no_looks_aside() -> tuple[Refusal, ...]:
    """For a program that needs the network, and nobody else's memory."""
    return _OTHERS_MEMORY


def nothing_but_work() -> tuple[Refusal, ...]:
    """For a program that reads and answers on the descriptors it has: no socket, no other program or process, no signal but to itself."""
    alone = ("connect", "bind", "listen", "execve", "execveat", "fork", "vfork", "kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")
    return (
        *_OTHERS_MEMORY,
        *map(Refusal, ("socket", *alone, "pidfd_send_signal", "keyctl", "userfaultfd")),
        Refusal("tgkill", unless=(os.getpid(),)),
        Refusal("prlimit64", unless=(0, os.getpid())),
        Refusal("clone", unless_bits=_CLONE_THREAD),
        Refusal("clone3", error=errno.ENOSYS),  # its flags stand where no filter can look; without it the C library takes clone
    )


def refuse(refusals: Sequence[Refusal]) -> bool:
    """From now on, for this thread and those it starts; False where this kernel or machine can't. Call it before there are others."""
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return False
    program = filter_program(refusals, *machine)
    buffer = ctypes.create_string_buffer(program)
    # struct sock_fprog: unsigned short, padding, pointer
    head = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer)))
    try:
        prctl(Prctl.SET_NO_NEW_PRIVS, 1)
        prctl(Prctl.SET_SECCOMP, _MODE_FILTER, head)
    except OSError:
        return False
    return True


def filter_program(refusals: Sequence[Refusal], architecture: int, numbers: Sequence[int]) -> bytes:
    """BPF: array of struct sock_filter, for `struct seccomp_data` (linux/seccomp.h). Another architecture's calls end the process."""
    known = dict(zip(_NAMES, numbers, strict=True))
    lines = [_line(_LOAD, _ARCHITECTURE_AT), _line(_IF_EQUAL, architecture, 1, 0), _line(_RETURN, _KILL_PROCESS)]
    lines += [_line(_LOAD, _NUMBER_AT), _line(_IF_AT_LEAST, _X32, 0, 1), _line(_RETURN, _REFUSE | errno.ENOSYS)]
    for refusal in refusals:
        if (number := known[refusal.name]) >= 0:
            look = _look_at_argument(refusal)
            lines += [_line(_LOAD, _NUMBER_AT), _line(_IF_EQUAL, number, 0, len(look) + 1)]
            lines += [*look, _line(_RETURN, _REFUSE | refusal.error)]
    return b"".join([*lines, _line(_RETURN, _ALLOW)])


def _look_at_argument(refusal: Refusal) -> list[bytes]:
    """Jumps over the refusal that follows where the argument is one of those let through."""
    if not refusal.unless and not refusal.unless_bits:
        return []
    look = [_line(_LOAD, _ARGUMENTS_AT + 8 * refusal.argument)]
    if refusal.unless_bits:
        return [*look, _line(_IF_SET, refusal.unless_bits, 1, 0)]
    last = len(refusal.unless)
    return [*look, *[_line(_IF_EQUAL, value, last - place, 0) for place, value in enumerate(refusal.unless)]]


def _line(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
