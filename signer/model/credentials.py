"""Keys and their certificates, as discovered and as kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from signer.algorithms import KeyKind, SignatureAlgorithm


class ProblemKind(Enum):
    """Why a credential can't sign, for machines; the contract's CredentialProblem has the same names."""

    CERTIFICATE_MISSING = "certificate-missing"
    KEY_MISSING = "key-missing"
    KEY_MISMATCH = "key-mismatch"
    AMBIGUOUS = "ambiguous"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    KEY_USAGE = "key-usage"
    KEY_UNSUPPORTED = "key-unsupported"
    TOKEN_NOT_READY = "token-not-ready"
    EXPIRES_SOON = "expires-soon"
    CHAIN_INCOMPLETE = "chain-incomplete"
    STATE = "state"

    @property
    def is_warning(self) -> bool:
        """Whether the credential can sign all the same."""
        return self in (ProblemKind.EXPIRES_SOON, ProblemKind.CHAIN_INCOMPLETE)


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a credential can't sign; text says it for an operator, with the next step."""

    kind: ProblemKind
    text: str


class KeyStorage(Enum):
    """Where the key of a kept credential lives; the value is its name in the database and on the command line.

    TOKEN: an object of the token. WRAPPED: in the store, encrypted by a key of the token and decrypted inside it when used.
    """

    TOKEN = "token"
    WRAPPED = "wrapped"


class ActivationMode(Enum):
    """What stands between a caller and a key (CSC: SCAL); the value is its name in the database and on the command line.

    NONE: nothing beyond the client's certificate. SAD: its holder's word on exactly what is signed.
    """

    NONE = "none"
    SAD = "sad"


class CredentialState(Enum):
    """Where a kept credential is in its life; the value is its name in the database."""

    AWAITING_CERTIFICATE = "awaiting-certificate"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DISABLED = "disabled"
    REPLACED = "replaced"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A key pair that the appliance generated, as a token worker needs it to sign: it holds no secret in the clear.

    credential_id, school_id, person_id: whose it is, for good. key_id: CKA_ID in the token, or a random name. public_key:
    SubjectPublicKeyInfo, DER. wrapped, seal: of WRAPPED keys alone, the encrypted private key and what binds all of this together
    (`tokens.wrapping`).
    """

    credential_id: str
    school_id: str
    person_id: str
    storage: KeyStorage
    kind: KeyKind
    key_id: bytes
    public_key: bytes
    wrapped: bytes = field(default=b"", repr=False)
    seal: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class KeptCredential:
    """A credential of the store. subject: Name for its certificate requests, DER, empty for none. certificate: DER, empty while it waits.

    renews, renewed_by: ids of the credentials before and after it. usable_until: the end of the overlap, of one
    that was renewed; of one that waits for its certificate, what the renewal asked for. activation: for good.
    """

    key: KeptKey
    token_name: str
    state: CredentialState
    display_name: str = ""
    subject: bytes = b""
    certificate: bytes = b""
    renews: str = ""
    renewed_by: str = ""
    usable_until: datetime | None = None
    activation: ActivationMode = ActivationMode.NONE

    @property
    def id(self) -> str:
        """The credential's id."""
        return self.key.credential_id


@dataclass(frozen=True, slots=True)
class Credential:
    """A key on a token with its certificate, as discovered (CSC: credential).

    key_id: CKA_ID. certificate: DER, empty if none was found. chain: DER of the issuers, nearest first. school_id: empty for the
    appliance's own keys (TSA). problems: what is the matter with it whatever the time. kept: its row of the store; None for one of the
    configuration.
    """

    id: str
    token_name: str
    key_id: bytes
    key_label: str
    school_id: str
    certificate: bytes
    chain: tuple[bytes, ...]
    algorithms: tuple[SignatureAlgorithm, ...]
    problems: tuple[Problem, ...] = ()
    kept: KeptCredential | None = None
