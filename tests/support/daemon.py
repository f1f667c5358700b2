"""The real daemon as a subprocess, on a real SoftHSM token with a demo PKI: what end-to-end, fault and bench code stand on.

`build_world` makes the token, the PKI and the configuration once; `Running` starts and stops daemons on it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc

from signer.demo.certificate_profiles import LeafKind, Subject, Usage, Validity
from signer.demo.pem import write_certificates
from signer.demo.pki import DemoPki
from signer.demo.pupils import DEMO_SCHOOL
from signer.demo.softhsm import DemoToken, KeyKind, KeySpec, create_token, store_certificates
from signer.demo.tls_pki import TlsPki
from tests.support.mortal import mortal
from tests.support.nursery import Forked, Prepare, unprepared

SCHOOL = "79000001"
OTHER_SCHOOL = "79000002"
POLICY_OID = "1.3.6.1.4.1.99999.1.1"
_READY_S_MAX = 120.0

_LEAVES = {
    "gvcn": LeafKind.HOMEROOM_TEACHER,
    "cbql": LeafKind.PRINCIPAL,
    "seal": LeafKind.SCHOOL_SEAL,
    "ec": LeafKind.PRINCIPAL,
    "ec384": LeafKind.PRINCIPAL,
    "other": LeafKind.PRINCIPAL,
    "expired": LeafKind.PRINCIPAL,
    "wrong-usage": LeafKind.PRINCIPAL,
    "tsa": LeafKind.TSA,
}


@dataclass(frozen=True, slots=True)
class World:
    """A folder with everything a daemon and its clients need."""

    folder: Path
    token: DemoToken
    ca_file: Path
    root_file: Path

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    def config(self, name: str = "signer.toml", **changes: Any) -> Path:
        """Writes a configuration with one worker of each kind; changes: token, server, documents, journal, limits, clock … as dicts; tsas,
        images, clients, tokens beside the world's own and credentials, lists of dicts."""
        path = self.folder / name
        path.write_text(_config_text(self, changes), encoding="utf-8")
        return path

    def channel(self, port: int, client: str = "school", options: Sequence[tuple[str, Any]] = ()) -> grpc.Channel:
        """A mutual-TLS channel as one of the clients: school, other-school, operator, stranger."""
        credentials = grpc.ssl_channel_credentials(
            (self.pki / "tls-ca.crt").read_bytes(), (self.pki / f"{client}.key").read_bytes(), (self.pki / f"{client}.crt").read_bytes()
        )
        return grpc.secure_channel(f"localhost:{port}", credentials, options=list(options))


