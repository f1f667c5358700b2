"""The daemon that end-to-end tests share: one a process, with the world's default configuration."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest

from tests.support.daemon import Running, World, running_daemon


@pytest.fixture(scope="session")
def daemon(world: World) -> Iterator[Running]:
    """Shared by all tests of this process; none may stop, starve or spoil it. Talkative, so that secrets can be looked for."""
    with running_daemon(world.config("shared.toml", journal={"url": "sqlite:///shared.db"}, log={"level": "debug"})) as running:
        yield running


@pytest.fixture(scope="session")
def school(world: World, daemon: Running) -> Iterator[grpc.Channel]:
    """The school's own channel."""
    with world.channel(daemon.port) as channel:
        yield channel


@pytest.fixture(scope="session")
def operator(world: World, daemon: Running) -> Iterator[grpc.Channel]:
    """The operator's channel."""
    with world.channel(daemon.port, "operator") as channel:
        yield channel
