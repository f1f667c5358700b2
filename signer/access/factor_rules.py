"""Which factors are enough for whom, and which PIN is none. Decisions about what a caller says alone: they tell nothing of the person."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from signer.errors import InvalidArgument
from signer.model import Role
from signer.people.factor import FactorKind

PIN_CHARACTERS_MIN: Final = 6
PIN_CHARACTERS_MAX: Final = 64
_TWO_FACTORS: Final = frozenset({FactorKind.PIN, FactorKind.TOTP})


@dataclass(frozen=True, slots=True)
class FactorPolicy:
    """pin_alone_roles: for whom a PIN is enough by itself. passkey_roles: who must use a passkey. Others: PIN and TOTP, or a passkey."""

    pin_alone_roles: frozenset[Role] = frozenset()
    passkey_roles: frozenset[Role] = frozenset()

    def is_enough(self, kinds: AbstractSet[FactorKind], role: Role | None) -> bool:
        """Whether these, all right, show that it is the person. role: None where none is claimed."""
        if FactorKind.WEBAUTHN in kinds:  # user verification is asked for: possession, and a PIN or finger beside it
            return True
        if role in self.passkey_roles:
            return False
        return kinds >= _TWO_FACTORS or (role in self.pin_alone_roles and FactorKind.PIN in kinds)

    def require_enough(self, kinds: AbstractSet[FactorKind], role: Role | None) -> None:
        """InvalidArgument unless they are enough; whether they are right is another question."""
        if not self.is_enough(kinds, role):
            wanted = "a passkey" if role in self.passkey_roles else "PIN and TOTP together, or a passkey"
            raise InvalidArgument(f"these factors are not enough here: give {wanted}", field="factors")


def require_pin(pin: str) -> None:
    """InvalidArgument for a PIN that is too short, too long or the first that anybody would try. It is not repeated."""
    if not PIN_CHARACTERS_MIN <= len(pin) <= PIN_CHARACTERS_MAX or not pin.isprintable():
        raise InvalidArgument(f"a PIN has {PIN_CHARACTERS_MIN} to {PIN_CHARACTERS_MAX} characters", field="pin")
    steps = {ord(later) - ord(earlier) for earlier, later in pairwise(pin)}
    if len(steps) == 1 and steps <= {-1, 0, 1}:
        raise InvalidArgument("this PIN is too easy to guess: neither 111111 nor 123456", field="pin")
