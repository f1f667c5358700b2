"""Time-based one-time passwords (RFC 6238 over RFC 4226): HMAC-SHA-1, six digits, steps of 30 seconds, as authenticator apps have them.

SHA-1 stands here as HMAC's hash alone, which its collisions don't touch; apps know no other reliably.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import struct
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

STEP_S: Final = 30
DIGITS: Final = 6
_SEED_BYTES: Final = 20
_SKEW_STEPS: Final = 1
"""A code is good one step early and late as well (RFC 6238 5.2), for clocks that differ."""


def new_seed() -> bytes:
    """A random seed of 160 bits (RFC 4226 4)."""
    return secrets.token_bytes(_SEED_BYTES)


def code_at(seed: bytes, step: int, digits: int = DIGITS, algorithm: str = "sha1") -> str:
    """The password of a time step (RFC 4226 5.3)."""
    mac = hmac.digest(seed, struct.pack(">Q", step), algorithm)
    at = mac[-1] & 0x0F
    number = int.from_bytes(mac[at : at + 4]) & 0x7FFF_FFFF
    return str(number % 10**digits).zfill(digits)


def step_at(moment: datetime) -> int:
    """The time step of a moment."""
    return int(moment.timestamp()) // STEP_S


def accepted_step(seed: bytes, code: str, moment: datetime, last_step: int) -> int | None:
    """The step whose password was given; None for a wrong one, and for one not after `last_step`, which was taken before."""
    found = None
    now = step_at(moment)
    for step in range(now - _SKEW_STEPS, now + _SKEW_STEPS + 1):
        if hmac.compare_digest(code_at(seed, step).encode(), code.encode("utf-8", "replace")) and step > last_step:
            found = step
    return found


def seed_text(seed: bytes) -> str:
    """The seed as people type it into an app: base32 without padding."""
    return base64.b32encode(seed).decode().rstrip("=")


def provisioning_uri(seed: bytes, person_id: str, issuer: str) -> str:
    """What an app reads from a QR code (`otpauth:`). It holds the seed: for the person's own page alone."""
    label = f"{quote(issuer, safe='')}:{quote(person_id, safe='')}"
    query = urlencode(
        {"secret": seed_text(seed), "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": STEP_S}, quote_via=quote
    )
    return f"otpauth://totp/{label}?{query}"
