"""The keys of the store that one session has in hand.

A wrapped key is unwrapped when it is first needed (some milliseconds), used from then on like any other, and destroyed when too many
others were needed since, or when nobody needed it for a while. So a worker costs what is signed with lately, however many credentials
the store holds, and the key of somebody who has left is soon nowhere in the clear, in the token's memory either.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11 import Attribute, ObjectClass, Session

from signer.errors import TokenRefused
from signer.model import KeptKey, KeyStorage
from signer.tokens.discovery import HeldKey, has_flag
from signer.tokens.wire import FoundKey
from signer.tokens.wrapping import Wrapping


@dataclass(slots=True)
class _InHand:
    key: HeldKey
    used_s: float


class KeptKeys:
    """At most `limit` of them, the least recently used given up first, none unused for `idle_s`; one thread uses it.

    Found under the whole `KeptKey`, not under its name: a row that was changed since is looked at anew.
    """

    def __init__(self, session: Session, token_name: str, *, limit: int, idle_s: float, clock_s: Callable[[], float] = monotonic) -> None:
        self._session = session
        self._token_name = token_name
        self._limit = limit
        self._idle_s = idle_s
        self._clock_s = clock_s
        self._in_hand: OrderedDict[KeptKey, _InHand] = OrderedDict()
        self._wrapping: Wrapping | None = None

    def __len__(self) -> int:
        return len(self._in_hand)

    def held(self, kept: KeptKey) -> HeldKey:
        """The key, ready to sign. TokenRefused when this one can't be used; PKCS11Error as the token answers."""
        found = self._in_hand.get(kept)
        if found is None:
            while len(self._in_hand) >= self._limit:
                self._give_up_oldest()
            found = self._in_hand[kept] = _InHand(self._hold(kept), 0.0)
        found.used_s = self._clock_s()
        self._in_hand.move_to_end(kept)
        return found.key

    def give_up_idle(self) -> None:
        """Destroys those that nobody needed for `idle_s`."""
        since_s = self._clock_s() - self._idle_s
        while self._in_hand and next(iter(self._in_hand.values())).used_s <= since_s:
            self._give_up_oldest()

    def give_up_all(self) -> None:
        """Destroys those in hand."""
        while self._in_hand:
            self._give_up_oldest()

    def _hold(self, kept: KeptKey) -> HeldKey:
        public_key = load_der_public_key(kept.public_key)
        if not isinstance(public_key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey)):
            raise TokenRefused(f"token {self._token_name}: the stored public key of credential {kept.credential_id} is neither RSA nor EC")
        handle = self._unwrapped(kept) if kept.storage is KeyStorage.WRAPPED else self._in_token(kept)
        found = FoundKey(
            key_id=kept.key_id,
            label=kept.credential_id,
            family=kept.kind.family,
            bits=public_key.key_size,
            certificates=[],
            public_key=kept.public_key,
            problems=[],
        )
        return HeldKey(handle, public_key, has_flag(handle, Attribute.ALWAYS_AUTHENTICATE), found)

    def _unwrapped(self, kept: KeptKey) -> Any:
        if self._wrapping is None:
            self._wrapping = Wrapping.find(self._session, self._token_name)
        return self._wrapping.unwrap(kept)

    def _in_token(self, kept: KeptKey) -> Any:
        template = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: kept.key_id}
        found = list(self._session.get_objects(template))
        if len(found) != 1:
            raise TokenRefused(
                f"token {self._token_name}: it has {len(found)} private keys of credential {kept.credential_id} (CKA_ID "
                f"{kept.key_id.hex()})",
                token=self._token_name,
            )
        return found[0]

    def _give_up_oldest(self) -> None:
        kept, in_hand = self._in_hand.popitem(last=False)
        if kept.storage is KeyStorage.WRAPPED:
            in_hand.key.handle.destroy()
