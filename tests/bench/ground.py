"""What benches stand on: one world a run, daemons on it, load clients, and how long things are measured."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tests.bench.lines import LineProgram
from tests.bench.loop import TokenPrograms, token_loop
from tests.bench.measure import Calm, Run, Sample
from tests.bench.orders import Order, Work
from tests.bench.usage import Groups, Meter, daemon_groups
from tests.support.daemon import SCHOOL, Running, World, build_world, running_daemon


class Skipped(Exception):
    """The bench can't be run here and now; the text says why."""


class NotSigned(Exception):
    """An independent judge does not accept what was signed."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is measured.

    pairs: repetitions; seconds: one side of a pair; batch: documents of a usual batch; growth: batch sizes; teachers: credentials.
    calm: which pairs are taken again; None for none.
    """

    pairs: int
    seconds: float
    batch: int
    growth: tuple[int, ...]
    teachers: tuple[int, ...]
    calm: Calm | None = None


FULL = Pace(pairs=5, seconds=3.0, batch=350, growth=(35, 350, 3_500, 10_000), teachers=(10, 1_000, 10_000))
QUICK = Pace(pairs=3, seconds=0.7, batch=70, growth=(35, 70, 350), teachers=(10, 300))


class LoadClient(LineProgram):
    """A load client, connected to one daemon as one of its clients."""

    def __init__(self, world: World, port: int, name: str) -> None:
        command = [sys.executable, "-m", "tests.bench.client", str(port), str(world.pki), name]
        super().__init__(command, os.environ)

    def begin(self, order: Order) -> None:
        """Starts work that goes on beside other work; `end` it."""
        self.tell(msgspec.json.encode(order).decode())

    def end(self) -> Sample:
        """Stops what was begun; what it was until then."""
        self.tell("stop")
        return Sample.of(self.hear())

    def do(self, order: Order) -> Sample:
        """Does the work; raises ProgramFailed when anything of it failed."""
        self.begin(order)
        return Sample.of(self.hear())

    def close(self) -> None:
        """Stops what it still does, and waits until it left."""
        with contextlib.suppress(BrokenPipeError):
            self.tell("stop")
        super().close()

    def doing(self, order: Order) -> Run:
        """The same, to be measured."""
        return lambda: self.do(order)


class Deployment:
    """A running daemon and a load client of SCHOOL."""

    def __init__(self, world: World, running: Running, client: LoadClient) -> None:
        self.world = world
        self.running = running
        self.client = client

    def groups(self) -> Mapping[str, list[int]]:
        return {**daemon_groups(self.running.process.pid), "client": [self.client.pid]}

    def meter(self) -> Meter:
        groups: Groups = self.groups
        return Meter(groups)

    @contextlib.contextmanager
    def another_client(self, name: str) -> Iterator[LoadClient]:
        with LoadClient(self.world, self.running.port, name) as client:
            yield client


class Ground:
    """The world of one run, in a folder that is emptied first; or a world that exists already, for tests."""

    def __init__(self, folder: Path, pace: Pace, world: World | None = None) -> None:
        self.folder = folder
        self.pace = pace
        self._world = world

    @property
    def world(self) -> World:
        """Made when first asked for; nothing runs on it outside `daemon`."""
        if self._world is None:
            shutil.rmtree(self.folder / "run", ignore_errors=True)
            self._world = build_world(self.folder / "run" / "world")
        return self._world

    @contextlib.contextmanager
    def daemon(self, config: Path, **options: Any) -> Iterator[Deployment]:
        """A daemon with this configuration and a client of SCHOOL, ended in order. options: of its start."""
        with running_daemon(config, **options) as running, LoadClient(self.world, running.port, "school") as client:
            yield Deployment(self.world, running, client)

    def config(self, name: str, *, processes: int = 1, **changes: Any) -> Path:
        """A configuration with a journal of its own. processes: of the token; documents have two."""
        token = {"processes": processes} | changes.pop("token", {})
        documents = {"processes": 2} | changes.pop("documents", {})
        journal = {"url": f"sqlite:///{self.world.folder / name}.db"} | changes.pop("journal", {})
        return self.world.config(f"{name}.toml", token=token, documents=documents, journal=journal, **changes)

    def loop(self, key_label: str, family: str = "rsa", *, processes: int = 1) -> TokenPrograms:
        """The reference on the same token."""
        return token_loop(self.world, key_label, family, self.world.folder, processes=processes)

    def order(self, work: Work, credential: str = "cbql", **more: Any) -> Order:
        """An order of SCHOOL over the pace's seconds."""
        return Order(work=work, credential=credential, **{"school": SCHOOL, "seconds": self.pace.seconds, **more})

    def scratch(self, name: str) -> Path:
        """An empty folder that lives as long as the run."""
        _ = self.world  # made first, because it empties the folder
        path = self.folder / "run" / name
        path.mkdir(parents=True)
        return path


def shorter(order: Order, seconds: float = 0.5) -> Order:
    """The same work for a warm-up."""
    return msgspec.structs.replace(order, seconds=min(seconds, order.seconds))


def judge_one(folder: Path, signatures: int) -> None:
    """NotSigned unless pdfsig finds so many valid signatures in the first document of the folder."""
    path = min(folder.glob("*.pdf"))
    said = subprocess.run(["pdfsig", "-nocert", str(path)], capture_output=True, text=True, check=False).stdout
    if said.count("Signature is Valid.") != signatures or said.count("Signature #") != signatures:
        raise NotSigned(f"{path}: pdfsig does not find {signatures} valid signatures:\n{said}")
