"""A program that holds wrapped keys on a real token: a START frame on its standard input → lines of figures.

`by-clock`, by a clock of its own, a line each: keys in hand, private session objects in the token. Then `by-use`, as a worker's session
does: private session objects after a wrapped key was used, and after another key was used a while later.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pkcs11
from pkcs11 import Attribute, ObjectClass

from signer.algorithms import KeyFamily, KeyKind, SignatureAlgorithm
from signer.model import KeptKey, KeyStorage
from signer.tokens.kept_keys import KeptKeys
from signer.tokens.login import Login
from signer.tokens.making import make_pair, subject_public_key_info
from signer.tokens.wire import SignItem, Start
from signer.tokens.wrapping import Wrapping

_IDLE_S = 60.0
_PRIVATE = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.TOKEN: False}


def _wrapped(session: pkcs11.Session, wrapping: Wrapping, name: str) -> KeptKey:
    public, private = make_pair(session, KeyKind.EC_P256, KeyStorage.WRAPPED, name.encode(), name)
    spki = subject_public_key_info(public, KeyKind.EC_P256.family)
    kept = KeptKey(name, "1", "", KeyStorage.WRAPPED, KeyKind.EC_P256, name.encode(), spki, wrapping.wrap(private))
    private.destroy()
    public.destroy()
    return replace(kept, seal=wrapping.seal(kept))


def _say(session: pkcs11.Session, *figures: float) -> None:
    unwrapped = len(list(session.get_objects(_PRIVATE)))
    sys.stdout.write(" ".join(str(figure) for figure in (*figures, unwrapped)) + "\n")


def _by_clock(session: pkcs11.Session, keys: Sequence[KeptKey]) -> None:
    """Uses both, then the second alone half a minute later, then none."""
    first, second = keys
    now_s = 0.0
    held = KeptKeys(session, "test", limit=4, idle_s=_IDLE_S, clock_s=lambda: now_s)
    for now_s, used in ((0.0, (first, second)), (30.0, (second,)), (60.0, ()), (89.0, ()), (90.0, ())):
        for kept in used:
            held.held(kept)
        held.give_up_idle()
        _say(session, now_s, len(held))


def _by_use(login: Login, kept: KeptKey) -> None:
    """Signs with a wrapped key, and past its time with one of the token's own."""
    (signer,) = login.signers()
    own = next(key_id for key_id, key in login.inventory.keys.items() if key.found.family is KeyFamily.RSA)
    digest = bytes(32)
    assert signer.sign(SignItem(1, kept.key_id, SignatureAlgorithm.ECDSA_SHA256, digest), kept).signature
    _say(login.session)
    time.sleep(login.start.kept_key_idle_s)
    assert signer.sign(SignItem(2, own, SignatureAlgorithm.RSA_PKCS1_SHA256, digest)).signature
    _say(login.session)


def main() -> None:
    """Both, one after the other."""
    login = Login(msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Start))
    session = login.token.open(rw=True)
    wrapping = Wrapping.find_or_make(session, "test")
    keys = [_wrapped(session, wrapping, name) for name in "ab"]
    _by_clock(session, keys)
    _by_use(login, keys[0])
    login.finalize()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
