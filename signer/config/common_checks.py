"""What several checks ask of a name or a file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from signer.config.problems import Problem


def unique(section: str, key: str, names: Iterable[str]) -> Iterator[Problem]:
    """Names that stand more than once."""
    for name, count in Counter(names).items():
        if count > 1:
            yield Problem(f"{section}[{name}].{key}", f"is given {count} times; each needs one of its own")


def readable(key: str, path: Path, remedy: str) -> Iterator[Problem]:
    """What keeps this user from reading a file. remedy: what to do when it is not there."""
    if not path.exists():
        yield Problem(key, f"no such file: {path}; {remedy}")
    elif not path.is_file():
        yield Problem(key, f"not a file: {path}")
    elif not os.access(path, os.R_OK):
        yield Problem(key, f"can't be read by this user: {path}; give it to the user that runs the daemon")
