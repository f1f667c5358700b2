"""Edge mode: deploy/edge as it stands, on a token of 200 ms a signature. A class is signed, and what is said of the time left is true."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import pdfs
from tests.support.daemon import Running, World, running_daemon
from tests.support.shim import Door, Shim, build

ROOT = Path(__file__).parents[2]
SIGN_S = 0.2
CLASS = 35
_ETA = re.compile(r"ETA (\d+):(\d\d)")


def edge_config(world: World, shim: Shim) -> Path:
    """The file that is deployed, with the paths and the token of this world in place of a school's."""
    text = (ROOT / "deploy/edge/signer.toml").read_text(encoding="utf-8")
    changes = {
        '"0.0.0.0:8443"': '"127.0.0.1:0"',
        '"127.0.0.1:9464"': '"127.0.0.1:0"',
        '"tls/server.crt"': '"pki/server.crt"',
        '"tls/server.key"': '"pki/server.key"',
        '"tls/clients-ca.crt"': '"pki/tls-ca.crt"',
        "sqlite:////var/lib/signer/journal.db": "sqlite:///edge.db",
        '"trust/g2.pem"': '"ca.pem"',
        '"/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so"': f'"{shim.module}"',
        '"00000000"': f'"{world.token.serial}"',
        '"credential:usb-pin"': f'"file:{world.token.pin_file}"',
        '{ OPENSC_CONF = "/etc/signer/opensc-usb.conf" }': "{ " + ", ".join(f'{k} = "{v}"' for k, v in shim.environment.items()) + " }",
        'key_id = "02"': f'key_id = "{world.token.key("seal").key_id.hex()}"',
        'common_name = "school-software"': 'common_name = "school"',
    }
    for old, new in changes.items():
        assert old in text, f"deploy/edge/signer.toml no longer has {old}"
        text = text.replace(old, new)
    path = world.folder / "edge.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def edge(new_world: Callable[[], World]) -> Iterator[tuple[World, Running]]:
    world = new_world()
    shim = Shim(build(world.folder), world.token, world.folder / "edge.shim")
    shim.delay(Door.SIGN, SIGN_S)
    with running_daemon(edge_config(world, shim)) as running:
        yield world, running


def test_a_class_on_a_slow_token_is_signed_and_the_time_left_is_told_truly(edge: tuple[World, Running], tmp_path: Path) -> None:
    world, running = edge
    folder = tmp_path / "class-1A"
    folder.mkdir()
    for number in range(CLASS):
        (folder / f"{number:02}.pdf").write_bytes(pdfs.report_card(number, pages=1))
    started_s = time.monotonic()
    told, code = on_a_terminal(world, running, ["sign", str(folder), "--school", "79000123", "--credential", "seal", "--level", "b-b"])
    ended_s = time.monotonic()
    assert code == 0, told[-1][1] if told else ""
    assert len(list((tmp_path / "class-1A-signed").glob("*.pdf"))) == CLASS
    assert ended_s - started_s > CLASS * SIGN_S, "the token is as slow as it was made"
    forecasts = [(moment_s, left_s) for moment_s, text in told for left_s in etas(text)]
    halfway_s = started_s + (ended_s - started_s) / 2
    late = [(moment_s, left_s) for moment_s, left_s in forecasts if moment_s > halfway_s]
    assert late, "nothing was said of the time left in the second half"
    errors_s = sorted(abs((ended_s - moment_s) - left_s) for moment_s, left_s in late)
    assert errors_s[len(errors_s) // 2] < 2.0 + 0.2 * (ended_s - started_s), forecasts


def etas(text: str) -> list[float]:
    """Seconds left, as often as the text says so."""
    return [int(minutes) * 60.0 + int(seconds) for minutes, seconds in _ETA.findall(text)]


def on_a_terminal(world: World, running: Running, arguments: list[str]) -> tuple[list[tuple[float, str]], int]:
    """What a command shows on a terminal of 120 columns, each piece with its time; and its exit code."""
    connection = {
        "SIGNER_SERVER": f"localhost:{running.port}",
        "SIGNER_CA": f"{world.pki}/tls-ca.crt",
        "SIGNER_CERT": f"{world.pki}/school.crt",
        "SIGNER_KEY": f"{world.pki}/school.key",
    }
    terminal, theirs = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "LANG": "C.UTF-8", **connection}
    command = [sys.executable, "-m", "signer", *arguments]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=ROOT)
    os.close(theirs)
    told: list[tuple[float, str]] = []
    with contextlib.suppress(OSError):  # the terminal closes when the program ends
        while piece := os.read(terminal, 65536):
            told.append((time.monotonic(), piece.decode(errors="replace")))
    os.close(terminal)
    return told, process.wait(60)
