"""What this machine lets processes give up: the daemon's own limits and kernel, which its workers share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from signer.confinement.files import is_known_to_the_kernel
from signer.confinement.memory import may_lock_memory
from signer.model import Finding
from signer.server.diagnosis.findings import ok, warn

_SWAPS = Path("/proc/swaps")


def check_process() -> Iterator[Finding]:
    """PINs out of swap, document workers away from files."""
    if may_lock_memory():
        yield ok("memory", "token workers keep PINs out of swap")
    elif has_swap():
        yield warn("memory", "PINs can reach the swap disk", "LimitMEMLOCK=infinity in the unit; or encrypt the swap, or use none")
    else:
        yield ok("memory", "this machine has no swap that a PIN could reach")
    if is_known_to_the_kernel():
        yield ok("confinement", "document workers reach no files but libraries")
    else:
        yield warn("confinement", "document workers can read what the daemon can", "run on a kernel with Landlock: Linux 5.13 or later")


def has_swap(swaps: Path = _SWAPS) -> bool:
    """Whether anything is swapped to; True where it can't be seen (ProcSubset=pid)."""
    try:
        return len(swaps.read_text(encoding="utf-8").splitlines()) > 1
    except OSError:
        return True
