"""A system clock that a test sets, for one process and its children; the machine's own stays as it is.

libfaketime does not serve here: with it time.sleep fails with EINVAL, and with its clocks unfaked Python's threads wait for ever.
"""

from __future__ import annotations

import mmap
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

_SOURCE = Path(__file__).parent / "wall" / "wall.c"
_SHIFT = struct.Struct("=q")


class WallClock:
    """Right until it is `set_off`."""

    def __init__(self, folder: Path) -> None:
        library, state = folder / "wall_clock.so", folder / "wall_clock.shift"
        subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", str(_SOURCE), "-o", str(library)], check=True)
        state.write_bytes(_SHIFT.pack(0))
        with state.open("r+b") as file:
            self._mapped = mmap.mmap(file.fileno(), _SHIFT.size)
        self.environment: Mapping[str, str] = {"LD_PRELOAD": str(library), "WALL_SHIFT_FILE": str(state)}

    def set_off(self, seconds: float) -> None:
        """From the next reading on the clock is off by so much."""
        self._mapped[:] = _SHIFT.pack(round(seconds * 1e9))
