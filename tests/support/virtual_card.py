"""USB tokens without hardware: pcscd with a virtual reader (vsmartcard's vpcd), OpenSC's module, and PIV cards of our own (`piv_card`).

Debian: pcscd, vsmartcard-vpcd, opensc-pkcs11 (tools/setup.sh test). pcscd has one place for its socket, so one test process at a time has
the readers: whoever comes second waits.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import secrets
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.mortal import mortal
from tests.support.ports import free_ports
from tests.support.waiting import until

MODULE = Path("/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so")
PIN = "24681357"
ROOT = Path(__file__).parents[2]
_DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
_SOCKET = Path("/run/pcscd/pcscd.comm")
_LOCK = Path(tempfile.gettempdir()) / "signer-tests-pcscd.lock"
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@contextlib.contextmanager
def readers(folder: Path) -> Iterator[list[int]]:
    """pcscd with two virtual readers while the block runs: the ports at which a card is put into each."""
    port = free_ports(2)  # side by side, as vpcd takes them
    configuration = folder / "readers"
    configuration.mkdir(parents=True)
    text = f'FRIENDLYNAME "Virtual"\nDEVICENAME /dev/null:0x{port:X}\nLIBPATH {_DRIVER}\nCHANNELID 0x{port:X}\n'
    (configuration / "virtual").write_text(text, encoding="ascii")
    with _LOCK.open("w") as lock, (folder / "pcscd.log").open("wb") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _SOCKET.parent.mkdir(parents=True, exist_ok=True)
        command = mortal("pcscd", "--foreground", "--config", configuration)
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            _wait_for_reader(process, port)
            yield [port, port + 1]
        finally:
            process.terminate()
            process.wait(90)


def _wait_for_reader(process: subprocess.Popen[bytes], port: int) -> None:
    until(lambda: (_SOCKET.exists() and _listens(port + 1)) or process.poll() is not None, "the virtual readers to appear")
    assert process.poll() is None, "pcscd ended; is another one running?"


def _listens(port: int) -> bool:
    listening = f":{port:04X} "
    return any(
        listening in line and " 0A " in line
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for line in Path(table).read_text(encoding="ascii").splitlines()
    )


@dataclass(frozen=True, slots=True)
class Uses:
    """What a card wrote down. key_uses: by digest, its last 32 bytes. pins: `right` and `wrong` tries."""

    key_uses: Counter[bytes]
    pins: Counter[str]


class VirtualCard:
    """One card, and the process that plays it. Not in any reader at first."""

    def __init__(self, folder: Path, port: int, process: subprocess.Popen[str], serial: str) -> None:
        self.serial = serial
        self.port = port
        self._folder = folder
        self._process = process

    def insert(self) -> None:
        """Into its reader."""
        self._tell("insert")

    def pull(self) -> None:
        """Out of it, at once."""
        self._tell("pull")

    def delay(self, seconds: float) -> None:
        """Each signature takes so much longer."""
        self._tell(f"delay {seconds}")

    def leave_tries(self, count: int) -> None:
        """So many tries of its PIN are left; 0: it is blocked."""
        self._tell(f"tries {count}")

    def uses(self) -> Uses:
        """So far."""
        log = self._folder / "log"
        lines = [line.split() for line in log.read_text(encoding="ascii").splitlines()] if log.exists() else []
        return Uses(
            key_uses=Counter(bytes.fromhex(what) for kind, what, _at in lines if kind == "key"),
            pins=Counter(what for kind, what, _at in lines if kind == "pin"),
        )

    def end(self) -> None:
        """Out of the reader, and away."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _tell(self, command: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline().strip() == command, "the card's process has ended"


def make_card(folder: Path, port: int, keys: dict[str, tuple[Key, x509.Certificate]], *, pin: str = PIN, tries: int = 3) -> VirtualCard:
    """A card with keys in PIV slots (`9a`, `9c`)."""
    folder.mkdir(parents=True)
    guid = secrets.token_bytes(16)
    for slot, (key, _certificate) in keys.items():
        (folder / f"{slot}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    certificates = {slot: certificate.public_bytes(Encoding.DER).hex() for slot, (_key, certificate) in keys.items()}
    about = {"guid": guid.hex(), "pin": pin, "tries": tries, "certificates": certificates}
    (folder / "card.json").write_text(json.dumps(about), encoding="utf-8")
    process = subprocess.Popen(
        mortal(sys.executable, "-m", "tests.support.piv_card", port, folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    return VirtualCard(folder, port, process, guid.hex()[-16:])
