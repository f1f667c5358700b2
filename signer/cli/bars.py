"""A progress bar on standard error; nothing where that is no terminal."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from signer.cli.output import console


@contextmanager
def bar(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Call what it gives with how many are done."""
    screen = console(error=True)
    if not screen.is_terminal:
        yield lambda _done: None
        return
    from rich import progress as bars

    columns = (bars.TextColumn("{task.description}"), bars.BarColumn(), bars.MofNCompleteColumn(), bars.TimeRemainingColumn())
    with bars.Progress(*columns, console=screen, transient=True) as shown:
        task = shown.add_task(description, total=total)
        yield lambda done: shown.update(task, completed=done)
