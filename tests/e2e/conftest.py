"""The daemon that end-to-end tests share: one a process, with the world's default configuration."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest

from tests.support import archive
from tests.support.archive import Archive
from tests.support.daemon import Running, World, running_daemon


@pytest.fixture(scope="session")
def daemon(world: World) -> Iterator[Running]:
    """Shared by all tests of this process; none may stop, starve or spoil it. Started as an operator does, with several workers of each
    kind, and talkative, so that secrets can be looked for."""
    two = {"processes": 2}
    config = world.config("shared.toml", journal={"url": "sqlite:///shared.db"}, log={"level": "debug"}, token=two, documents=two)
    with running_daemon(config, is_cold=True) as running:
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


@pytest.fixture(scope="session")
def archive_daemon(archive_cas: Archive) -> Iterator[Running]:
    """A daemon whose CAs can be asked. It asks anew each time, so that every test sees what they say now."""
    with running_daemon(archive_cas.world.config(revocation={"cache_s_max": 0.0, "pause_s": 0.0, "timeout_s": 2.0})) as running:
        yield running


@pytest.fixture(scope="session")
def archive_channel(archive_cas: Archive, archive_daemon: Running) -> Iterator[grpc.Channel]:
    """The school's channel to it."""
    with archive_cas.world.channel(archive_daemon.port) as channel:
        yield channel


@pytest.fixture(scope="session")
def archive_cas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """The world behind `archive_world`."""
    with archive.archive(tmp_path_factory.mktemp("archive") / "it") as made:
        yield made


@pytest.fixture
def archive_world(archive_cas: Archive) -> Iterator[Archive]:
    """A world whose CAs can be asked, silenced, and made to revoke; after each test they answer as before."""
    yield archive_cas
    if not archive_cas.is_serving:
        archive_cas.serve()
