"""Paths as people see them."""

from __future__ import annotations

from pathlib import Path


def shown(path: Path) -> str:
    """A path as a person at the project's folder would type it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
