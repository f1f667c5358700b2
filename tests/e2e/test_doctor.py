"""`signer doctor`: with the daemon and without it; each fault is found, named with what to do, and no secret is shown."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.daemon import Running, World, running_daemon
from tests.support.nursery import command
from tests.support.waiting import until
from tests.support.worlds import copy_of

STATIC = {"configuration", "tls", "pin", "file-modes", "token-files", "journal", "disk", "trust"}
SEEN_BY_THE_DAEMON = {"tokens", "certificates", "documents", "clock", "tsa", "revocation"}
Seen = dict[str, list[dict[str, str]]]


def doctor(*arguments: str, **environment: str) -> tuple[int, str]:
    ran = command(["doctor", *arguments], {**os.environ, "HOME": "/nowhere", **environment})
    assert not ran.stderr, ran.stderr
    return ran.returncode, ran.stdout


def examined(config: Path, *arguments: str) -> tuple[int, Seen]:
    """Exit code, and the findings by check."""
    code, said = doctor("--config", str(config), "--json", *arguments)
    seen: Seen = {}
    for finding in json.loads(said)["findings"]:
        seen.setdefault(finding["check"], []).append(finding)
    return code, seen


def severities(seen: Seen) -> dict[str, set[str]]:
    return {check: {finding["severity"] for finding in findings} for check, findings in seen.items()}


def as_operator(world: World, running: Running) -> list[str]:
    pki = world.pki
    files = {"ca": pki / "tls-ca.crt", "cert": pki / "operator.crt", "key": pki / "operator.key"}
    return ["--server", f"localhost:{running.port}", *(part for name, file in files.items() for part in (f"--{name}", str(file)))]


@pytest.fixture(scope="module")
def place(pristine_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Path, Running]]:
    world = copy_of(pristine_world, tmp_path_factory.mktemp("doctor") / "it")
    config = world.config(token={"processes": 1}, documents={"processes": 1})
    with running_daemon(config) as running:
        until(lambda: running.worker_pids("documents"), "its document worker")
        yield world, config, running


def test_the_running_daemon_looks_for_itself_when_an_operator_asks(place: tuple[World, Path, Running]) -> None:
    world, config, running = place
    _code, seen = examined(config, *as_operator(world, running))
    assert set(seen) >= STATIC | SEEN_BY_THE_DAEMON | {"daemon"}
    told = severities(seen)
    assert {check for check in ("daemon", "tls", "pin", "tokens", "clock", "journal", "documents", "tsa") if told[check] != {"ok"}} == set()
    assert any("expired" in finding["message"] for finding in seen["certificates"]), "one of this world's certificates has"


def test_whoever_has_no_operators_certificate_is_told_so_and_sees_the_files(place: tuple[World, Path, Running]) -> None:
    world, config, running = place
    arguments = [part.replace("operator", "school") for part in as_operator(world, running)]
    code, seen = examined(config, *arguments)
    assert code == 1
    assert "operator" in seen["daemon"][0]["message"]
    assert set(seen) >= STATIC


def test_a_daemon_that_is_down_is_one_finding_among_what_can_be_seen_without_it(new_world: Callable[[], World]) -> None:
    world = new_world()
    config = world.config(metrics={"listen": "127.0.0.1:1"})
    code, seen = examined(config)
    assert code == 1
    assert severities(seen)["daemon"] == {"fail"}
    assert "journalctl" in seen["daemon"][0]["remedy"]
    assert {check for check in STATIC if "fail" in severities(seen)[check]} == set()


def spoil_pin(world: World) -> None:
    world.token.pin_file.write_bytes(b"")


def open_pin(world: World) -> None:
    world.token.pin_file.chmod(0o644)


def open_key(world: World) -> None:
    (world.pki / "server.key").chmod(0o644)


def swap_key(world: World) -> None:
    (world.pki / "server.key").write_bytes((world.pki / "school.key").read_bytes())


def empty_token(world: World) -> None:
    (token_object,) = world.token.tokens_directory.glob("*/token.object")
    token_object.write_bytes(b"")


def spoil_journal(world: World) -> None:
    (world.folder / "journal.db").write_bytes(b"no database " * 100)


@pytest.mark.parametrize(
    ("spoil", "check", "severity", "page"),
    [
        (spoil_pin, "pin", "fail", "SignerPinSourceUnreadable"),
        (open_pin, "pin", "fail", "SignerPinSourceUnreadable"),
        (open_key, "file-modes", "warn", ""),
        (swap_key, "tls", "fail", ""),
        (empty_token, "token-files", "fail", "SignerTokenDown"),
        (spoil_journal, "journal", "fail", "SignerJournalUnavailable"),
    ],
)
def test_each_fault_is_found_and_says_what_to_do(
    spoil: Callable[[World], None], check: str, severity: str, page: str, new_world: Callable[[], World]
) -> None:
    world = new_world()
    pin = world.token.pin_file.read_text(encoding="utf-8")
    config = world.config(metrics={"listen": "127.0.0.1:1"})
    spoil(world)
    _code, seen = examined(config)
    (found,) = [finding for finding in seen[check] if finding["severity"] != "ok"]
    assert found["severity"] == severity
    assert found["remedy"]
    assert page in found["runbook"]
    assert pin not in json.dumps(seen)


def test_a_configuration_that_is_refused_is_told_fault_by_fault(tmp_path: Path) -> None:
    (tmp_path / "signer.toml").write_text("[server]\nno_such_key = 1\n[metrics]\nlisten = 3\n", encoding="utf-8")
    code, seen = examined(tmp_path / "signer.toml")
    assert code == 1
    assert len(seen["configuration"]) >= 2
    assert all(finding["severity"] == "fail" for finding in seen["configuration"])


def test_people_get_a_table_with_the_gravest_first(place: tuple[World, Path, Running], new_world: Callable[[], World]) -> None:
    _world, config, running = place
    world = new_world()
    swap_key(world)
    _code, said = doctor("--config", str(world.config(metrics={"listen": "127.0.0.1:1"})), "--lang", "vi", COLUMNS="200")
    assert said.index("fail") < said.index(" ok ")
    assert "Cần làm" in said
    code, ready = doctor("--config", str(config_with_port(config, running)))
    assert code == 0
    assert "it is ready" in " ".join(ready.split())


def config_with_port(config: Path, running: Running) -> Path:
    """Port 0 is known to the daemon alone."""
    copy = config.with_name("with-port.toml")
    text = config.read_text(encoding="utf-8")
    listen = f'[metrics]\nlisten = "127.0.0.1:{running.metrics_port()}"'
    copy.write_text(text.replace('[metrics]\nlisten = "127.0.0.1:0"', listen), encoding="utf-8")
    return copy


def test_what_prints_json_prints_nothing_else(place: tuple[World, Path, Running]) -> None:
    world, config, running = place
    _code, said = doctor("--config", str(config), "--json", *as_operator(world, running))
    told: dict[str, Any] = json.loads(said)
    assert set(told) == {"healthy", "findings"}
    assert all(set(finding) == {"check", "severity", "message", "remedy", "runbook"} for finding in told["findings"])
