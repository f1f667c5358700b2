"""grpc.health.v1: the daemon, each served service, each token; for any client that TLS lets in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.daemon import Running, World, running_daemon
from tests.support.waiting import until

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVED = ("", "signer.v1.SigningService", "signer.v1.CredentialService", "signer.v1.AdminService", "token/school-token")


def stub(channel: grpc.Channel) -> Any:
    """The generated class has its methods from its constructor, where no type checker sees them."""
    return health_pb2_grpc.HealthStub(channel)


def status(channel: grpc.Channel, service: str) -> Any:
    return stub(channel).Check(health_pb2.HealthCheckRequest(service=service), timeout=60).status


@pytest.mark.parametrize("service", [*SERVED, "clock"])
def test_what_works_is_serving(service: str, school: grpc.Channel) -> None:
    assert status(school, service) == SERVING


@pytest.mark.parametrize("service", ["signer.v1.NoSuchService", "token/no-such", "token/"])
def test_what_is_not_served_is_not_found(service: str, school: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        status(school, service)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_load_balancer_needs_no_configured_client(world: World, daemon: Running) -> None:
    with world.channel(daemon.port, "unlisted") as channel:
        assert status(channel, "") == SERVING


def test_a_daemon_whose_only_token_is_absent_answers_that_it_cannot_sign_until_the_token_is_back(new_world: Callable[[], World]) -> None:
    world = new_world()
    away = world.token.tokens_directory.with_name("pulled")
    world.token.tokens_directory.rename(away)
    world.token.tokens_directory.mkdir()
    with (
        running_daemon(world.config(token={"processes": 1}, documents={"processes": 1})) as running,
        world.channel(running.port) as channel,
    ):
        for service in SERVED:
            assert status(channel, service) == NOT_SERVING
        world.token.tokens_directory.rmdir()
        away.rename(world.token.tokens_directory)
        until(lambda: all(status(channel, service) == SERVING for service in SERVED), "everything to be served again")
