"""One session of a worker: signs, and is opened anew when the token has forgotten it.

What heals here is the session alone; everything that reaches further is raised as `Broken`, for the worker to heal or to end with.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from time import perf_counter
from typing import Protocol

import msgspec
from pkcs11 import Attribute, ObjectClass, Session, Token
from pkcs11.exceptions import PKCS11Error

from signer.errors import SignerError, TokenRefused
from signer.model import KeptKey
from signer.secrets import Secret
from signer.tokens.discovery import HeldKey, Inventory
from signer.tokens.faults import Broken, FaultClass, classify, translate
from signer.tokens.kept_keys import KeptKeys
from signer.tokens.unchecked import UncheckedSignature, sign
from signer.tokens.wire import SignAnswer, SignItem, Start

_TOUCH_BITS = 64


class LoggedIn(Protocol):
    """The login that all sessions of a process share (`login.Login`)."""

    start: Start
    token: Token
    session: Session
    inventory: Inventory
    pin: Secret

    def prove(self) -> None:
        """A signature was made: what was healed before holds."""


class Signed(msgspec.Struct, frozen=True):
    """An item that the token signed. sign_s: time inside the token."""

    job_id: int
    signature: UncheckedSignature
    sign_s: float

    def answer(self) -> SignAnswer:
        """What the daemon hears: the signature, once it is checked, or that it was withheld."""
        try:
            return SignAnswer(self.job_id, self.signature.checked(), self.sign_s)
        except SignerError as error:
            return refusal(self.job_id, error)


class SessionSigner:
    """Signs with one session; one thread uses it. keys: by CKA_ID with this session's handle, looked up when first needed."""

    def __init__(self, login: LoggedIn, session: Session, keys: dict[bytes, HeldKey]) -> None:
        self._login = login
        self._take(session, keys)
        self._is_doubtful = False

    def sign(self, item: SignItem, kept: KeptKey | None = None) -> Signed | SignAnswer:
        """One signature. The item's own and the session's faults are answered; others raise Broken. kept: its key, if of the store."""
        started_s = perf_counter()
        try:
            key = self._key(item, kept)
            made = sign(key, item.algorithm, item.digest, pin=self._login.pin, token_name=self._login.start.name)
        except SignerError as error:
            return refusal(item.job_id, error)
        except PKCS11Error as error:
            return refusal(item.job_id, self._heal(error))
        self._is_doubtful = False
        self._login.prove()
        return Signed(item.job_id, made, perf_counter() - started_s)

    def touch(self) -> None:
        """Uses the session for nothing, so that the token does not give it up, and lets go of keys not needed; raises Broken."""
        try:
            self._session.generate_random(_TOUCH_BITS)
            self._kept.give_up_idle()
        except PKCS11Error as error:
            self._heal(error)

    def _take(self, session: Session, keys: dict[bytes, HeldKey]) -> None:
        self._session = session
        self._keys = keys
        start = self._login.start
        self._kept = KeptKeys(session, start.name, limit=start.kept_keys_max, idle_s=start.kept_key_idle_s)

    def _heal(self, error: PKCS11Error) -> SignerError:
        """What to answer, once this session is fit for the next item; Broken when that is not in its power.

        A session is opened anew once; if it fails again before it has signed, the device is in doubt.
        """
        fault, translated = classify(error), translate(error, self._login.start.name)
        if fault.reach is FaultClass.REQUEST:
            return translated
        if fault.reach is not FaultClass.SESSION:
            raise Broken(translated, fault.reach) from error
        if self._is_doubtful:
            raise Broken(translated, FaultClass.DEVICE) from error
        self._is_doubtful = True
        try:
            self._leave()
            self._take(self._login.token.open(), {})
        except PKCS11Error as again:
            raise Broken(translate(again, self._login.start.name), FaultClass.DEVICE) from again
        return translated

    def _leave(self) -> None:
        """Closes the session, unless it is the one that logged in: the library would log out, and with it every other session.

        Keys that were unwrapped on that one are destroyed: it lives on, and nobody would know of them any more.
        """
        with contextlib.suppress(PKCS11Error):
            if self._session is self._login.session:
                self._kept.give_up_all()
            else:
                self._session.close()

    def _key(self, item: SignItem, kept: KeptKey | None) -> HeldKey:
        name = self._login.start.name
        self._kept.give_up_idle()
        key = self._kept.held(kept) if kept is not None else self._on_this_session(item.key_id)
        if key is None:
            raise TokenRefused(f"token {name}: the key {item.key_id.hex()} is no longer there; see `signer credentials`", token=name)
        if item.algorithm.family is not key.found.family:
            raise TokenRefused(f"token {name}: a {item.algorithm.value} signature needs another kind of key", token=name)
        return key

    def _on_this_session(self, key_id: bytes) -> HeldKey | None:
        """A key of the inventory with this session's handle of it; None when there is no such key."""
        if (found := self._keys.get(key_id)) is not None:
            return found
        key = self._login.inventory.keys.get(key_id)
        if key is None:
            return None
        template = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: key_id}
        handles = list(self._session.get_objects(template))  # all of them: an open search would block the session (OperationActive)
        if not handles:
            return None
        self._keys[key_id] = replace(key, handle=handles[0])
        return self._keys[key_id]


def refusal(job_id: int, error: SignerError) -> SignAnswer:
    """The answer for an item that was certainly not signed, or whose signature was withheld."""
    return SignAnswer(job_id, b"", 0.0, error.reason.value, error.message, error.metadata.get("ckr", ""))
