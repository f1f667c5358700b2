"""The token worker: a program that holds one token's login and signs the digests it is given.

    python -m signer.tokens.worker FD

1. START tells which token. Under the start-up lock: put back a spoiled SoftHSM token file, initialise the module, find the token, log in
   once, open the other sessions, bring the safe copy up to date.
2. READY tells what was found.
3. CALL after CALL is signed in order; answers go back as they become ready, at most every 5 ms.
4. On a fault of session or device: every item in hand is answered as certainly not signed, then a FAILURE frame with call id 0 says that
   nothing else was started, and the program ends. A fresh process heals what a long-lived one cannot.

The answer to an item is sent only after its signature verified with the public key (Boneh, DeMillo and Lipton 1997: one faulty CRT
signature gives the key away).
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import msgspec
from cryptography.exceptions import InvalidSignature
from pkcs11 import Session
from pkcs11.exceptions import PKCS11Error

from signer.algorithms import SignatureAlgorithm
from signer.errors import SignerError, TokenRefused, TokenRemoved, TokenSignatureWrong
from signer.secrets import PinReference
from signer.telemetry.logs import configure_logs, get_logger
from signer.tokens.discovery import HeldKey, Inventory, take_inventory
from signer.tokens.faults import FaultClass, classify, translate
from signer.tokens.mechanisms import RECIPES
from signer.tokens.module import Module, find_token
from signer.tokens.safe_copy import SafeCopy
from signer.tokens.start_lock import start_lock
from signer.tokens.wire import Ready, SignAnswer, SignCall, SignItem, SignReply, Start
from signer.workers.frames import Kind, WorkerChannel

_FLUSH_S = 0.005
_log = get_logger(__name__)
_decode_call = msgspec.msgpack.Decoder(SignCall).decode
_encode = msgspec.msgpack.Encoder().encode


class _Broken(Exception):
    """The session, login or device is in doubt: stop working, tell the daemon."""

    def __init__(self, error: SignerError) -> None:
        super().__init__(error.message)
        self.error = error


class TokenSession:
    """The one login of this process, and its keys. One thread uses it."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._pin = PinReference.parse(start.pin).read()
        self.restored: list[str] = []
        self.module, self.session, self.ready_facts = self._open()
        self.inventory: Inventory = take_inventory(self.session)

    def _open(self) -> tuple[Module, Session, tuple[str, str, str, str, int]]:
        start = self._start
        copy = SafeCopy(Path(start.softhsm_token_directory), Path(start.safe_copy_directory)) if start.softhsm_token_directory else None
        with start_lock(Path(start.lock_path)):
            if copy is not None:
                self.restored = copy.restore()
            module = Module(start.module, threads=start.sessions > 1)
            token = find_token(module, name=start.name, label=start.label, serial=start.serial)
            session = token.open(user_pin=self._pin.reveal())
            if copy is not None:
                copy.refresh()
        serial = token.serial.decode("ascii", "replace").strip() if isinstance(token.serial, bytes) else str(token.serial)
        return module, session, (token.label, serial, str(token.model), str(token.manufacturer_id), int(token.slot.slot_id))

    def ready(self) -> Ready:
        """What READY says."""
        label, serial, model, manufacturer, slot = self.ready_facts
        return Ready(
            label=label,
            serial=serial,
            model=model,
            manufacturer=manufacturer,
            slot=slot,
            keys=[key.found for key in self.inventory.keys.values()],
            orphan_certificates=self.inventory.orphan_certificates,
            restored_files=self.restored,
        )

    def sign(self, item: SignItem) -> SignAnswer:
        """One signature, verified. Request-level faults become an answer; everything else raises _Broken."""
        started_s = perf_counter()
        try:
            key = self._key(item)
            signature = self._sign_verified(key, item.algorithm, item.digest)
        except SignerError as error:
            return refusal(item, error)
        except PKCS11Error as error:
            translated = translate(error, self._start.name)
            if classify(error).reach is FaultClass.REQUEST:
                return refusal(item, translated)
            raise _Broken(translated) from error
        return SignAnswer(item.job_id, signature, perf_counter() - started_s)

    def _key(self, item: SignItem) -> HeldKey:
        key = self.inventory.keys.get(item.key_id)
        if key is None:
            raise TokenRemoved(f"token {self._start.name}: the key {item.key_id.hex()} is no longer there", token=self._start.name)
        if item.algorithm.family is not key.found.family:
            raise TokenRefused(f"token {self._start.name}: a {item.algorithm.value} signature needs another kind of key")
        return key

    def _sign_verified(self, key: HeldKey, algorithm: SignatureAlgorithm, digest: bytes) -> bytes:
        recipe = RECIPES[algorithm]
        pin = {"pin": self._pin.reveal()} if key.always_authenticate else {}
        raw = key.handle.sign(recipe.shape_input(digest), mechanism=recipe.mechanism, mechanism_param=recipe.parameter, **pin)
        if key.public_key is None:
            raise TokenRefused(f"token {self._start.name}: no public key to check signatures with")
        try:
            signature = recipe.shape_output(raw)
            recipe.verify(key.public_key, signature, digest)
        except (InvalidSignature, ValueError) as error:
            raise TokenSignatureWrong(
                f"token {self._start.name} returned a signature that does not verify; it was withheld. Take the token out of use.",
                token=self._start.name,
            ) from error
        return signature


