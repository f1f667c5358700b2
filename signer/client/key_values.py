"""What goes in and comes out of the client about keys."""

from __future__ import annotations

from dataclasses import dataclass, field

from signer.algorithms import KeyKind
from signer.client.values import CredentialInfo
from signer.errors import SignerError
from signer.formats.certificate_request import Subject
from signer.model import KeyStorage


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to make. token: its name in the daemon's configuration. subject: of its certificate request; None for no request.

    school_id: empty for the appliance's own. person_id: empty for an organisation's.
    """

    credential_id: str
    token: str
    school_id: str = ""
    person_id: str = ""
    kind: KeyKind = KeyKind.RSA_2048
    storage: KeyStorage = KeyStorage.TOKEN
    subject: Subject | None = None
    display_name: str = ""


@dataclass(frozen=True, slots=True)
class KeyOutcome:
    """What became of a key. request: PKCS#10, DER; empty for none. replayed: it was there already."""

    credential_id: str
    error: SignerError | None = None
    credential: CredentialInfo | None = None
    request: bytes = field(default=b"", repr=False)
    replayed: bool = False

    @property
    def ok(self) -> bool:
        """Whether there is a key."""
        return self.error is None


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of one person's enrolment. done, total: how many are, this one included, of how many."""

    person_id: str
    key: KeyOutcome
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class BroughtCertificate:
    """What became of a certificate. subject: RFC 4514; empty when it could not be read or has no key here."""

    error: SignerError | None = None
    credential: CredentialInfo | None = None
    subject: str = ""
