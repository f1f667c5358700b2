"""A secret that is known by heart is looked for in everything that a run leaves or shows: it must be in its own file and nowhere else.

The canaries: the PIN of the token, a wrong PIN that is refused and held, the PIN of an environment variable, and a door's password.
"""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from signer.demo.softhsm import KeyKind, KeySpec, create_token
from signer.errors import SignerError
from signer.v1 import common_pb2
from tests.support import pdfs
from tests.support.calls import operations_call, plan, sign_batch, sign_digests
from tests.support.daemon import Running, World, running_daemon
from tests.support.waiting import until

WRONG_PIN = "canary-5b1f-wrong-pin"
VARIABLE_PIN = "canary-77c2-variable"
PASSWORD = "canary-0e9d-password"


@dataclass(frozen=True, slots=True)
class Run:
    """A daemon that has worked, failed and been asked. shown: what it told whoever asked, by where."""

    daemon: Running
    canaries: Mapping[str, str]
    folder: Path
    shown: Mapping[str, bytes]


@pytest.fixture(scope="module")
def run(world: World) -> Iterator[Run]:
    """Talkative, with each kind of secret, and with one token that refuses its PIN."""
    secrets = {"wrong-pin": WRONG_PIN, "password": PASSWORD}
    for name, secret in secrets.items():
        (world.folder / name).write_text(secret, encoding="utf-8")
        (world.folder / name).chmod(0o600)
    second = create_token(world.folder / "second", "second", [KeySpec("key", KeyKind.EC_P256)])
    token = {"module": str(second.module_path), "label": second.label, "environment": dict(second.environment)}
    config = world.config(
        "canary.toml",
        journal={"url": "sqlite:///canary.db"},
        log={"level": "debug"},
        http={"listen": "127.0.0.1:0", "basic_user": "school", "basic_password": f"file:{world.folder / 'password'}"},
        tokens=[
            {"name": "refused", "pin": f"file:{world.folder / 'wrong-pin'}", **token},
            {"name": "by-variable", "pin": "env:CANARY_PIN", **token},
        ],
    )
    with running_daemon(config, environment={"CANARY_PIN": VARIABLE_PIN}) as daemon:
        canaries = {"the PIN": world.token.pin_file.read_text(encoding="utf-8").strip(), "a variable's PIN": VARIABLE_PIN}
        canaries |= {"a refused PIN": WRONG_PIN, "a password": PASSWORD}
        yield Run(daemon, canaries, world.folder, work(world, daemon))


def work(world: World, daemon: Running) -> dict[str, bytes]:
    """Signs, fails, loses a worker, reloads, is asked by operators and probes; what came back."""
    shown: dict[str, bytes] = {}
    with world.channel(daemon.port) as school, world.channel(daemon.port, "operator") as operator:
        signed = sign_batch(school, {"a": pdfs.report_card(pages=1), "b": b"no PDF"}, plan=plan("gvcn", common_pb2.LEVEL_B_T))
        shown["signed file"] = b"".join(signed.signed().values())
        shown["errors"] = failures(school)
        until(lambda: b"PIN_HELD" in daemon.log.read_bytes() or b"worker held" in daemon.log.read_bytes(), "the refused PIN is held")
        pid = daemon.worker_pids("school-token")[0]
        os.kill(pid, signal.SIGABRT)
        until(lambda: not Path(f"/proc/{pid}").exists(), "the worker is gone")
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: b"configuration reloaded" in daemon.log.read_bytes(), "the reload")
        for method in ("ListTokens", "GetStatus", "Diagnose"):
            shown[method] = str(operations_call(operator, method)).encode()
    for page in ("metrics", "livez", "readyz"):
        url = f"http://127.0.0.1:{daemon.metrics_port()}/{page}"
        with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(url, timeout=60) as answer:
            shown[page] = answer.read()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{daemon.timestamp_port()}/tsa", data=b"x", timeout=60)
    shown["timestamp door"] = refused.value.read() + str(refused.value.headers).encode()
    return shown


def failures(school: grpc.Channel) -> bytes:
    """What a school is told when things fail."""
    told = b""
    for changes in ({"credential_id": "nobody"}, {"credential_id": "bare"}, {"school_id": "x"}, {"credential_id": "expired"}):
        with pytest.raises(SignerError) as caught:
            sign_digests(school, {"d": bytes(32)}, **changes)
        told += f"{caught.value.message} {caught.value.metadata}".encode()
    return told


def spellings(secret: str) -> list[bytes]:
    """As it is, and as careless code would write it."""
    raw = secret.encode()
    return [raw, raw.hex().encode(), base64.b64encode(raw).rstrip(b"=")[:-1], secret.encode("utf-16-le")]


def found_in(content: bytes, canaries: Mapping[str, str]) -> list[str]:
    return [name for name, secret in canaries.items() if any(spelling in content for spelling in spellings(secret))]


def test_none_is_in_any_file_of_the_run_but_its_own(run: Run, world: World) -> None:
    own = {world.token.pin_file, run.folder / "wrong-pin", run.folder / "password"}
    files = [file for file in run.folder.rglob("*") if file.is_file() and file not in own]
    assert {"canary.db", "canary.log", "canary.toml", "canary.ready"} <= {file.name for file in files}
    assert {str(file): names for file in files if (names := found_in(file.read_bytes(), run.canaries))} == {}
    assert all(found_in(file.read_bytes(), run.canaries) for file in own), "the search finds one where there is one"


def test_none_is_in_what_anybody_was_shown(run: Run) -> None:
    assert {where: names for where, shown in run.shown.items() if (names := found_in(shown, run.canaries))} == {}
    assert {"metrics", "errors", "Diagnose", "signed file", "timestamp door"} <= run.shown.keys()


def test_none_is_on_a_command_line_of_the_machine(run: Run) -> None:
    lines = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            lines.append((folder / "cmdline").read_bytes())
    assert found_in(b"\n".join(lines), run.canaries) == []


def test_a_variable_s_pin_is_in_the_environment_of_its_own_token_s_worker_and_of_who_gave_it_alone(run: Run) -> None:
    holders = {"daemon": [run.daemon.process.pid], "others": run.daemon.worker_pids("documents") + run.daemon.worker_pids("school-token")}
    environments = {kind: [Path(f"/proc/{pid}/environ").read_bytes() for pid in pids] for kind, pids in holders.items()}
    assert environments["others"]
    assert [found_in(content, run.canaries) for content in environments["daemon"]] == [["a variable's PIN"]]
    assert [names for content in environments["others"] if (names := found_in(content, run.canaries))] == []


def test_a_worker_that_was_aborted_left_no_core(run: Run) -> None:
    """Killed by a signal that makes one."""
    working_folder = Path(f"/proc/{run.daemon.process.pid}/cwd").resolve()
    assert any(event["event"] == "worker lost" for event in run.daemon.events())
    assert [file.name for file in working_folder.glob("core*") if file.is_file()] == []