def refusal(item: SignItem, error: SignerError) -> SignAnswer:
    """The answer for an item that was certainly not signed, or whose signature was withheld."""
    return SignAnswer(item.job_id, b"", 0.0, error.reason.value, error.message)


def serve(channel: WorkerChannel, sign: Callable[[SignItem], SignAnswer]) -> None:
    """Signs calls in order until the daemon closes its end; raises _Broken after every item in hand has been answered."""
    while (frame := channel.receive()) is not None:
        answers: list[SignAnswer] = []
        flushed_s = perf_counter()
        items = _decode_call(frame.body).items
        for index, item in enumerate(items):
            try:
                answers.append(sign(item))
            except _Broken as broken:
                answers += [refusal(left, broken.error) for left in items[index:]]
                channel.send(Kind.REPLY, frame.call_id, _encode(SignReply(answers)))
                channel.send(Kind.DONE, frame.call_id)
                raise
            if perf_counter() - flushed_s > _FLUSH_S:
                channel.send(Kind.REPLY, frame.call_id, _encode(SignReply(answers)))
                answers, flushed_s = [], perf_counter()
        if answers:
            channel.send(Kind.REPLY, frame.call_id, _encode(SignReply(answers)))
        channel.send(Kind.DONE, frame.call_id)


def run(channel: WorkerChannel) -> int:
    """The program: exit code 0 when the daemon let go, 3 when the token failed."""
    frame = channel.receive()
    if frame is None:
        return 0
    start = msgspec.msgpack.decode(frame.body, type=Start)
    configure_logs(start.log_level, process=f"token:{start.name}")
    try:
        token = TokenSession(start)
    except (SignerError, PKCS11Error) as error:
        channel.fail(0, error if isinstance(error, SignerError) else translate(error, start.name))
        return 3
    try:
        channel.send(Kind.READY, 0, _encode(token.ready()))
        serve(channel, token.sign)
    except _Broken as broken:
        _log.warning("token fault", token=start.name, reason=broken.error.reason.value, message=broken.error.message)
        channel.fail(0, broken.error)
        return 3
    except BrokenPipeError:
        return 0
    finally:
        with contextlib.suppress(PKCS11Error):
            token.module.finalize()
    return 0


def main() -> None:
    """Entry point; leaves by os._exit because vendor modules crash in exit handlers."""
    code = run(WorkerChannel.from_fd(int(sys.argv[1])))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
