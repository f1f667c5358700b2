"""The demonstration: build the stage, start the real daemon, sign a class three times over gRPC, verify, show, stop.

Everything a person would do is done with the command line a person has: `signer serve`, `signer sign`, `signer verify`, `pdfsig`.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from signer.demo.judge import pdfsig_class, verify_class
from signer.demo.preflight import check_records
from signer.demo.show import Signed, show_metrics, show_rounds, show_verdict, show_where
from signer.demo.shown import shown
from signer.demo.stage import ROUNDS, Round, Stage, build
from signer.errors import SignerError, Unrecognized

_READY_S_MAX = 60.0
_STOP_S_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Served:
    """A daemon that answers."""

    process: subprocess.Popen[bytes]
    port: int
    metrics_port: int
    timestamp_port: int


def run(folder: Path, *, keep_serving: bool, console: Console) -> int:
    """Runs the demonstration; exit code 0 when every record has three signatures that everybody accepts."""
    started_s = time.monotonic()
    folder = folder.absolute()
    with console.status("Making a token, a demo PKI and a class of 35 pupils …"):
        try:
            stage = build(folder)
        except SignerError as error:
            console.print(error.message, style="red")
            return 2
    console.print(f"1. Class {stage.school_class.name}: {len(stage.school_class.pupils)} report cards in {shown(stage.records)}")
    with _serving(stage) as daemon:
        console.print(
            f"2. signer serve: gRPC with mutual TLS on localhost:{daemon.port}, metrics on localhost:{daemon.metrics_port}", soft_wrap=True
        )
        check_records(stage.xml_records, stage.client_config, console)
        rounds = [_sign(stage, index, each, console) for index, each in enumerate(ROUNDS)]
        show_rounds(console, rounds)
        with console.status("Verifying every file …"):
            own, pdfsig = verify_class(stage), pdfsig_class(stage)
        show_verdict(console, stage, own, pdfsig)
        show_metrics(console, daemon.metrics_port)
        show_where(console, stage, time.monotonic() - started_s)
        if keep_serving:
            _keep(stage, daemon, console)
    complete = all(one.failed == 0 for one in rounds) and own.passed == pdfsig.passed == len(stage.school_class.pupils)
    return 0 if complete else 1


@contextmanager
def _serving(stage: Stage) -> Iterator[Served]:
    ready, log = stage.folder / "daemon.ready", stage.folder / "daemon.log"
    command = [sys.executable, "-m", "signer", "serve", "--config", str(stage.config), "--ready-file", str(ready)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        yield _await_ready(process, ready, log, stage)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()


def _await_ready(process: subprocess.Popen[bytes], ready: Path, log: Path, stage: Stage) -> Served:
    deadline_s = time.monotonic() + _READY_S_MAX
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline_s:
            tail = log.read_text(encoding="utf-8")[-2000:]
            message = f"the daemon did not start; the end of {log}:\n{tail}"
            raise RuntimeError(message)
        time.sleep(0.05)
    facts: dict[str, Any] = json.loads(ready.read_text(encoding="utf-8"))
    client = stage.client_config
    client.write_text(client.read_text(encoding="utf-8").replace("@PORT@", str(facts["port"])), encoding="utf-8")
    return Served(process, facts["port"], facts["metrics_port"], facts["timestamp_port"])


def _sign(stage: Stage, index: int, each: Round, console: Console) -> Signed:
    """One round by the command line client; the progress bar is its own."""
    source = stage.records if index == 0 else stage.folder / f"round-{index}"
    target = stage.signed if index == len(ROUNDS) - 1 else stage.folder / f"round-{index + 1}"
    arguments = ["sign", shown(source), "--out", shown(target), "--client-config", shown(stage.client_config)]
    arguments += ["--credential", each.credential, "--level", "b-t", "--field", each.field]
    console.print(f"{index + 4}. {each.title} ({each.title_vi}):")
    console.print(f"   signer {' '.join(arguments)}", style="bold", soft_wrap=True)
    done = subprocess.run([sys.executable, "-m", "signer", *arguments, "--json"], stdout=subprocess.PIPE, check=False)
    told = json.loads(done.stdout)
    if told.get("error"):
        raise Unrecognized(f"signer sign ended with {told['error']['reason']}: {told['error']['message']}")
    return Signed.from_json(each, told)


def _keep(stage: Stage, daemon: Served, console: Console) -> None:
    console.print(
        f"\nThe daemon goes on serving (pid {daemon.process.pid}); Ctrl-C stops it. Its clients' settings: {shown(stage.client_config)}"
    )
    console.print(
        f"Its timestamps for any software (RFC 3161), here by OpenSSL and curl:\n"
        f"   openssl ts -query -data README.md -sha256 -cert | curl -s -H Content-Type:application/timestamp-query --data-binary @- "
        f"http://127.0.0.1:{daemon.timestamp_port}/tsa | openssl ts -reply -in /dev/stdin -text",
        soft_wrap=True,
        highlight=False,
    )
    try:
        daemon.process.wait()
    except KeyboardInterrupt:
        console.print("stopping …")
