"""The lock under which one process at a time initialises a module and logs in.

SoftHSM fails logins that collide (33 to 69 of 400 starts with four processes, see findings); a USB token's module may start slowly while
another process talks to the card. flock(2): the kernel frees it when its holder dies, however it dies.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def start_lock(path: Path) -> Iterator[None]:
    """Holds the lock at path while the block runs; waits as long as another process holds it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
