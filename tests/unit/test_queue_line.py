"""The engine of the queue is there for whoever wants it, and for nobody else."""

from __future__ import annotations

import json
import subprocess
import sys

_LOADED = "import sys, json, signer.server.serve; print(json.dumps([name for name in ('dbos', 'yaml', 'croniter') if name in sys.modules]))"


def test_a_daemon_without_a_queue_does_not_load_its_engine() -> None:
    told = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True).stdout
    assert json.loads(told) == []
