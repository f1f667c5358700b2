"""A program that is told one line at a time and answers each with one JSON object: how the driver speaks with loops, peers and clients."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

_LEAVE_S_MAX = 30.0


class ProgramFailed(Exception):
    """It ended, or said that it could not do what it was told; its own words are on stderr."""


class LineProgram:
    """One such program, started. It ends when its stdin closes."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._name = next((part for part in command if part.startswith("tests.")), command[0])
        self._process = subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env=dict(environment)
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, line: str) -> None:
        """Sends one line; the answer is fetched with `hear`."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Waits for its next answer; ProgramFailed when it ended instead, or answered with an `error`."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ProgramFailed(f"{self._name} ended with {self._process.wait(_LEAVE_S_MAX)}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ProgramFailed(f"{self._name}: {answer['error']}")
        return answer

    def ask(self, order: Any) -> dict[str, Any]:
        """Sends an order as JSON and waits for the answer."""
        self.tell(json.dumps(order))
        return self.hear()

    def close(self) -> None:
        """Closes its stdin and waits until it left: one that logged in to a token is never killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
