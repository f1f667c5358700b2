"""/livez and /readyz: what orchestrators ask without a certificate; readiness is what signing is really able to do."""

from __future__ import annotations

import contextlib
import urllib.error
import urllib.request
from collections.abc import Callable

import grpc
import pytest

from signer import __version__
from tests.support.calls import metric, operations_call, reason_of_call, sign_digests
from tests.support.daemon import Running, World, running_daemon
from tests.support.waiting import until

ANSWER_S_MAX = 60.0
PROBE = {"probe_credential": "probe", "probe_interval_s": 1.0}
PROBE_KEY = {"id": "probe", "token": "school-token", "key_label": "ec", "school": ""}


def page(running: Running, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{running.metrics_port()}{path}", timeout=ANSWER_S_MAX) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def status(running: Running, path: str) -> int:
    return page(running, path)[0]


def test_a_daemon_that_signs_is_live_and_ready(daemon: Running) -> None:
    assert page(daemon, "/livez") == (200, "ok\n")
    assert page(daemon, "/readyz") == (200, "ok\n")
    assert metric(daemon.metrics_port(), "signer_ready") == 1


def test_a_daemon_without_its_token_is_live_but_not_ready_and_says_why(new_world: Callable[[], World]) -> None:
    world = new_world()
    away = world.token.tokens_directory.with_name("pulled")
    world.token.tokens_directory.rename(away)
    world.token.tokens_directory.mkdir()
    with running_daemon(world.config(token={"processes": 1}, documents={"processes": 1})) as running:
        assert status(running, "/livez") == 200
        code, why = page(running, "/readyz")
        assert code == 503
        assert "school-token" in why
        world.token.tokens_directory.rmdir()
        away.rename(world.token.tokens_directory)
        until(lambda: status(running, "/readyz") == 200, "the token to be found again")


def test_readiness_is_a_real_signature_where_a_key_for_it_is_given(new_world: Callable[[], World]) -> None:
    world = new_world()
    with running_daemon(world.config(credentials=[PROBE_KEY], health=PROBE, token={"processes": 1})) as running:
        until(lambda: status(running, "/readyz") == 200, "a probe signature")
        signed = metric(running.metrics_port(), "signer_signatures_total", profile="digest", outcome="signed")
        entries = metric(running.metrics_port(), "signer_journal_entries_total")
        until(
            lambda: metric(running.metrics_port(), "signer_journal_entries_total") >= entries + 4,
            "two more probes, journalled as every key use",
        )
        assert metric(running.metrics_port(), "signer_signatures_total", profile="digest", outcome="signed") == signed, (
            "no client's figures"
        )


def test_a_probe_that_fails_says_not_ready_although_workers_look_well(new_world: Callable[[], World]) -> None:
    world = new_world()
    with running_daemon(world.config(credentials=[PROBE_KEY | {"key_label": "expired"}], health=PROBE)) as running:
        code, why = page(running, "/readyz")
        assert code == 503
        assert "probe" in why
        assert status(running, "/livez") == 200


def test_a_draining_daemon_is_live_but_not_ready_and_takes_work_again_when_told(new_world: Callable[[], World]) -> None:
    world = new_world()
    with running_daemon(world.config()) as running, world.channel(running.port, "operator") as operator:
        operations_call(operator, "SetDraining", enabled=True)
        assert page(running, "/readyz") == (503, "draining: nothing new is taken\n")
        assert operations_call(operator, "GetStatus").draining
        with pytest.raises(grpc.RpcError) as refused:
            operations_call(operator, "ListTokens")
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        operations_call(operator, "SetDraining", enabled=False)
        until(lambda: status(running, "/readyz") == 200, "work to be taken again")
        assert operations_call(operator, "ListTokens").tokens


def test_an_operator_is_told_what_the_daemon_is_doing(school: grpc.Channel, operator: grpc.Channel) -> None:
    sign_digests(school, {"d": bytes(32)})
    until(lambda: operations_call(operator, "GetStatus").document_workers_ready == 2, "both document workers")
    until(lambda: operations_call(operator, "GetStatus").rpcs == 1, "this very one")
    told = operations_call(operator, "GetStatus")
    assert (told.version, told.ready, told.draining) == (__version__, True, False)
    assert told.journal_entries > 2
    (forecast,) = told.forecasts
    assert (forecast.token_name, forecast.waiting) == ("school-token", 0)
    assert 0 < told.reload_time.ToSeconds() <= told.start_time.ToSeconds(), "what it started with is in force"


def test_who_is_no_operator_may_not_look_after_the_daemon(school: grpc.Channel) -> None:
    for method in ("GetStatus", "Diagnose", "ReloadConfiguration", "SetDraining"):
        with pytest.raises(grpc.RpcError) as refused:
            operations_call(school, method)
        assert reason_of_call(refused.value) == "ROLE_REFUSED"


def test_a_slow_prober_keeps_nobody_waiting(daemon: Running) -> None:
    import socket  # noqa: PLC0415  # one test's

    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(socket.create_connection(("127.0.0.1", daemon.metrics_port())))
        assert status(daemon, "/livez") == 200, "within ANSWER_S_MAX; one after the other they would hold it ten seconds each"