def build_world(folder: Path) -> World:
    """Token with all keys, certificates of every kind tests need, TLS identities. Takes about three seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = {"ec": KeyKind.EC_P256, "ec384": KeyKind.EC_P384}
    keys = [KeySpec(label, kinds.get(label, KeyKind.RSA_2048)) for label in _LEAVES]
    token = create_token(folder / "softhsm", "test", [*keys, KeySpec("bare")])
    pki = DemoPki.create(key_bits=2048)
    now = datetime.now(UTC)
    certificates = {}
    for label, kind in _LEAVES.items():
        subject = Subject(f"Nguyễn Thị {label} (DEMO)", organisation="UBND tỉnh Demo", units=("TRƯỜNG TIỂU HỌC DEMO",), locality="Demo")
        certificates[label] = pki.issue_leaf(
            kind,
            subject,
            token.key(label).public_key,
            validity=Validity.expired(now) if label == "expired" else None,
            usage=Usage.ENCRYPTION if label == "wrong-usage" else None,
        )
    token = store_certificates(token, certificates)
    write_certificates(folder / "ca.pem", pki.subordinate_certificate, pki.root_certificate)
    write_certificates(folder / "root.pem", pki.root_certificate)
    tls, strange = TlsPki.create(), TlsPki.create()
    certs = folder / "pki"
    certs.mkdir(exist_ok=True)
    write_certificates(certs / "tls-ca.crt", tls.certificate)
    tls.server().write_pem(certs, "server")
    for name in ("school", "other-school", "operator", "unlisted"):
        tls.client(name).write_pem(certs, name)
    strange.client("school").write_pem(certs, "stranger")
    return World(folder, token, folder / "ca.pem", folder / "root.pem")


def _config_text(world: World, changes: Mapping[str, Any]) -> str:
    token = {
        "name": "school-token",
        "module": str(world.token.module_path),
        "label": world.token.label,
        "pin": f"file:{world.token.pin_file}",
        "processes": 1,
        "softhsm_token_directory": str(world.token.tokens_directory),
        "environment": dict(world.token.environment),
    } | changes.get("token", {})
    credentials = [{"id": label, "token": "school-token", "key_label": label, "school": SCHOOL} for label in (*_LEAVES, "bare")]
    for entry in credentials:
        entry["school"] = {"other": OTHER_SCHOOL, "tsa": ""}.get(entry["id"], SCHOOL)
    tables: list[tuple[str, Mapping[str, Any]]] = [
        (
            "[server]",
            {
                "listen": "127.0.0.1:0",
                "tls_certificate": "pki/server.crt",
                "tls_private_key": "pki/server.key",
                "tls_client_ca": "pki/tls-ca.crt",
                "drain_s": 5,
            }
            | changes.get("server", {}),
        ),
        ("[server.limits]", changes.get("limits", {})),
        ("[server.connections]", changes.get("connections", {})),
        ("[metrics]", {"listen": "127.0.0.1:0"} | changes.get("metrics", {})),
        ("[health]", changes.get("health", {})),
        ("[log]", {"level": "info"} | changes.get("log", {})),
        ("[tracing]", changes.get("tracing", {})),
        ("[journal]", {"url": "sqlite:///journal.db"} | changes.get("journal", {})),
        ("[documents]", {"processes": 1} | changes.get("documents", {})),
        ("[records]", {"schools": [{"id": SCHOOL, "code": DEMO_SCHOOL.code}], "seal_in_person": False} | changes.get("records", {})),
        ("[trust]", {"ca_files": ["ca.pem"]} | changes.get("trust", {})),
        ("[timestamp]", {"credential": "tsa", "policy_oid": POLICY_OID} | changes.get("timestamp", {})),
        ("[timestamp.clock]", changes.get("clock", {"guard": "unguarded"})),
        *([("[timestamp.http]", changes["http"])] if "http" in changes else []),
        *([("[pages]", changes["pages"])] if "pages" in changes else []),
        *([("[queue]", changes["queue"])] if "queue" in changes else []),
        ("[stamping]", changes.get("stamping", {})),
        ("[revocation]", changes.get("revocation", {})),
        *([("[appearance]", changes["appearance"])] if "appearance" in changes else []),
        *([("[activation]", changes["activation"])] if "activation" in changes else []),
        *[("[[appearance.images]]", image) for image in changes.get("images", [])],
        *[("[[stamping.servers]]", server) for server in changes.get("tsas", [])],
        *[("[[tokens]]", entry) for entry in [token, *changes.get("tokens", [])]],
        *[("[[credentials]]", entry) for entry in [*credentials, *changes.get("credentials", [])]],
        ("[[clients]]", {"id": "school", "common_name": "school", "schools": [SCHOOL]}),
        ("[[clients]]", {"id": "other-school", "common_name": "other-school", "schools": [OTHER_SCHOOL]}),
        ("[[clients]]", {"id": "operator", "common_name": "operator", "schools": [SCHOOL], "operator": True}),
        *[("[[clients]]", entry) for entry in changes.get("clients", [])],
    ]
    return "\n".join(f"{head}\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in body.items()) for head, body in tables)


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value)


@dataclass(slots=True)
class Running:
    """A started daemon. log: its standard error."""

    process: subprocess.Popen[bytes] | Forked
    port: int
    log: Path
    workers: dict[str, int] = field(default_factory=dict)

    def events(self) -> list[dict[str, Any]]:
        """What it logged so far; a line that is still being written is not looked at."""
        whole, _newline, _begun = self.log.read_text(encoding="utf-8").rpartition("\n")
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]

    def worker_pids(self, prefix: str) -> list[int]:
        """Processes of the workers whose last `worker ready` names start with prefix, and that still live."""
        pids = {event["worker"]: event["pid"] for event in self.events() if event["event"] == "worker ready"}
        return [pid for name, pid in pids.items() if name.startswith(prefix) and Path(f"/proc/{pid}").exists()]

    def metrics_port(self) -> int:
        return int(next(event["metrics_port"] for event in self.events() if event["event"] == "serving"))

    def timestamp_port(self) -> int:
        """Of `[timestamp.http]`."""
        return int(next(event["timestamp_port"] for event in self.events() if event["event"] == "serving"))

    def stop(self, within_s: float = 120.0) -> int:
        """SIGTERM, and waits; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within_s)


def start_daemon(
    config: Path, *, environment: Mapping[str, str] | None = None, is_cold: bool = False, prepare: Prepare = unprepared
) -> Running:
    """Starts `signer serve` and waits until it answers; AssertionError with its log when it doesn't.

    environment: further variables, from the program's very start. is_cold: by a command of its own, as an operator does; otherwise a test's
    daemon may come out of the nursery. prepare: what is done to one of the nursery's before it begins.
    """
    ready = config.with_suffix(".ready")
    ready.unlink(missing_ok=True)
    log = config.with_suffix(".log")
    arguments = ["serve", "--config", str(config), "--ready-file", str(ready)]
    is_cold = is_cold or environment is not None or "PYTEST_CURRENT_TEST" not in os.environ
    log.write_bytes(b"")
    process = _command(arguments, log, environment or {}) if is_cold else Forked(arguments, log, prepare)
    deadline = time.monotonic() + _READY_S_MAX
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            message = f"the daemon did not start (exit {process.poll()}):\n{log.read_text(encoding='utf-8')[-4000:]}"
            raise AssertionError(message)
        time.sleep(0.02)
    return Running(process, json.loads(ready.read_text(encoding="utf-8"))["port"], log)


def _command(arguments: Sequence[str], log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "signer", *arguments]
    if threading.current_thread() is threading.main_thread():  # another thread's end would be the daemon's
        command = mortal(*command)
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )


@contextlib.contextmanager
def running_daemon(config: Path, **options: Any) -> Iterator[Running]:
    """A daemon while the block runs."""
    daemon = start_daemon(config, **options)
    try:
        yield daemon
    finally:
        daemon.stop()
