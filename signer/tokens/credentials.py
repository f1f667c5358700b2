"""Credentials: what the tokens showed, under the names and for the schools of the configuration.

A key that no `[[credentials]]` entry names can't be used by anybody; it is only shown, as unassigned.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from signer.algorithms import SignatureAlgorithm
from signer.errors import (
    AlgorithmUnsupported,
    CertificateExpired,
    CertificateNotYetValid,
    CertificateUnusable,
    CredentialNotFound,
    SignerError,
    StateRefused,
    TokenUnavailable,
)
from signer.model import Credential, Problem, ProblemKind
from signer.tokens.certificates import Validity, algorithms_of, key_problems, load_certificate, public_key_of, usage_problems, validity_of
from signer.tokens.chains import Issuers, chain_problems
from signer.tokens.settings import CredentialSettings
from signer.tokens.wire import FoundKey, Ready

EXPIRY_WARNING = timedelta(days=90)
"""How long before its end a certificate is told to need renewal, unless the configuration says otherwise."""


class CredentialTable:
    """All credentials. Refreshed by the pools when a worker is ready; read by everybody. Owned by the event loop."""

    def __init__(self, settings: Iterable[CredentialSettings], issuers: Issuers, *, expiry_warning: timedelta = EXPIRY_WARNING) -> None:
        self._settings = {entry.id: entry for entry in settings}
        self.issuers = issuers
        self._expiry_warning = expiry_warning
        self._credentials: dict[str, Credential] = {}
        self._held: dict[str, SignerError] = {}
        self.unassigned: dict[str, list[str]] = {}

    def hold(self, token_name: str, fault: SignerError) -> None:
        """The token was never ready and won't be before an operator acts: `resolve` says why."""
        self._held[token_name] = fault

    def refresh(self, token_name: str, ready: Ready) -> None:
        """Takes in what a worker found on its token."""
        used: set[bytes] = set()
        for entry in self._settings.values():
            if entry.token == token_name:
                credential = self._credentials[entry.id] = self._build(entry, ready)
                used.add(credential.key_id)
        self.unassigned[token_name] = [f"{key.label} (CKA_ID {key.key_id.hex()})" for key in ready.keys if key.key_id not in used]

    def complete_chains(self, issuers: Issuers) -> None:
        """Other CAs are configured from now on: chains are completed anew."""
        self.issuers = issuers
        for credential in list(self._credentials.values()):
            if credential.certificate:
                certificate = x509.load_der_x509_certificate(credential.certificate)
                others = [problem for problem in credential.problems if problem.kind is not ProblemKind.CHAIN_INCOMPLETE]
                path = issuers.path_of(certificate)
                problems = (*others, *chain_problems(path))
                self._credentials[credential.id] = replace(credential, chain=path.issuers, problems=problems)

    def list_for(self, schools: Iterable[str]) -> list[Credential]:
        """The credentials of these schools, by id."""
        wanted = set(schools)
        return [credential for _id, credential in sorted(self._credentials.items()) if credential.school_id in wanted]

    def list_all(self) -> list[Credential]:
        """Every credential, the appliance's own included, by id."""
        return [credential for _id, credential in sorted(self._credentials.items())]

    def certificate_ends(self) -> list[datetime]:
        """When each certificate ends."""
        validities = [validity_of(credential.certificate) for credential in self._credentials.values()]
        return [validity.not_after for validity in validities if validity is not None]

    def ids_on(self, token_name: str) -> list[str]:
        """The credentials configured on a token, by id."""
        return sorted(entry.id for entry in self._settings.values() if entry.token == token_name)

    def resolve(self, credential_id: str, school_id: str) -> Credential:
        """A school's credential; an empty school_id means the appliance's own.

        Raises CredentialNotFound (also for another school's) or, when its token has not been seen since the start, TokenUnavailable or
        what holds it (PinHeld, PinLocked, PinSourceUnreadable).
        """
        entry = self._settings.get(credential_id)
        if entry is None or entry.school != school_id:
            raise CredentialNotFound(
                f"no credential {credential_id!r} for school {school_id!r}; `signer credentials` lists what there is",
                credential=credential_id,
            )
        credential = self._credentials.get(credential_id)
        if credential is None and (held := self._held.get(entry.token)):
            raise type(held)(held.message, token=entry.token)
        if credential is None:
            raise TokenUnavailable(f"token {entry.token} has not been ready since the daemon started; repeat later", token=entry.token)
        return credential

    def is_configured(self, credential_id: str) -> bool:
        """Whether `[[credentials]]` has this id."""
        return credential_id in self._settings

    def choose_algorithm(self, credential: Credential, asked: SignatureAlgorithm | None) -> SignatureAlgorithm:
        """The algorithm asked for, or the credential's default; AlgorithmUnsupported names what the key can do."""
        if asked is None and credential.algorithms:
            return credential.algorithms[0]
        if asked is None or asked not in credential.algorithms:
            able = ", ".join(algorithm.value for algorithm in credential.algorithms) or "none"
            raise AlgorithmUnsupported(
                f"credential {credential.id} cannot sign {asked.value if asked else 'anything'}; it can: {able}", credential=credential.id
            )
        return asked

    def findings(self, credential: Credential, now: datetime) -> list[Problem]:
        """Everything that keeps a credential from signing now, or soon will (`ProblemKind.is_warning`); empty when all is well."""
        found = list(credential.problems)
        if (replaced := _replaced(credential, now)) is not None:
            found.append(replaced)
        validity = validity_of(credential.certificate)
        if validity is None:
            return found
        if now > validity.not_after:
            found.append(Problem(ProblemKind.EXPIRED, f"its certificate expired on {validity.not_after:%Y-%m-%d}"))
        elif now > validity.not_after - self._expiry_warning:
            days = (validity.not_after - now).days
            text = f"its certificate expires on {validity.not_after:%Y-%m-%d}, in {days} days: renew it in time"
            found.append(Problem(ProblemKind.EXPIRES_SOON, text))
        if now < validity.not_before:
            found.append(Problem(ProblemKind.NOT_YET_VALID, f"its certificate is valid from {validity.not_before:%Y-%m-%d}"))
        return found

    def require_usable(self, credential: Credential, now: datetime) -> Validity:
        """What its certificate says.

        Raises StateRefused, CertificateUnusable, CertificateExpired or CertificateNotYetValid; no key is used.
        """
        validity = validity_of(credential.certificate)
        serious = [problem for problem in credential.problems if not problem.kind.is_warning]
        refused = _replaced(credential, now) or next((problem for problem in serious if problem.kind is ProblemKind.STATE), None)
        if refused is not None:
            raise StateRefused(f"credential {credential.id} can't sign: {refused.text}", credential=credential.id)
        if serious or validity is None:
            why = "; ".join(problem.text for problem in serious) or "no certificate"
            raise CertificateUnusable(f"credential {credential.id} can't sign: {why}", credential=credential.id)
        if now > validity.not_after:
            raise CertificateExpired(
                f"the certificate of credential {credential.id} expired on {validity.not_after:%Y-%m-%d}; renew it and import the new one",
                credential=credential.id,
                notAfter=validity.not_after.isoformat(),
            )
        if now < validity.not_before:
            raise CertificateNotYetValid(
                f"the certificate of credential {credential.id} is valid from {validity.not_before:%Y-%m-%d %H:%M} UTC; check the clock",
                credential=credential.id,
                notBefore=validity.not_before.isoformat(),
            )
        return validity

    def _build(self, entry: CredentialSettings, ready: Ready) -> Credential:
        matches = [
            key for key in ready.keys if (key.key_id.hex() == entry.key_id.lower() if entry.key_id else key.label == entry.key_label)
        ]
        if len(matches) != 1:
            wanted = f"CKA_ID {entry.key_id}" if entry.key_id else f"CKA_LABEL {entry.key_label!r}"
            problem = Problem(ProblemKind.KEY_MISSING, f"the token has no private key with {wanted}{_orphans(ready)}")
            if matches:
                text = f"the token has {len(matches)} private keys with {wanted}; name one by key_id"
                problem = Problem(ProblemKind.AMBIGUOUS, text)
            return Credential(entry.id, entry.token, b"", entry.key_label, entry.school, b"", (), (), (problem,))
        key = matches[0]
        problems = list(key.problems)
        certificate = self._certificate(entry, key, problems)
        problems += key_problems(key.family, key.bits, key.public_key)
        path = self.issuers.path_of(certificate) if certificate is not None else None
        problems += chain_problems(path) if path is not None else []
        return Credential(
            id=entry.id,
            token_name=entry.token,
            key_id=key.key_id,
            key_label=key.label,
            school_id=entry.school,
            certificate=certificate.public_bytes(Encoding.DER) if certificate else b"",
            chain=path.issuers if path is not None else (),
            algorithms=algorithms_of(key.family),
            problems=tuple(problems),
        )

    def _certificate(self, entry: CredentialSettings, key: FoundKey, problems: list[Problem]) -> x509.Certificate | None:
        """The one certificate that fits the key. Others are told of only when none does, for old ones stay on tokens after a renewal."""
        fitting: dict[bytes, x509.Certificate] = {}
        unfit: list[Problem] = []
        try:
            candidates = [entry.certificate.read_bytes()] if entry.certificate else key.certificates
        except OSError as error:
            candidates, unfit = [], [Problem(ProblemKind.CERTIFICATE_MISSING, f"{entry.certificate} can't be read: {error.strerror}")]
        for raw in candidates:
            try:
                certificate = load_certificate(raw)
                public_key = public_key_of(certificate)
            except (ValueError, UnsupportedAlgorithm):
                unfit.append(Problem(ProblemKind.CERTIFICATE_MISSING, "its certificate can't be parsed"))
                continue
            if key.public_key and public_key != key.public_key:
                unfit.append(Problem(ProblemKind.KEY_MISMATCH, "its certificate belongs to another key"))
                continue
            fitting[certificate.public_bytes(Encoding.DER)] = certificate
        if not fitting:
            text = "no certificate: import the issued one, or name its file in `certificate`"
            problems += unfit or [Problem(ProblemKind.CERTIFICATE_MISSING, text)]
            return None
        if len(fitting) > 1:
            text = f"{len(fitting)} certificates fit its key: remove the old ones, or name the right one's file in `certificate`"
            problems.append(Problem(ProblemKind.AMBIGUOUS, text))
        chosen = next(iter(fitting.values()))
        problems += usage_problems(chosen)
        return chosen


def _replaced(credential: Credential, now: datetime) -> Problem | None:
    """Of a credential that was renewed, once both may no longer sign beside one another."""
    kept = credential.kept
    if kept is None or kept.usable_until is None or now <= kept.usable_until:
        return None
    return Problem(ProblemKind.STATE, f"it was replaced by {kept.renewed_by} on {kept.usable_until:%Y-%m-%d}")


def _orphans(ready: Ready) -> str:
    """Why a key may be missed: certificates that stand alone."""
    if not ready.orphan_certificates:
        return ""
    return f"; it has certificates without one: {', '.join(ready.orphan_certificates[:3])}"
