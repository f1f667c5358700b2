"""The token without us in front of it, and peers in our place: programs that sign on the same token, as often as they can.

Each says on its first line that it has logged in, and then answers a number of seconds with what it signed in that time (`loop.c`,
`loop_python`, `peers/`). They idle while the daemon is measured.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from signer.tokens.start_lock import start_lock
from tests.bench.lines import LineProgram
from tests.bench.measure import Sample
from tests.support.daemon import World

_HERE = Path(__file__).parent


class TokenPrograms:
    """Several processes of one such program, run beside one another. Ended at the end of the block. said: a first line."""

    def __init__(self, command: Sequence[str], world: World, *, processes: int = 1, environment: Mapping[str, str] | None = None) -> None:
        self._command = command
        self._world = world
        self._environment = {**os.environ, **world.token.environment, **(environment or {})}
        self._processes = processes
        self._stack = ExitStack()
        self._programs: list[LineProgram] = []
        self.said: dict[str, Any] = {}

    def __enter__(self) -> Self:
        token = self._world.token
        directory = token.tokens_directory
        for _ in range(self._processes):
            with start_lock(directory.with_name(f"{directory.name}.copy.lock")):  # the daemon's own: logins must not collide
                program = self._stack.enter_context(LineProgram(self._command, self._environment))
                program.tell(token.pin_file.read_text(encoding="utf-8").strip())
                self.said = program.hear()
            self._programs.append(program)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def run(self, seconds: float) -> Sample:
        """All of them for so long."""
        for program in self._programs:
            program.tell(str(seconds))
        return Sample.together([Sample.of(program.hear()) for program in self._programs])


def token_loop(world: World, key_label: str, family: str, folder: Path, *, processes: int = 1) -> TokenPrograms:
    """C_SignInit and C_Sign over and over. family: "rsa" or "ec". folder: where the program is built."""
    arguments = [str(world.token.module_path), world.token.label, key_label, family]
    return TokenPrograms([*_program(folder), *arguments], world, processes=processes)


def _program(folder: Path) -> list[str]:
    """The loop in C, or in Python where there is no compiler: that one is some percent slower."""
    if shutil.which("gcc") is None:
        return [sys.executable, "-m", "tests.bench.loop_python"]
    program = folder / "loop"
    subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", str(_HERE / "loop.c"), "-o", str(program), "-ldl"], check=True)
    return [str(program)]
