"""Who judges the demonstration: our own `signer verify`, and poppler's pdfsig with the demo root in an NSS database."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from signer.demo.stage import ROUNDS, Stage

_JUDGES_AT_ONCE = 2
_VALID = re.compile(r"Signature Validation: Signature is Valid\.")
_TRUSTED = re.compile(r"Certificate Validation: Certificate is Trusted\.")
_WHOLE = re.compile(r"Total document signed")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many files passed, and what is wrong with each that did not."""

    passed: int
    complaints: tuple[str, ...]


def verify_class(stage: Stage) -> Verdict:
    """Our own verification of every signed file, by the command line."""
    command = [sys.executable, "-m", "signer", "verify", str(stage.signed), "--trust", str(stage.roots), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    files = json.loads(done.stdout)["files"]
    complaints = tuple(str(file["path"]) for file in files if not _is_complete(file))
    return Verdict(len(files) - len(complaints), complaints)


def pdfsig_class(stage: Stage) -> Verdict:
    """Pdfsig on every signed file: three valid, trusted signatures, the last over the whole document."""
    database = stage.folder / "nss"
    database.mkdir()
    add = ["-A", "-n", "demo-root", "-t", "CT,C,C", "-i", str(stage.roots)]
    for arguments in (["-N", "--empty-password"], add):
        subprocess.run(["certutil", *arguments, "-d", f"sql:{database}"], check=True, capture_output=True)
    files = sorted(stage.signed.glob("*.pdf"))
    with ThreadPoolExecutor(_JUDGES_AT_ONCE) as pool:
        verdicts = list(pool.map(lambda file: _pdfsig(file, database), files))
    complaints = tuple(file.name for file, passed in zip(files, verdicts, strict=True) if not passed)
    return Verdict(len(files) - len(complaints), complaints)


def _is_complete(file: dict[str, object]) -> bool:
    signatures = file["signatures"]
    return file["indication"] == "TOTAL_PASSED" and isinstance(signatures, list) and len(signatures) == len(ROUNDS)


def _pdfsig(file: Path, database: Path) -> bool:
    done = subprocess.run(["pdfsig", "-nssdir", f"sql:{database}", "-no-ocsp", str(file)], capture_output=True, text=True, check=False)
    count = len(ROUNDS)
    return len(_VALID.findall(done.stdout)) == len(_TRUSTED.findall(done.stdout)) == count and bool(_WHOLE.search(done.stdout))
