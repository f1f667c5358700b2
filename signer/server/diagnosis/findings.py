"""How checks say what they found."""

from __future__ import annotations

from collections.abc import Iterable

from signer.model import Finding, Severity

_RUNBOOK = "file:///opt/signer/share/doc/signer/runbook/"
_GRAVITY = (Severity.FAIL, Severity.WARN, Severity.OK)


def ok(check: str, message: str) -> Finding:
    """All is well."""
    return Finding(check, Severity.OK, message)


def warn(check: str, message: str, remedy: str, page: str = "") -> Finding:
    """It will become a fault, or costs something. page: of the runbook; empty for none."""
    return Finding(check, Severity.WARN, message, remedy, _uri(page))


def fail(check: str, message: str, remedy: str, page: str = "") -> Finding:
    """Something can't be signed now. page: of the runbook; empty for none."""
    return Finding(check, Severity.FAIL, message, remedy, _uri(page))


def _uri(page: str) -> str:
    return f"{_RUNBOOK}{page}.md" if page else ""


def gravest_first(findings: Iterable[Finding]) -> list[Finding]:
    """Failures, then warnings, then what is well; else in the order they were found."""
    return sorted(findings, key=lambda finding: _GRAVITY.index(finding.severity))
