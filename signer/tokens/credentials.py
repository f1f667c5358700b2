"""Credentials: what the tokens showed, under the names and for the schools of the configuration.

A key that no `[[credentials]]` entry names can't be used by anybody; it is only shown, as unassigned.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from signer.algorithms import DEFAULT_BY_FAMILY, RSA_KEY_BITS_MIN, KeyFamily, SignatureAlgorithm
from signer.errors import (
    AlgorithmUnsupported,
    CertificateExpired,
    CertificateNotYetValid,
    CertificateUnusable,
    CredentialNotFound,
    SignerError,
    TokenUnavailable,
)
from signer.model import Credential, Problem, ProblemKind
from signer.tokens.chains import Issuers
from signer.tokens.settings import CredentialSettings
from signer.tokens.wire import FoundKey, Ready

_CURVES = (ec.SECP256R1.name, ec.SECP384R1.name)


@dataclass(frozen=True, slots=True)
class Validity:
    """A certificate's facts that are asked for at every signature. serial: lower-case hex."""

    not_before: datetime
    not_after: datetime
    serial: str
    subject: str


class CredentialTable:
    """All credentials. Refreshed by the pools when a worker is ready; read by everybody. Owned by the event loop."""

    def __init__(self, settings: Iterable[CredentialSettings], issuers: Issuers) -> None:
        self._settings = {entry.id: entry for entry in settings}
        self._issuers = issuers
        self._credentials: dict[str, Credential] = {}
        self._validity: dict[str, Validity] = {}
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
                credential = self._build(entry, ready.keys)
                self._credentials[entry.id] = credential
                self._note_validity(credential)
                used.add(credential.key_id)
        self.unassigned[token_name] = [f"{key.label} (CKA_ID {key.key_id.hex()})" for key in ready.keys if key.key_id not in used]

    def complete_chains(self, issuers: Issuers) -> None:
        """Other CAs are configured from now on: chains are completed anew."""
        self._issuers = issuers
        for credential in list(self._credentials.values()):
            if credential.certificate:
                chain = issuers.chain_of(x509.load_der_x509_certificate(credential.certificate))
                self._credentials[credential.id] = replace(credential, chain=chain)

    def list_for(self, schools: Iterable[str]) -> list[Credential]:
        """The credentials of these schools, by id."""
        wanted = set(schools)
        return [credential for _id, credential in sorted(self._credentials.items()) if credential.school_id in wanted]

    def list_all(self) -> list[Credential]:
        """Every credential, the appliance's own included, by id."""
        return [credential for _id, credential in sorted(self._credentials.items())]

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
        """Everything that keeps a credential from signing now; empty when it can."""
        found = list(credential.problems)
        validity = self._validity.get(credential.id)
        if validity is not None and now > validity.not_after:
            found.append(Problem(ProblemKind.EXPIRED, f"its certificate expired on {validity.not_after:%Y-%m-%d}"))
        if validity is not None and now < validity.not_before:
            found.append(Problem(ProblemKind.NOT_YET_VALID, f"its certificate is valid from {validity.not_before:%Y-%m-%d}"))
        return found

    def validity(self, credential: Credential) -> Validity | None:
        """What its certificate says; None without a certificate."""
        return self._validity.get(credential.id)

    def require_usable(self, credential: Credential, now: datetime) -> Validity:
        """Raises CertificateUnusable, CertificateExpired or CertificateNotYetValid; returns the certificate's facts. No key is used."""
        validity = self._validity.get(credential.id)
        if credential.problems or validity is None:
            why = "; ".join(problem.text for problem in credential.problems) or "no certificate"
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

    def _build(self, entry: CredentialSettings, keys: list[FoundKey]) -> Credential:
        matches = [key for key in keys if (key.key_id.hex() == entry.key_id.lower() if entry.key_id else key.label == entry.key_label)]
        if len(matches) != 1:
            wanted = f"CKA_ID {entry.key_id}" if entry.key_id else f"CKA_LABEL {entry.key_label!r}"
            problem = (
                Problem(ProblemKind.AMBIGUOUS, f"the token has {len(matches)} private keys with {wanted}; name one by key_id")
                if matches
                else Problem(ProblemKind.KEY_MISSING, f"the token has no private key with {wanted}")
            )
            return Credential(entry.id, entry.token, b"", entry.key_label, entry.school, b"", (), (), (problem,))
        key = matches[0]
        problems = list(key.problems)
        certificate = self._certificate(entry, key, problems)
        chain = self._issuers.chain_of(certificate) if certificate else ()
        return Credential(
            id=entry.id,
            token_name=entry.token,
            key_id=key.key_id,
            key_label=key.label,
            school_id=entry.school,
            certificate=certificate.public_bytes(Encoding.DER) if certificate else b"",
            chain=chain,
            algorithms=_algorithms(key, problems),
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
                certificate = _load(raw)
                public_key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
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
        problems += _usage_problems(chosen)
        return chosen

    def _note_validity(self, credential: Credential) -> None:
        self._validity.pop(credential.id, None)
        if credential.certificate:
            certificate = x509.load_der_x509_certificate(credential.certificate)
            self._validity[credential.id] = Validity(
                certificate.not_valid_before_utc,
                certificate.not_valid_after_utc,
                f"{certificate.serial_number:x}",
                certificate.subject.rfc4514_string(),
            )


def _curve(public_key: bytes) -> str:
    key = load_der_public_key(public_key)
    return key.curve.name if isinstance(key, ec.EllipticCurvePublicKey) else "unknown"


def _load(raw: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(raw) if raw.lstrip().startswith(b"-----") else x509.load_der_x509_certificate(raw)


def _usage_problems(certificate: x509.Certificate) -> list[Problem]:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return []
    except ValueError:
        return [Problem(ProblemKind.KEY_USAGE, "its certificate's extensions can't be read")]
    if usage.digital_signature or usage.content_commitment:
        return []
    return [Problem(ProblemKind.KEY_USAGE, "its certificate's key usage allows neither digitalSignature nor nonRepudiation")]


def _algorithms(key: FoundKey, problems: list[Problem]) -> tuple[SignatureAlgorithm, ...]:
    if key.family is None:
        problems.append(Problem(ProblemKind.KEY_UNSUPPORTED, "its key is neither RSA nor EC"))
        return ()
    if key.family is KeyFamily.RSA and 0 < key.bits < RSA_KEY_BITS_MIN:
        text = f"its RSA key has {key.bits} bits; {RSA_KEY_BITS_MIN} is the least"
        problems.append(Problem(ProblemKind.KEY_UNSUPPORTED, text))
    if key.family is KeyFamily.EC and key.public_key and _curve(key.public_key) not in _CURVES:
        problems.append(Problem(ProblemKind.KEY_UNSUPPORTED, f"its curve is {_curve(key.public_key)}; P-256 and P-384 are used"))
    default = DEFAULT_BY_FAMILY[key.family]
    return (default, *(algorithm for algorithm in SignatureAlgorithm if algorithm.family is key.family and algorithm is not default))
