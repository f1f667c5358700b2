"""What proves that it is the person: something known, something held.

A value here is a secret for as long as the call that carries it: it shows itself in no repr, goes into no log, and is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final, TypeAlias

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


@dataclass(frozen=True, slots=True)
class KeptFactors:
    """A person's PIN and TOTP as they are kept: sealed, empty for none. totp_step: the last one taken; earlier codes are spent."""

    person_id: str
    pin: bytes = field(default=b"", repr=False)
    totp_seed: bytes = field(default=b"", repr=False)
    totp_step: int = 0

    @property
    def kinds(self) -> frozenset[FactorKind]:
        """Which are set."""
        found = {FactorKind.PIN: self.pin, FactorKind.TOTP: self.totp_seed}
        return frozenset(kind for kind, kept in found.items() if kept)


@dataclass(frozen=True, slots=True)
class Passkey:
    """A WebAuthn authenticator of a person. id: its credential id. public_key: COSE. label: the person's own word for it."""

    id: bytes
    person_id: str
    public_key: bytes
    sign_count: int
    created: datetime
    label: str = ""


@dataclass(frozen=True, slots=True)
class FactorsStanding:
    """Where a person's factors are. retry_after_s: until the next try counts."""

    state: FactorsState = FactorsState.NONE
    kinds: frozenset[FactorKind] = frozenset()
    retry_after_s: float = 0.0


_DELAY_S_FIRST: Final = 1.0


@dataclass(frozen=True, slots=True)
class TryLimits:
    """How wrong tries are answered: a delay that doubles from one second, up to delay_s_max; a lock at tries_max."""

    tries_max: int = 10
    delay_s_max: float = 300.0

    def delay_s(self, wrong: int) -> float:
        """How long after so many wrong tries the next one counts."""
        return min(self.delay_s_max, _DELAY_S_FIRST * 2.0 ** (min(wrong, self.tries_max) - 1)) if wrong else 0.0

    def is_locked(self, wrong: int) -> bool:
        """Whether no further try counts."""
        return wrong >= self.tries_max
