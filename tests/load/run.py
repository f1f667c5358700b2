"""One run of the load against a daemon: documents, generator, watch."""

from __future__ import annotations

import subprocess
import sys
import time

import msgspec

from tests.bench.documents import plain_documents
from tests.bench.usage import daemon_groups
from tests.load.arrivals import Season, plan
from tests.load.generator import End, Orders
from tests.load.report import Run
from tests.load.watch import Watch
from tests.support.daemon import Running, World

_DOCUMENTS = 12
_WARM_UP_S = 6.0
"""The generator's start; its clock begins with the first arrival."""


def run_on(world: World, daemon: Running, season: Season, machine: str) -> Run:
    """The season on a daemon of this world, from its first arrival to its last answer."""
    folder = world.folder / "load"
    folder.mkdir(exist_ok=True)
    documents = plain_documents(folder, _DOCUMENTS)
    arrivals, start_at = plan(season), time.time() + _WARM_UP_S
    asked = Orders(daemon.port, str(world.pki), str(documents), start_at, arrivals)
    (folder / "orders.json").write_bytes(msgspec.json.encode(asked))
    command = [sys.executable, "-m", "tests.load.generator", str(folder / "orders.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as generator:
        watch = Watch(lambda: {**daemon_groups(daemon.process.pid), "generator": [generator.pid]})
        with watch.watching(start_at):
            said, _ = generator.communicate()
    if generator.returncode:
        message = f"the generator ended with {generator.returncode}"
        raise RuntimeError(message)
    ends = [msgspec.json.decode(line, type=End) for line in said.splitlines()]
    return Run(season, arrivals, ends, [look for look in watch.looks if look.at_s > 0], machine)
