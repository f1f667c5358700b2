"""Several daemons on one PostgreSQL and one token, behind HAProxy: killed and started again one by one."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from tests.support.daemon import Running, World, start_daemon
from tests.support.haproxy import Backend, Balancer, haproxy
from tests.support.ports import free_port
from tests.support.postgres import Database


@dataclass
class Replica:
    """One daemon, on ports that stay when it is started again."""

    config: Path
    backend: Backend
    running: Running | None = None

    def start(self) -> None:
        self.running = start_daemon(self.config)

    def kill(self) -> None:
        """SIGKILL."""
        assert self.running is not None
        self.running.process.kill()
        self.running.process.wait()

    def stop(self) -> None:
        if self.running is not None and self.running.process.poll() is None:
            self.running.stop()

    @property
    def events(self) -> list[dict[str, Any]]:
        assert self.running is not None
        return self.running.events()


@dataclass(frozen=True)
class Replicas:
    """All of them. url: their journal's."""

    world: World
    url: str
    each: tuple[Replica, ...]
    balancer: Balancer

    def channel(self, number: int, client: str = "school") -> grpc.Channel:
        """To one of them, past the balancer."""
        return self.world.channel(self.each[number].backend.port, client)


@contextlib.contextmanager
def replicas(world: World, database: Database, count: int = 3, **changes: Any) -> Iterator[Replicas]:
    """Running while the block does. changes: of the configuration, as in `World.config`."""
    with contextlib.ExitStack() as stack:
        secret = world.folder / f"{database.name}.secret"
        secret.write_text(secrets.token_urlsafe(48), encoding="ascii")
        secret.chmod(0o600)
        shared = {"journal": {"url": database.url}, "activation": {"secrets": [f"file:{secret}"]}} | changes
        each = tuple(_replica(world, f"{database.name}-{number}", shared) for number in range(count))
        for replica in each:
            stack.callback(replica.stop)
        with ThreadPoolExecutor(count) as starting:
            list(starting.map(Replica.start, each))
        yield Replicas(world, database.url, each, stack.enter_context(_balanced(world, database, each)))


def _balanced(world: World, database: Database, each: Sequence[Replica]) -> contextlib.AbstractContextManager[Balancer]:
    return haproxy(world.folder / f"{database.name}-haproxy", [replica.backend for replica in each])


def _replica(world: World, name: str, changes: dict[str, Any]) -> Replica:
    backend = Backend(free_port(), free_port())
    own = {"server": {"listen": f"127.0.0.1:{backend.port}"}, "metrics": {"listen": f"127.0.0.1:{backend.metrics_port}"}}
    return Replica(
        world.config(f"{name}.toml", **{**changes, **{key: changes.get(key, {}) | value for key, value in own.items()}}), backend
    )
