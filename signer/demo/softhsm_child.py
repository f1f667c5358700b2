"""The process that touches a demo token: `python -m signer.demo.softhsm_child`, one JSON request on stdin, one JSON reply on stdout.

Rules of the room: one thread, one login, under a file lock, because SoftHSM rewrites its token file at each C_Login; PINs are made and
read here and leave in no form; the module is finalised before the process ends, because SoftHSM is known to crash at exit otherwise.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pkcs11
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from pkcs11 import Attribute, KeyType, MechanismFlag, ObjectClass, TokenFlag
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters
from pkcs11.util.rsa import encode_rsa_public_key
from pkcs11.util.x509 import decode_x509_certificate

from signer.demo.softhsm import Action, DemoKey, KeyKind, KeySpec, Reply, Request, pin_file, so_pin_file, tokens_directory

if TYPE_CHECKING:
    from pkcs11 import Session, Token

_PIN_RANDOM_BYTES = 32  # 43 characters of base64url: keys at rest in SoftHSM are only as strong as the PIN
_LABEL_BYTES = 32
_SIGNING = MechanismFlag.SIGN | MechanismFlag.VERIFY
_STAYS_INSIDE = {Attribute.PRIVATE: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
_RSA_BITS = {KeyKind.RSA_2048: 2048, KeyKind.RSA_3072: 3072}
_CURVES = {KeyKind.EC_P256: "secp256r1", KeyKind.EC_P384: "secp384r1"}
_ENCODERS: dict[KeyType, Callable[[Any], bytes]] = {KeyType.RSA: encode_rsa_public_key, KeyType.EC: encode_ec_public_key}


class _Refused(Exception):
    """Nothing was changed; the text goes into the reply."""


def create(module: Any, request: Request) -> Reply:
    """Initialise the token unless a first try already did, then generate the keys."""
    directory = Path(request.directory)
    token = _find_token(module, request.label)
    if token is None:
        _refuse_spoiled(directory)
        _write_new_pin(pin_file(directory, request.label))
        _write_new_pin(so_pin_file(directory, request.label))
        _init_token(module, request)
        token = _find_token(module, request.label)
    if token is None:
        raise _Refused("SoftHSM initialised it but does not list it")
    if TokenFlag.USER_PIN_INITIALIZED not in token.flags:
        with token.open(rw=True, so_pin=_read_pin(so_pin_file(directory, request.label))) as session:
            session.init_pin(_read_pin(pin_file(directory, request.label)))
    with _login(token, request) as session:
        if list(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})):
            raise _Refused("it already holds private keys; open it, or choose another directory")
        for spec in request.keys:
            _generate(session, spec)
        return _reply(token, session)


def open_existing(module: Any, request: Request) -> Reply:
    """Read serial, public keys and certificates."""
    token = _existing_token(module, request)
    with _login(token, request) as session:
        return _reply(token, session)


def store(module: Any, request: Request) -> Reply:
    """Put certificates beside their keys, in place of earlier ones."""
    token = _existing_token(module, request)
    with _login(token, request) as session:
        key_ids = {key.label: key.key_id for key in _public_keys(session)}
        unknown = sorted(set(request.certificates) - set(key_ids))
        if unknown:
            raise _Refused(f"it holds no key labelled {', '.join(unknown)}")
        for label, certificate in request.certificates.items():
            same_id = {Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.ID: key_ids[label]}
            for earlier in list(session.get_objects(same_id)):
                earlier.destroy()
            attributes = {Attribute.TOKEN: True, Attribute.PRIVATE: False, Attribute.LABEL: label, Attribute.ID: key_ids[label]}
            session.create_object({**decode_x509_certificate(certificate), **attributes})
        return _reply(token, session)


_ACTIONS: dict[Action, Callable[[Any, Request], Reply]] = {Action.CREATE: create, Action.OPEN: open_existing, Action.STORE: store}


def _find_token(module: Any, label: str) -> Token | None:
    slots = module.get_slots(token_present=True)
    tokens = [token for token in map(_token_of, slots) if TokenFlag.TOKEN_INITIALIZED in token.flags and token.label == label]
    if len(tokens) > 1:
        raise _Refused("the directory holds more than one token of this label")
    return tokens[0] if tokens else None


def _token_of(slot: Any) -> Token:
    token: Token = slot.get_token()
    return token


def _existing_token(module: Any, request: Request) -> Token:
    token = _find_token(module, request.label)
    if token is None:
        raise _Refused("there is no such token; create it first")
    return token


def _init_token(module: Any, request: Request) -> None:
    """C_InitToken (PKCS#11 5.5), which python-pkcs11 does not offer, through ctypes on the module it has initialised."""
    free = [slot.slot_id for slot in module.get_slots(token_present=True) if TokenFlag.TOKEN_INITIALIZED not in slot.get_token().flags]
    pin = _read_pin(so_pin_file(Path(request.directory), request.label)).encode()
    label = request.label.encode().ljust(_LABEL_BYTES)
    c_init_token = ctypes.CDLL(request.module).C_InitToken
    c_init_token.argtypes = [ctypes.c_ulong, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
    c_init_token.restype = ctypes.c_ulong
    result = c_init_token(free[0], pin, len(pin), label)
    if result != 0:
        raise _Refused(f"C_InitToken answered {result:#x}")


@contextmanager
def _login(token: Token, request: Request) -> Iterator[Session]:
    with token.open(rw=True, user_pin=_read_pin(pin_file(Path(request.directory), request.label))) as session:
        yield session


def _refuse_spoiled(directory: Path) -> None:
    """An emptied token.object makes SoftHSM hide a token whose keys still lie there: that is to be restored, not covered up."""
    spoiled = [path for path in tokens_directory(directory).glob("*/token.object") if not path.stat().st_size]
    if spoiled:
        raise _Refused(f"{spoiled[0]} is empty: restore it from its copy")


def _read_pin(path: Path) -> str:
    if not path.is_file():
        raise _Refused(f"its PIN file {path.name} is missing")
    return path.read_text(encoding="ascii")


def _write_new_pin(path: Path) -> None:
    """Keep a PIN that an interrupted first try left: it may already open a token."""
    if path.is_file() and path.stat().st_size:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(_PIN_RANDOM_BYTES))


def _generate(session: Session, spec: KeySpec) -> None:
    common: dict[str, Any] = {
        "id": spec.cka_id,
        "label": spec.label,
        "store": True,
        "capabilities": _SIGNING,
        "private_template": _STAYS_INSIDE,
    }
    if spec.kind in _RSA_BITS:
        session.generate_keypair(KeyType.RSA, _RSA_BITS[spec.kind], **common)
        return
    curve = {Attribute.EC_PARAMS: encode_named_curve_parameters(_CURVES[spec.kind])}
    session.create_domain_parameters(KeyType.EC, curve, local=True).generate_keypair(**common)


def _reply(token: Token, session: Session) -> Reply:
    return Reply(serial=token.serial.decode("ascii").strip(), keys=tuple(_public_keys(session)))


def _public_keys(session: Session) -> Iterator[DemoKey]:
    certificates = {
        certificate[Attribute.ID]: certificate[Attribute.VALUE]
        for certificate in session.get_objects({Attribute.CLASS: ObjectClass.CERTIFICATE})
    }
    for key in session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY}):
        encoded = load_der_public_key(_ENCODERS[key[Attribute.KEY_TYPE]](key))
        key_id = key[Attribute.ID]
        yield DemoKey(
            label=key[Attribute.LABEL],
            key_id=key_id,
            public_key_der=encoded.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            certificate_der=certificates.get(key_id, b""),
        )


def main() -> None:
    """Read the request, do it under the directory's lock, write the reply."""
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    os.umask(0o077)
    with (Path(request.directory) / ".lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        module = pkcs11.lib(request.module)
        try:
            reply = _ACTIONS[request.action](module, request)
        except _Refused as refusal:
            reply = Reply(refused=str(refusal))
        finally:
            module.finalize()
    sys.stdout.buffer.write(msgspec.json.encode(reply))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
