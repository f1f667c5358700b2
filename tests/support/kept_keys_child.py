"""A program that holds wrapped keys on a real token by a clock of its own: MODULE LABEL PIN_FILE → a line of figures each minute.

A line: keys in hand, private session objects in the token.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pkcs11
from pkcs11 import Attribute, ObjectClass

from signer.algorithms import KeyKind
from signer.model import KeptKey, KeyStorage
from signer.tokens.kept_keys import KeptKeys
from signer.tokens.making import make_pair, subject_public_key_info
from signer.tokens.wrapping import Wrapping

IDLE_S = 60.0
_PRIVATE = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.TOKEN: False}


def _wrapped(session: pkcs11.Session, wrapping: Wrapping, name: str) -> KeptKey:
    public, private = make_pair(session, KeyKind.EC_P256, KeyStorage.WRAPPED, name.encode(), name)
    spki = subject_public_key_info(public, KeyKind.EC_P256.family)
    kept = KeptKey(name, "1", "", KeyStorage.WRAPPED, KeyKind.EC_P256, name.encode(), spki, wrapping.wrap(private))
    private.destroy()
    public.destroy()
    return replace(kept, seal=wrapping.seal(kept))


def main(module: str, label: str, pin_file: str) -> None:
    """Uses `a` and `b`, then `b` alone half a minute later, then nobody."""
    library = pkcs11.lib(module)
    session = library.get_token(token_label=label).open(rw=True, user_pin=Path(pin_file).read_text(encoding="ascii").strip())
    wrapping = Wrapping.find_or_make(session, "test")
    a, b = (_wrapped(session, wrapping, name) for name in "ab")
    now_s = 0.0
    keys = KeptKeys(session, "test", limit=4, idle_s=IDLE_S, clock_s=lambda: now_s)
    for now_s, used in ((0.0, (a, b)), (30.0, (b,)), (60.0, ()), (89.0, ()), (90.0, ())):
        for kept in used:
            keys.held(kept)
        keys.give_up_idle()
        sys.stdout.write(f"{now_s} {len(keys)} {len(list(session.get_objects(_PRIVATE)))}\n")
    library.finalize()


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)
