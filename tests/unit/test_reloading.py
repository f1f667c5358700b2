"""What a reload tells, and what is in force after it; the doors' own side is in e2e/test_reload."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from signer.config import load
from signer.server.reloading import Reloaded, Reloading
from signer.telemetry.metrics import Metrics

REST = """
[server]
tls_certificate = "a.pem"
tls_private_key = "a.pem"
tls_client_ca = "a.pem"
[[tokens]]
name = "main"
module = "a.pem"
pin = "env:PIN"
label = "x"
[[credentials]]
id = "tsa"
token = "main"
key_label = "tsa"
[timestamp]
credential = "tsa"
policy_oid = "1.2.3"
clock = { guard = "unguarded" }
"""
KEYS = ("timestamp.http.tls_certificate", "timestamp.http.tls_private_key")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    for name in ("a.pem", "b.pem"):
        (tmp_path / name).touch(0o600)
    return tmp_path / "signer.toml"


def write(file: Path, http: str) -> Path:
    file.write_text(f"{REST}\n{http}", encoding="utf-8")
    return file


def http(tls: str) -> str:
    """[timestamp.http] with this file as its certificate and key; empty: plain."""
    return '[timestamp.http]\nlisten = "127.0.0.1:0"\n' + (f'tls_certificate = "{tls}"\ntls_private_key = "{tls}"\n' if tls else "")


def reloading(file: Path) -> Reloading:
    return Reloading(load(file), file, Metrics.on(CollectorRegistry()))


async def test_a_certificate_of_the_timestamps_door_that_was_taken_is_told_once(file: Path) -> None:
    reload = reloading(write(file, http("a.pem")))
    write(file, http("b.pem"))
    assert await reload.reload(dry_run=True) == await reload.reload() == Reloaded(KEYS, ())
    assert await reload.reload() == Reloaded((), ())


@pytest.mark.parametrize(("before", "after"), [("", "a.pem"), ("a.pem", "")])
async def test_whether_the_timestamps_door_speaks_tls_waits_for_a_restart_and_is_told_until_then(
    file: Path, before: str, after: str
) -> None:
    reload = reloading(write(file, http(before)))
    write(file, http(after))
    for _ in range(2):
        assert await reload.reload() == Reloaded((), KEYS)


async def test_a_door_that_came_or_went_waits_for_a_restart(file: Path) -> None:
    reload = reloading(write(file, ""))
    write(file, http("a.pem"))
    assert await reload.reload() == Reloaded((), ("timestamp.http",))


async def test_a_certificate_of_the_page_is_taken_and_its_name_waits(file: Path) -> None:
    def page(tls: str, origin: str) -> str:
        return f'[pages]\nlisten = "127.0.0.1:0"\norigin = "{origin}"\ntls_certificate = "{tls}"\ntls_private_key = "{tls}"\n'

    reload = reloading(write(file, page("a.pem", "https://a.example")))
    write(file, page("b.pem", "https://b.example"))
    assert await reload.reload() == Reloaded(("pages.tls_certificate", "pages.tls_private_key"), ("pages.origin",))
    assert reload.config.pages is not None
    assert reload.config.pages.origin == "https://a.example"
