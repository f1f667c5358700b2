"""What else signs PDFs from Python, on the same token, the same documents, with as many processes.

The peers are programs of their own (`peer_pyhanko.py`, `peer_endesive.py`) that import nothing of ours, so that they run in another
environment as well: `make bench-compare` installs them from PyPI into var/bench/venv and leaves our locked dependencies alone.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from tests.bench.against import row_against
from tests.bench.documents import sizes_kb
from tests.bench.ground import Ground, Skipped, judge_one
from tests.bench.loop import TokenPrograms
from tests.bench.pades import order_on
from tests.bench.row import Row, Target

_HERE = Path(__file__).parent
_KEY = "cbql"
_VENV_PACKAGES = ("pyhanko[pkcs11]", "endesive", "pypdf<6")  # endesive 3.0.1 names no version, and fails with 7


def pyhanko(ground: Ground) -> Iterator[Row]:
    """PAdES B-B against pyHanko's own PKCS#11 signer, best configuration, in our environment."""
    yield _against(ground, "pades-b-b-vs-pyhanko", sys.executable, "peer_pyhanko.py", Target(12.0))


def installed_pyhanko(ground: Ground) -> Iterator[Row]:
    """PAdES B-B against the newest pyHanko that pip installs."""
    yield _against(ground, "compare-pyhanko", _installed(ground), "peer_pyhanko.py", Target(12.0))


def installed_endesive(ground: Ground) -> Iterator[Row]:
    """PAdES B-B against endesive with its PyKCS11 signer (which makes plain PDF signatures, not PAdES)."""
    yield _against(ground, "compare-endesive", _installed(ground), "peer_endesive.py", None)


def _against(ground: Ground, bench: str, python: str, program: str, target: Target | None) -> Row:
    token, order = ground.world.token, order_on(ground)
    certificate = ground.world.folder / f"{_KEY}.der"
    certificate.write_bytes(token.key(_KEY).certificate.public_bytes(Encoding.DER))
    files = [certificate, ground.world.ca_file, order.folder]
    command = [python, "-P", str(_HERE / program), str(token.module_path), token.label, _KEY, *map(str, files)]
    judged = ground.scratch(f"judged-{bench}")
    with TokenPrograms([*command, str(judged)], ground.world) as peer, ground.daemon(ground.config(bench)) as deployed:
        judge_one(judged, 1)
        version = peer.said.get("version", "")
        return row_against(
            bench,
            ground,
            deployed,
            order,
            lambda: peer.run(ground.pace.seconds),
            target=target,
            name=f"{version}, 1 process",
            batch=order.batch,
            document_kb=sizes_kb(Path(order.folder)),
        )


def _installed(ground: Ground) -> str:
    """Python of an environment with the peers in it, made when there is none; Skipped when pip can't."""
    environment = ground.folder / "venv"
    python = environment / "bin" / "python"
    installed = environment / "installed"
    if not installed.exists():
        try:
            subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
            subprocess.run([str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", *_VENV_PACKAGES], check=True)
        except subprocess.CalledProcessError as error:
            raise Skipped(f"the peers can't be installed: {error}") from error
        installed.touch()
    return str(python)
