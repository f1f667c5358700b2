"""Whether a certificate is the CA it says it is (before it is believed), and what an operator should know of it (always)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1

from signer.errors import AnchorImpostor, InvalidArgument
from signer.formats.status.path import may_issue
from signer.trust.anchor import Anchor
from signer.trust.known import known_name, recognise

ENDS_SOON: Final = timedelta(days=5 * 365)
"""Report cards are looked at for longer than that."""


def require_genuine(certificate: x509.Certificate, believed: Iterable[Anchor], sha256: str | None) -> None:
    """Raises unless it may be believed.

    sha256: lower-case hexadecimal; the fingerprint that the operator has from the CA itself, None for none.

    Raises:
        InvalidArgument: it is no CA's, or has another fingerprint than the operator's.
        AnchorImpostor: it bears a known CA's name and is not its certificate; or the name of one that is believed already, and the
            operator did not give its fingerprint.
    """
    found = Anchor(certificate)
    if not may_issue(certificate, 0):
        raise InvalidArgument(f"{found.subject}: not a CA certificate that may issue certificates (basicConstraints, keyCertSign)")
    if sha256 is not None and sha256 != found.anchor_id:
        raise InvalidArgument(f"{found.subject}: its SHA-256 is {found.anchor_id}, not the {sha256} that was given; it is not believed")
    if recognise(certificate) is not None:
        return
    known = known_name(certificate)
    if known is not None:
        raise AnchorImpostor(
            f"{found.subject}: bears the name of the {known.known_as} ({known.subject}), whose certificate has SHA-256 {known.sha256}; "
            f"this one has {found.anchor_id}. It is not believed: get the certificate from the authority itself",
            knownAs=known.known_as,
            sha256=found.anchor_id,
        )
    namesakes = [each for each in believed if each.certificate.subject == certificate.subject]
    if namesakes and sha256 is None and found.anchor_id not in {each.anchor_id for each in namesakes}:
        raise AnchorImpostor(
            f"{found.subject}: another certificate of this name is believed already (SHA-256 {namesakes[0].anchor_id}); this one has "
            f"{found.anchor_id}. If the CA has really changed it, give the new fingerprint as the CA publishes it",
            sha256=found.anchor_id,
        )


def warnings(certificate: x509.Certificate, now: datetime) -> Iterator[str]:
    """What an operator should know of a believed CA, a sentence each."""
    until = certificate.not_valid_after_utc
    if until <= now:
        yield f"it ended on {until:%Y-%m-%d}: nothing below it is signed or validated any more, but for archived documents"
    elif until <= now + ENDS_SOON:
        yield (
            f"it ends on {until:%Y-%m-%d}: signatures below it that must stand longer need level B-LTA before that day, or a certificate "
            "below a CA that outlives them"
        )
    if certificate.not_valid_before_utc > now:
        yield f"it is valid from {certificate.not_valid_before_utc:%Y-%m-%d} on only"
    if isinstance(certificate.signature_hash_algorithm, SHA1) and certificate.issuer != certificate.subject:
        yield "it is signed with SHA-1, which is accepted because it is named here"
