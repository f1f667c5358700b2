"""Issued certificates: each is matched to its key by its public key, checked, and from then on signed with.

A certificate of a renewal makes the old credential end at the end of the overlap. Another one for a key that has one already replaces it
if it is valid longer (renewal with the same key).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from signer.errors import (
    CertificateExpired,
    CertificateUnusable,
    ChangedMeanwhile,
    InvalidArgument,
    KeyNotFound,
    SignerError,
    StateRefused,
    VerificationFailed,
)
from signer.journal import CredentialChange, NoteKind
from signer.model import Credential, CredentialState, KeptCredential
from signer.pipeline.key_life import KeyLife
from signer.tokens.certificates import public_key_of
from signer.tokens.chains import Issuers
from signer.validation.usage import unfit_for_documents

_PORTION: Final = 32
_TAKES_ONE = {CredentialState.AWAITING_CERTIFICATE, CredentialState.ACTIVE, CredentialState.SUSPENDED}


@dataclass(frozen=True, slots=True)
class Imported:
    """A certificate (DER) and the credential it belongs to."""

    certificate: bytes
    credential: Credential


async def import_certificates(
    life: KeyLife, issuers: Issuers, client_id: str, raw: Sequence[bytes], now: datetime, *, dry_run: bool
) -> list[Imported | SignerError]:
    """Each on its own, in their order: one that is refused harms no other. Errors as `import_certificate` raises them.

    In portions that share the journal's commits; two of one key in a portion have their turns one after the other.
    """

    async def one(each: bytes) -> Imported | SignerError:
        try:
            return await import_certificate(life, issuers, client_id, each, now, dry_run=dry_run)
        except SignerError as error:
            return error

    results: list[Imported | SignerError] = []
    for at in range(0, len(raw), _PORTION):
        portion = raw[at : at + _PORTION]
        for each, result in zip(portion, await asyncio.gather(*map(one, portion)), strict=True):
            results.append(await one(each) if isinstance(result, ChangedMeanwhile) else result)
    return results


async def import_certificate(life: KeyLife, issuers: Issuers, client_id: str, raw: bytes, now: datetime, *, dry_run: bool) -> Imported:
    """Imports one certificate, PEM or DER, alone or with its chain (in PEM). dry_run: only checks. Idempotent.

    Raises:
        InvalidArgument: it can't be parsed.
        KeyNotFound: no key of the appliance's has its public key.
        StateRefused: the credential is disabled or gone.
        CertificateUnusable, CertificateExpired: it would let nothing be signed.
        VerificationFailed: it chains to no configured CA.
        JournalUnavailable, ChangedMeanwhile: not imported.
    """
    kept, certificate = await _matched(life, raw)
    encoded = certificate.public_bytes(Encoding.DER)
    if kept.certificate != encoded:
        _require_fit(kept, certificate, issuers, now)
        if not dry_run:
            await life.revise(client_id, await _changes(life, kept, certificate))
    return Imported(encoded, await life.now(kept.id))


def read_certificates(raw: bytes) -> list[x509.Certificate]:
    """All of a PEM file, or the one of a DER file; InvalidArgument when there is none."""
    try:
        if raw.lstrip().startswith(b"-----"):
            return x509.load_pem_x509_certificates(raw)
        return [x509.load_der_x509_certificate(raw)]
    except ValueError as error:
        raise InvalidArgument("neither a PEM nor a DER certificate", field="certificates") from error


async def _matched(life: KeyLife, raw: bytes) -> tuple[KeptCredential, x509.Certificate]:
    """The credential, and which of the certificates is its own: a chain may come with it."""
    certificates: dict[bytes, x509.Certificate] = {}
    for certificate in read_certificates(raw):
        try:
            certificates.setdefault(public_key_of(certificate), certificate)
        except (ValueError, UnsupportedAlgorithm):
            continue
    found = await life.kept.store.of_public_keys(list(certificates))
    for public_key, credentials in found.items():
        return credentials[0], certificates[public_key]
    subjects = "; ".join(each.subject.rfc4514_string() for each in certificates.values())
    raise KeyNotFound(f"no key that the appliance keeps belongs to this certificate: {subjects or 'unreadable'}")


def _require_fit(kept: KeptCredential, certificate: x509.Certificate, issuers: Issuers, now: datetime) -> None:
    until = certificate.not_valid_after_utc
    if kept.state not in _TAKES_ONE:
        raise StateRefused(f"credential {kept.id} is {kept.state.value} and takes no certificate", credential=kept.id)
    if why := unfit_for_documents(certificate):
        raise CertificateUnusable(f"credential {kept.id}: the certificate must not sign documents: {why}", credential=kept.id)
    if now > until:
        raise CertificateExpired(f"this certificate of credential {kept.id} expired on {until:%Y-%m-%d}", credential=kept.id)
    if not issuers.path_of(certificate).reaches_root:
        raise VerificationFailed(
            f"the certificate of credential {kept.id} is by {certificate.issuer.rfc4514_string()}, from which no chain leads to a "
            "configured CA: add it with `signer trust add`, or ask the CA",
            credential=kept.id,
        )
    if kept.certificate and x509.load_der_x509_certificate(kept.certificate).not_valid_after_utc >= until:
        raise CertificateUnusable(f"credential {kept.id} has a certificate already that is valid as long", credential=kept.id)


async def _changes(life: KeyLife, kept: KeptCredential, certificate: x509.Certificate) -> list[CredentialChange]:
    state = CredentialState.ACTIVE if kept.state is CredentialState.AWAITING_CERTIFICATE else kept.state
    detail = {"certificate": f"{certificate.serial_number:x}", "until": certificate.not_valid_after_utc.isoformat()}
    after = replace(kept, certificate=certificate.public_bytes(Encoding.DER), state=state)
    old = await life.kept.store.find(kept.renews) if kept.renews else None
    if old is None or old.renewed_by:
        return [CredentialChange(NoteKind.CERTIFICATE_IMPORTED, kept, after, detail)]
    succeeded = replace(old, renewed_by=kept.id, usable_until=kept.usable_until)
    return [
        CredentialChange(NoteKind.CERTIFICATE_IMPORTED, kept, replace(after, usable_until=None), detail),
        CredentialChange(NoteKind.CREDENTIAL_RENEWED, old, succeeded, {"renewedBy": kept.id}),
    ]
