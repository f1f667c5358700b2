"""How `signer trust` shows a CA: as lines, as a row, as JSON; and who vouches for a certificate."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from signer.cli.language import Text, say
from signer.cli.output import clean, note

if TYPE_CHECKING:
    from signer.trust.anchor import Anchor, TrustPurpose
    from signer.trust.book import TrustBook

PURPOSES = ("signing", "validation", "timestamp")
WARNING = Text("warning: {text}", "lưu ý: {text}")
_ROOT = Text("anchor", "CA gốc")
_INTERMEDIATE = Text("intermediate", "CA trung gian")


def show(anchor: Anchor) -> None:
    """Who it is, its fingerprint as CAs publish theirs, and warnings."""
    certificate = anchor.certificate
    click.echo(clean(anchor.subject))
    click.echo(f"  SHA-256  {_grouped(anchor.anchor_id)}")
    click.echo(f"  {certificate.not_valid_before_utc:%Y-%m-%d} – {certificate.not_valid_after_utc:%Y-%m-%d}")
    for warning in _warnings(anchor):
        note(say(WARNING, text=warning))


def _grouped(digits: str) -> str:
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2)).upper()


def words(anchor: Anchor) -> str:
    """Its purposes."""
    return ", ".join(each.value for each in _sorted(anchor))


def _sorted(anchor: Anchor) -> list[TrustPurpose]:
    return sorted(anchor.purposes, key=lambda purpose: PURPOSES.index(purpose.value))


def _warnings(anchor: Anchor) -> list[str]:
    from datetime import UTC, datetime

    from signer.trust.admit import warnings

    return list(warnings(anchor.certificate, datetime.now(UTC)))


def _known_as(anchor: Anchor) -> str:
    from signer.trust.known import recognise

    known = recognise(anchor.certificate)
    return known.known_as if known else ""


def row(anchor: Anchor) -> list[Any]:
    """A row of the table."""
    return [
        anchor.subject,
        anchor.anchor_id[:16],
        _known_as(anchor),
        say(_ROOT if anchor.is_root else _INTERMEDIATE),
        words(anchor),
        f"{anchor.certificate.not_valid_after_utc:%Y-%m-%d}",
        "; ".join(_warnings(anchor)),
    ]


def members(anchor: Anchor) -> dict[str, Any]:
    """An object of the JSON."""
    return {
        "anchor_id": anchor.anchor_id,
        "subject": anchor.subject,
        "known_as": _known_as(anchor),
        "is_root": anchor.is_root,
        "purposes": [each.value for each in _sorted(anchor)],
        "not_after": anchor.certificate.not_valid_after_utc.isoformat(),
        "file": str(anchor.file) if anchor.file else "",
        "warnings": _warnings(anchor),
    }


def vouching(book: TrustBook, certificate: Any) -> dict[str, Any]:
    """Who vouches for it. anchor: empty when nobody does."""
    from datetime import UTC, datetime

    from signer.errors import VerificationFailed
    from signer.formats.status.path import find_path
    from signer.trust.anchor import Anchor

    told: dict[str, Any] = {"subject": Anchor(certificate).subject, "anchor": "", "purposes": [], "chain": [], "warnings": []}
    roots = {each.certificate: each for each in book.anchors if each.is_root}
    try:
        path = find_path(certificate, (), roots, datetime.now(UTC), configured=book.certificates)
    except VerificationFailed:
        return told
    anchor = roots[path.certificates[-1]]
    above = [Anchor(each) for each in path.certificates[1:]]
    return told | {
        "anchor": anchor.subject,
        "purposes": [each.value for each in _sorted(anchor)],
        "chain": [each.subject for each in above],
        "warnings": [f"{each.subject}: {warning}" for each in above for warning in _warnings(each)],
    }
