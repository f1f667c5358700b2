"""Challenges for authenticators, bound to a person and to what the answer is for.

Nothing is kept of one until it is answered: its id says when it ends and proves that it is ours, its bytes follow from the id and what it
is bound to. So a caller can't fill anything with them, and any replica takes the answer; the answered one is spent in the store.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from signer.access.appliance_keys import ApplianceKeys, Purpose
from signer.errors import QuotaExceeded

_LIFE: Final = timedelta(minutes=5)
_NONCE_BYTES: Final = 16
_HEAD: Final = struct.Struct(">Q")
_BURST: Final = 10
_PER_S: Final = 0.2
_PEOPLE_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class Challenge:
    """What an authenticator is asked. options_json: PublicKeyCredential(Request|Creation)OptionsJSON (W3C WebAuthn 5.1)."""

    id: str
    options_json: str = field(repr=False)
    expires: datetime


@dataclass(frozen=True, slots=True)
class Minted:
    """A challenge's id, bytes and end."""

    id: str
    challenge: bytes = field(repr=False)
    expires: datetime


class Challenges:
    """Owned by the event loop. clock_s: monotonic."""

    def __init__(self, keys: ApplianceKeys, utc_now: Callable[[], datetime], clock_s: Callable[[], float]) -> None:
        self._keys = keys
        self._utc_now = utc_now
        self._clock_s = clock_s
        self._budgets: OrderedDict[tuple[str, bool], tuple[float, float]] = OrderedDict()

    def mint(self, person_id: str, purpose: bytes, *, is_known: bool) -> Minted:
        """A new one, for whatever person id. QuotaExceeded when too many were asked for under it lately.

        is_known: the person asks, who is signed in. Theirs is a budget of its own: strangers who ask under that name use up the other.
        """
        self._spend_budget((person_id, is_known))
        expires = self._utc_now() + _LIFE
        head = _HEAD.pack(int(expires.timestamp())) + secrets.token_bytes(_NONCE_BYTES)
        mac = self._keys.mac(Purpose.CHALLENGE, _bound(head, person_id, purpose))
        return Minted(_text(head + mac), sha256(mac).digest(), expires)

    def find(self, challenge_id: str, person_id: str, purpose: bytes) -> Minted | None:
        """The challenge of this id; None unless it is ours, for this person and purpose, and not over."""
        try:
            raw = base64.urlsafe_b64decode(challenge_id + "=" * (-len(challenge_id) % 4))
        except ValueError:
            return None
        head, mac = raw[: _HEAD.size + _NONCE_BYTES], raw[_HEAD.size + _NONCE_BYTES :]
        is_ours = _text(raw) == challenge_id and self._keys.is_mac(Purpose.CHALLENGE, _bound(head, person_id, purpose), mac)
        if not is_ours:
            return None
        expires = datetime.fromtimestamp(_HEAD.unpack_from(head)[0], self._utc_now().tzinfo)
        return Minted(challenge_id, sha256(mac).digest(), expires) if self._utc_now() < expires else None

    def pretend_id(self, person_id: str) -> bytes:
        """An authenticator's id for people who have none: always the same one."""
        return hmac.digest(self._keys.mac(Purpose.CHALLENGE, b"nobody"), person_id.encode(), "sha256")

    def _spend_budget(self, asker: tuple[str, bool]) -> None:
        now_s = self._clock_s()
        left, at_s = self._budgets.pop(asker, (float(_BURST), now_s))
        left = min(float(_BURST), left + (now_s - at_s) * _PER_S)
        self._budgets[asker] = (max(0.0, left - 1.0), now_s)
        if len(self._budgets) > _PEOPLE_REMEMBERED:
            self._budgets.popitem(last=False)
        if left < 1.0:
            raise QuotaExceeded("too many challenges were asked for this person; wait a little", retry_after_s=(1.0 - left) / _PER_S)


def _bound(head: bytes, person_id: str, purpose: bytes) -> bytes:
    return head + sha256(person_id.encode()).digest() + purpose


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
