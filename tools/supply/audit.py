"""Known holes in what is shipped, by pip-audit: `python -m tools.supply.audit`. It asks a public advisory service for each locked package.

pip-audit passes over a package that the service does not know or that it can't be asked about, and ends well; here that is no all-clear.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any

from tools.supply.shipped import LOCK

_COMMAND = ("--requirement", str(LOCK), "--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json")


class Verdict(IntEnum):
    """The exit code."""

    CLEAR = 0
    HOLES = 1
    UNKNOWN = 2


def judge(packages: Sequence[Mapping[str, Any]]) -> tuple[Verdict, list[str]]:
    """Of pip-audit's `dependencies`: the verdict, and a line for each hole and each package nobody could tell about."""
    holes = [
        f"{each['name']} {each['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'no release yet'}"
        for each in packages
        for hole in each.get("vulns", ())
    ]
    unknown = [f"{each['name']}: {each['skip_reason']}" for each in packages if "skip_reason" in each]
    verdict = Verdict.HOLES if holes else Verdict.UNKNOWN if unknown or not packages else Verdict.CLEAR
    return verdict, holes + unknown


def _main() -> Verdict:
    asked = subprocess.run([Path(sys.executable).with_name("pip-audit"), *_COMMAND], capture_output=True, text=True, check=False)
    try:
        packages = json.loads(asked.stdout)["dependencies"]
    except (ValueError, KeyError):
        sys.stderr.write(asked.stderr)
        return Verdict.UNKNOWN
    verdict, lines = judge(packages)
    said = {Verdict.CLEAR: "no hole is known", Verdict.HOLES: "holes are known", Verdict.UNKNOWN: "nobody could tell about all of them"}
    sys.stdout.write("".join(f"{line}\n" for line in lines) + f"{len(packages)} packages: {said[verdict]}\n")
    return verdict


if __name__ == "__main__":
    sys.exit(_main())
