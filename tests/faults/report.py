"""`make faults`: the whole fault matrix in its long forms, a table of what came of it, and var/faults/latest.jsonl.

One JSON object a line: {"fault", "client_saw", "lost", "doubled", "extra_key_uses", "kills", "heal_s", "heal_max_s", …, "test"}. doubled,
kills, heal_max_s: where they are counted; heal_s: null where nothing had to heal, the median of several kills. Exit code: pytest's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
LATEST = ROOT / "var" / "faults" / "latest.jsonl"
_COLUMNS = ("fault", "client_saw", "kills", "lost", "doubled", "extra_key_uses", "heal_s", "heal_max_s")
_PERCENTILE = 0.95
_FILE_WIDTH = 140


def main() -> int:
    """Runs the tests; arguments go to pytest."""
    LATEST.parent.mkdir(parents=True, exist_ok=True)
    LATEST.write_text("", encoding="utf-8")
    environment = {**os.environ, "SIGNER_FAULTS": "full", "SIGNER_FAULTS_REPORT": str(LATEST)}
    command = [sys.executable, "-m", "pytest", "tests/faults", *sys.argv[1:]]
    code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    show([json.loads(line) for line in LATEST.read_text(encoding="utf-8").splitlines()])
    return code


def show(lines: list[dict[str, Any]]) -> None:
    """The table, and what must hold over all faults."""
    table = Table(*_COLUMNS, title="Faults")
    for line in lines:
        table.add_row(*["" if line.get(column) is None else str(line[column]) for column in _COLUMNS])
    heals = sorted(line["heal_s"] for line in lines if line["heal_s"] is not None)
    p95 = heals[min(len(heals) - 1, int(_PERCENTILE * len(heals)))] if heals else 0.0
    console = Console(width=None if sys.stdout.isatty() else _FILE_WIDTH)
    console.print(table)
    sums = " · ".join(f"{column.replace('_', ' ')} {_sum(lines, column)}" for column in ("lost", "doubled", "unaudited", "extra_key_uses"))
    pin_tries = max((line.get("pin_tries", 0) for line in lines), default=0)
    console.print(f"{len(lines)} faults · {sums} · heal p95 {p95:.2f} s · PIN tries at most {pin_tries} · {LATEST}")


def _sum(lines: list[dict[str, Any]], column: str) -> int:
    return sum(line.get(column, 0) for line in lines)


if __name__ == "__main__":
    sys.exit(main())
