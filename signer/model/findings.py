"""What `signer doctor` found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How grave a finding of `signer doctor` is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked. message: what was found. remedy: what to do; empty when OK. runbook_uri: empty for none."""

    check: str
    severity: Severity
    message: str
    remedy: str = ""
    runbook_uri: str = ""
