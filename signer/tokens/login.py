"""One process's login to its token: opened once, under the start-up lock, and shared by all its sessions.

C_Login is per application and token (PKCS#11 v3.0 §5.6.8): the first session logs in, the others are opened without a PIN, and none is
closed while the process works, because C_Logout would end them all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from cryptography.exceptions import InvalidSignature
from pkcs11 import Attribute, ObjectClass, Session, Token, TokenFlag
from pkcs11.exceptions import PKCS11Error

from signer.algorithms import SignatureAlgorithm
from signer.errors import PinHeld, PinLocked, SignerError, TokenRefused, TokenRemoved, TokenSignatureWrong
from signer.model import KeptKey
from signer.secrets import PinReference
from signer.tokens.discovery import HeldKey, Inventory, take_inventory
from signer.tokens.faults import FaultClass, classify, translate
from signer.tokens.kept_keys import KeptKeys
from signer.tokens.mechanisms import RECIPES
from signer.tokens.module import Module, find_token, serial_of
from signer.tokens.safe_copy import SafeCopy
from signer.tokens.start_lock import start_lock
from signer.tokens.wire import Ready, SignAnswer, SignItem, Start


class Broken(Exception):
    """The session, login or device is in doubt: this process must stop working and tell the daemon why."""

    def __init__(self, error: SignerError) -> None:
        super().__init__(error.message)
        self.error = error


class Login:
    """The module, the token and what it shows. Made on the program's main thread.

    Raises SignerError or PKCS11Error when the token can't be had; a refused PIN was tried once.
    """

    def __init__(self, start: Start) -> None:
        self.start = start
        self.pin = PinReference.parse(start.pin).read()
        self._restored: list[str] = []
        with start_lock(Path(start.lock_path)), self._guarded_token_file():
            self.module = Module(start.module, threads=start.sessions > 1)
            self.token: Token = find_token(self.module, name=start.name, label=start.label, serial=start.serial)
            refuse_last_try(self.token, start.name)
            self.session: Session = self.token.open(user_pin=self.pin.reveal())
        self.inventory: Inventory = take_inventory(self.session)

    def signers(self) -> list[SessionSigner]:
        """One signer a configured session; each belongs to one thread."""
        first = SessionSigner(self, self.session, self.inventory.keys)
        return [first, *[SessionSigner(self, self.token.open(), {}) for _ in range(self.start.sessions - 1)]]

    def ready(self) -> Ready:
        """What READY says."""
        token = self.token
        return Ready(
            label=token.label,
            serial=serial_of(token),
            model=str(token.model),
            manufacturer=str(token.manufacturer_id),
            slot=int(token.slot.slot_id),
            keys=[key.found for key in self.inventory.keys.values()],
            orphan_certificates=self.inventory.orphan_certificates,
            restored_files=self._restored,
        )

    def finalize(self) -> None:
        """Ends every session; exit-time crashes are known, so the program calls it before it leaves."""
        with contextlib.suppress(PKCS11Error):
            self.module.finalize()

    @contextlib.contextmanager
    def _guarded_token_file(self) -> Iterator[None]:
        """SoftHSM: the token file put back before the module is loaded if it is spoiled, and copied before and after the login.

        Before, because already the first login can spoil it.
        """
        if not self.start.softhsm_token_directory:
            yield
            return
        copy = SafeCopy(Path(self.start.softhsm_token_directory), Path(self.start.safe_copy_directory))
        self._restored = copy.restore()
        copy.refresh()
        yield
        copy.refresh()


def refuse_last_try(token: Token, name: str) -> None:
    """PinLocked or PinHeld when the token's flags say that its PIN is locked, or that one more wrong try would lock it (§3.2).

    Flags are fresh only after C_Initialize, which is why this is asked of a token that was just found.
    """
    if TokenFlag.USER_PIN_LOCKED in token.flags:
        raise PinLocked(f"token {name}: its PIN is locked: the token's security officer must unlock or reset it", token=name)
    if TokenFlag.USER_PIN_FINAL_TRY in token.flags:
        raise PinHeld(
            f"token {name}: one try of its PIN is left, so it is not tried: check the PIN source, log in once with the vendor's tool, "
            "then restart the daemon",
            token=name,
        )


class SessionSigner:
    """Signs with one session; one thread uses it. keys: by CKA_ID with this session's handle, looked up when first needed."""

    def __init__(self, login: Login, session: Session, keys: dict[bytes, HeldKey]) -> None:
        self._login = login
        self._session = session
        self._keys = keys
        self._kept = KeptKeys(session, login.start.name, login.start.kept_keys_max)

    def sign(self, item: SignItem, kept: KeptKey | None = None) -> SignAnswer:
        """One signature, verified. Request-level faults become an answer; everything else raises Broken. kept: its key, if of the store."""
        name = self._login.start.name
        started_s = perf_counter()
        try:
            signature = self._sign_verified(self._key(item, kept), item.algorithm, item.digest)
        except SignerError as error:
            return refusal(item, error)
        except PKCS11Error as error:
            translated = translate(error, name)
            if classify(error).reach is FaultClass.REQUEST:
                return refusal(item, translated)
            raise Broken(translated) from error
        return SignAnswer(item.job_id, signature, perf_counter() - started_s)

    def _key(self, item: SignItem, kept: KeptKey | None) -> HeldKey:
        name = self._login.start.name
        key = self._kept.held(kept) if kept is not None else self._on_this_session(item.key_id)
        if key is None:
            raise TokenRemoved(f"token {name}: the key {item.key_id.hex()} is no longer there", token=name)
        if item.algorithm.family is not key.found.family:
            raise TokenRefused(f"token {name}: a {item.algorithm.value} signature needs another kind of key", token=name)
        return key

    def _sign_verified(self, key: HeldKey, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        name = self._login.start.name
        if key.public_key is None:
            raise TokenRefused(f"token {name}: no public key to check signatures with", token=name)
        recipe = RECIPES[algorithm]
        pin = {"pin": self._login.pin.reveal()} if key.always_authenticate else {}
        raw = key.handle.sign(recipe.shape_input(digest), mechanism=recipe.mechanism, mechanism_param=recipe.parameter, **pin)
        try:
            signature = recipe.shape_output(raw)
            recipe.verify(key.public_key, signature, digest)
        except (InvalidSignature, ValueError) as error:
            raise TokenSignatureWrong(
                f"token {name} returned a signature that does not verify; it was withheld. Take the token out of use.", token=name
            ) from error
        return signature

    def _on_this_session(self, key_id: bytes) -> HeldKey | None:
        """A key of the inventory with this session's handle of it; None when there is no such key."""
        if (found := self._keys.get(key_id)) is not None:
            return found
        key = self._login.inventory.keys.get(key_id)
        if key is None:
            return None
        template = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: key_id}
        handle = list(self._session.get_objects(template))[0]  # noqa: RUF015 - an open search would block the session (OperationActive)
        self._keys[key_id] = replace(key, handle=handle)
        return self._keys[key_id]


def refusal(item: SignItem, error: SignerError) -> SignAnswer:
    """The answer for an item that was certainly not signed, or whose signature was withheld."""
    return SignAnswer(item.job_id, b"", 0.0, error.reason.value, error.message)
