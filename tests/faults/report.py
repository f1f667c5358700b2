"""`make faults`: the whole fault matrix in its long forms, a table of what came of it, and var/faults/latest.jsonl.

One JSON object a line: {"fault", "client_saw", "lost", "extra_key_uses", "heal_s", …, "test"}. heal_s: null where nothing had to heal.
Exit code: pytest's.
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
_COLUMNS = ("fault", "client_saw", "lost", "extra_key_uses", "heal_s")
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
        table.add_row(*["" if line[column] is None else str(line[column]) for column in _COLUMNS])
    heals = sorted(line["heal_s"] for line in lines if line["heal_s"] is not None)
    p95 = heals[min(len(heals) - 1, int(_PERCENTILE * len(heals)))] if heals else 0.0
    console = Console(width=None if sys.stdout.isatty() else _FILE_WIDTH)
    console.print(table)
    console.print(
        f"{len(lines)} faults · lost {sum(line['lost'] for line in lines)} · extra key uses {sum(line['extra_key_uses'] for line in lines)}"
        f" · heal p95 {p95:.2f} s · PIN tries at most {max((line.get('pin_tries', 0) for line in lines), default=0)} · {LATEST}"
    )


if __name__ == "__main__":
    sys.exit(main())
