"""The key worker: a program that generates key pairs, signs certificate requests and destroys keys, on one token.

    python -m signer.tokens.key_worker FD

Beside the workers that sign, and only while it has work: generating a key of 4096 bits takes seconds, and no signature waits behind it.
There is one a token, because modules find and create objects in steps that two writers would interleave. It speaks the same frames, logs
in under the same lock and leaves on the same faults as they do (`worker`).
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import msgspec
from pkcs11 import Attribute, ObjectClass
from pkcs11.exceptions import PKCS11Error

from signer.algorithms import DEFAULT_BY_FAMILY, KeyKind, SignatureAlgorithm
from signer.errors import SignerError
from signer.formats.certificate_request import assemble_request, request_info
from signer.model import KeptKey, KeyStorage
from signer.telemetry.logs import configure_logs, get_logger
from signer.tokens.faults import FaultClass, classify, translate
from signer.tokens.kept_keys import KeptKeys
from signer.tokens.key_wire import DestroyKey, KeyAnswer, KeyCall, KeyOrder, KeyReply, MakeKey, RequestCertificate
from signer.tokens.login import Login
from signer.tokens.making import make_pair, subject_public_key_info
from signer.tokens.program import run_program, shut_in
from signer.tokens.unchecked import sign
from signer.tokens.wire import Start
from signer.tokens.wrapping import Wrapping
from signer.workers.frames import Kind, WorkerChannel
from signer.workers.precedence import give_way

_log = get_logger(__name__)
_EXIT_FAULT = 3
_REQUEST_ALGORITHMS = {kind: DEFAULT_BY_FAMILY[kind.family] for kind in KeyKind} | {KeyKind.EC_P384: SignatureAlgorithm.ECDSA_SHA384}
_decode = msgspec.msgpack.Decoder(KeyCall).decode
_encode = msgspec.msgpack.Encoder().encode


class KeyMaker:
    """Works orders off on one session that may write."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._session = login.token.open(rw=True)
        self._name = login.start.name
        self._kept = KeptKeys(self._session, self._name, limit=login.start.kept_keys_max, idle_s=login.start.kept_key_idle_s)
        self._wrapping: Wrapping | None = None

    def work_off(self, place: int, order: KeyOrder) -> KeyAnswer:
        """One answer. What concerns this order alone is told in it; what ends the worker is raised as PKCS11Error."""
        try:
            return self._work_off(place, order)
        except SignerError as error:
            return KeyAnswer(place, reason=error.reason.value, message=error.message)
        except PKCS11Error as error:
            if classify(error).reach is not FaultClass.REQUEST:
                raise
            refused = translate(error, self._name)
            return KeyAnswer(place, reason=refused.reason.value, message=refused.message)

    def _work_off(self, place: int, order: KeyOrder) -> KeyAnswer:
        match order:
            case MakeKey():
                kept = self._make_wrapped(order) if order.storage is KeyStorage.WRAPPED else self._make_in_token(order)
                # By the key as it is found or unwrapped again: a blob that could not be used shows before a certificate is paid for.
                return KeyAnswer(place, kept, self._request(kept, order.subject))
            case RequestCertificate():
                return KeyAnswer(place, order.kept, self._request(order.kept, order.subject))
            case DestroyKey():
                self._destroy(order.kept)
                return KeyAnswer(place, order.kept)

    def _make_wrapped(self, order: MakeKey) -> KeptKey:
        if self._wrapping is None:
            self._wrapping = Wrapping.find_or_make(self._session, self._name)
        public, private = make_pair(self._session, order.kind, order.storage, order.key_id, order.credential_id)
        try:
            kept = replace(_kept(order, public), wrapped=self._wrapping.wrap(private))
            return replace(kept, seal=self._wrapping.seal(kept))
        finally:
            private.destroy()
            public.destroy()

    def _make_in_token(self, order: MakeKey) -> KeptKey:
        earlier = self._objects(ObjectClass.PUBLIC_KEY, order.key_id)
        if earlier and self._objects(ObjectClass.PRIVATE_KEY, order.key_id):
            return _kept(order, earlier[0])
        public, _private = make_pair(self._session, order.kind, order.storage, order.key_id, order.credential_id)
        return _kept(order, public)

    def _request(self, kept: KeptKey, subject: bytes) -> bytes:
        key = self._kept.held(kept)
        if not subject:
            return b""
        algorithm = _REQUEST_ALGORITHMS[kept.kind]
        info = request_info(subject, kept.public_key)
        digest = hashlib.new(algorithm.digest.value, info).digest()
        signature = sign(key, algorithm, digest, pin=self._login.pin, token_name=self._name).checked()
        return assemble_request(info, algorithm, signature)

    def _destroy(self, kept: KeptKey) -> None:
        if kept.storage is KeyStorage.TOKEN:
            for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
                for found in self._objects(kind, kept.key_id):
                    found.destroy()

    def _objects(self, kind: ObjectClass, key_id: bytes) -> list[Any]:
        return list(self._session.get_objects({Attribute.CLASS: kind, Attribute.ID: key_id}))


def _kept(order: MakeKey, public: Any) -> KeptKey:
    spki = subject_public_key_info(public, order.kind.family)
    return KeptKey(order.credential_id, order.school_id, order.person_id, order.storage, order.kind, order.key_id, spki)


def run(channel: WorkerChannel) -> int:
    """The program: exit code 0 when the daemon let go, 3 when the token failed."""
    frame = channel.receive()
    if frame is None:
        return 0
    start = msgspec.msgpack.decode(frame.body, type=Start)
    configure_logs(start.log_level, process=f"keys:{start.name}")
    give_way()
    shut_in(start)
    try:
        login = Login(start)
    except (SignerError, PKCS11Error) as error:
        channel.fail(0, error if isinstance(error, SignerError) else translate(error, start.name))
        return _EXIT_FAULT
    try:
        maker = KeyMaker(login)
        channel.send(Kind.READY, 0)
        _serve(channel, maker)
    except (SignerError, PKCS11Error) as raised:
        fault = raised if isinstance(raised, SignerError) else translate(raised, start.name)
        _log.warning("token fault", token=start.name, reason=fault.reason.value, message=fault.message)
        channel.fail(0, fault)
        channel.wait_for_close()
        return _EXIT_FAULT
    finally:
        login.finalize()
    return 0


def _serve(channel: WorkerChannel, maker: KeyMaker) -> None:
    while (frame := channel.receive()) is not None:
        for place, order in enumerate(_decode(frame.body).orders):
            channel.send(Kind.REPLY, frame.call_id, _encode(KeyReply(maker.work_off(place, order))))
        channel.send(Kind.DONE, frame.call_id)


if __name__ == "__main__":
    run_program(run)
