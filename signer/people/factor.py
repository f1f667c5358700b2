"""What proves that it is the person: something known, something held.

A value here is a secret for as long as the call that carries it: it shows itself in no repr, goes into no log, and is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from signer.secrets import Secret


class FactorKind(Enum):
    """The contract's FactorKind has the same names."""

    PIN = "pin"
    TOTP = "totp"
    WEBAUTHN = "webauthn"
    OUT_OF_BAND_CODE = "out-of-band-code"
    PUSH = "push"


class FactorsState(Enum):
    """Where a person's factors are. LOCKED until two operators unlock them; DELAYED after wrong tries."""

    NONE = "none"
    CODE_ISSUED = "code-issued"
    SET = "set"
    DELAYED = "delayed"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class PinFactor:
    """The PIN as it was typed."""

    pin: Secret


@dataclass(frozen=True, slots=True)
class TotpFactor:
    """A one-time password (RFC 6238), six to eight digits."""

    code: Secret


@dataclass(frozen=True, slots=True)
class WebAuthnFactor:
    """An assertion (W3C WebAuthn 6.5) that answers a challenge of ours."""

    challenge_id: str
    authenticator_credential_id: bytes
    authenticator_data: bytes = field(repr=False)
    client_data_json: bytes = field(repr=False)
    signature: bytes = field(repr=False)


Factor: TypeAlias = PinFactor | TotpFactor | WebAuthnFactor
KINDS: dict[type[Factor], FactorKind] = {
    PinFactor: FactorKind.PIN,
    TotpFactor: FactorKind.TOTP,
    WebAuthnFactor: FactorKind.WEBAUTHN,
}
"""Which kind each is. Codes sent out of band and pushes are in the contract; nobody sends them yet."""
