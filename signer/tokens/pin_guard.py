"""Before a PIN is tried: what the token's own counter says (PKCS#11 v3.0 §3.2, CKF_USER_PIN_*), and how near the last try may come.

Flags are fresh only after C_Initialize, which is why they are asked of a token that was just found. Counters differ (3 to 15 tries), and
not every token tells: OpenSC's PIV shows the final try alone, SoftHSM counts nothing. So a refused PIN also holds the token by itself.
"""

from __future__ import annotations

from pkcs11 import Token, TokenFlag

from signer.errors import PinHeld, PinLocked
from signer.tokens.wire import COUNT, PinCaution, PinCount, Start

_HELD_FROM: dict[PinCaution, frozenset[PinCount]] = {
    PinCaution.COUNT_LOW: frozenset({PinCount.COUNT_LOW, PinCount.FINAL_TRY}),
    PinCaution.FINAL_TRY: frozenset({PinCount.FINAL_TRY}),
    PinCaution.LOCKED: frozenset(),
}
_WORDS = {
    PinCount.COUNT_LOW: "a wrong PIN was tried since the last right one",
    PinCount.FINAL_TRY: "one try of its PIN is left",
}


def pin_count(token: Token) -> PinCount:
    """The counter, as far as the token tells."""
    if TokenFlag.USER_PIN_LOCKED in token.flags:
        return PinCount.LOCKED
    if TokenFlag.USER_PIN_FINAL_TRY in token.flags:
        return PinCount.FINAL_TRY
    return PinCount.COUNT_LOW if TokenFlag.USER_PIN_COUNT_LOW in token.flags else PinCount.FULL


def guard_pin(token: Token, start: Start) -> PinCount:
    """The counter, if the PIN may be tried. PinLocked, or PinHeld when `pin_caution` says that too few tries are left."""
    count = pin_count(token)
    if count is PinCount.LOCKED:
        raise PinLocked(
            f"token {start.name}: its PIN is locked: its security officer must unlock or reset it; then `signer tokens release-pin`",
            token=start.name,
            **{COUNT: count.value},
        )
    if count in _HELD_FROM[start.pin_caution]:
        final = " --allow-final-try" if count is PinCount.FINAL_TRY else ""
        raise PinHeld(
            f"token {start.name}: {_WORDS[count]}, so it is not tried: check the PIN source, then `signer tokens release-pin{final}`",
            token=start.name,
            **{COUNT: count.value},
        )
    return count
