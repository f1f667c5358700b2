"""What a check says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

RUNBOOK = "file:///opt/signer/share/doc/signer/runbook/"


class Severity(Enum):
    """How grave; the contract's Severity has the same names but for FAIL, its ERROR."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked. remedy: what to do; empty when OK. page: of the runbook; empty for none."""

    check: str
    severity: Severity
    message: str
    remedy: str = ""
    page: str = ""

    @property
    def runbook_uri(self) -> str:
        """Where its page is; empty for none."""
        return f"{RUNBOOK}{self.page}.md" if self.page else ""


def ok(check: str, message: str) -> Finding:
    """All is well."""
    return Finding(check, Severity.OK, message)


def warn(check: str, message: str, remedy: str, page: str = "") -> Finding:
    """It will become a fault, or costs something."""
    return Finding(check, Severity.WARN, message, remedy, page)


def fail(check: str, message: str, remedy: str, page: str = "") -> Finding:
    """Something can't be signed now."""
    return Finding(check, Severity.FAIL, message, remedy, page)


_GRAVITY = (Severity.FAIL, Severity.WARN, Severity.OK)


def gravest_first(findings: Iterable[Finding]) -> list[Finding]:
    """Failures, then warnings, then what is well; else in the order they were found."""
    return sorted(findings, key=lambda finding: _GRAVITY.index(finding.severity))
