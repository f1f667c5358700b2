"""Which token it is, told without its PIN: so that a PIN is never sent to another token in the same slot.

A label says little (two cards of one school may have the same), and OpenSC shows the last 16 digits of a card's number only. Certificates
and public keys say more, and tokens show them to anybody. A token that was ready once is recognised by its serial and by any one of the
objects it showed then; a renewed certificate or a further key therefore doesn't make it a stranger.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from typing import Any

from pkcs11 import Attribute, ObjectClass, Session, Token
from pkcs11.exceptions import AttributeTypeInvalid

from signer.errors import TokenRemoved
from signer.tokens.module import serial_of
from signer.tokens.wire import FOREIGN, Identity, Mark

_MARKS_MAX = 16
_SHOWN = (
    (ObjectClass.CERTIFICATE, Attribute.VALUE),
    (ObjectClass.PUBLIC_KEY, Attribute.MODULUS),
    (ObjectClass.PUBLIC_KEY, Attribute.EC_POINT),
)


def identity_of(token: Token) -> Identity:
    """What this token shows without a PIN; opens and closes a session. Raises PKCS11Error."""
    with closing(token.open()) as session:
        return Identity(serial=serial_of(token), marks=list(itertools.islice(_marks(session, {}), _MARKS_MAX)))


def require_known(token: Token, known: Identity, name: str) -> None:
    """TokenRemoved when this is not the token that was known before. Uses no PIN; raises PKCS11Error as well."""
    if known.serial and known.serial != serial_of(token):
        raise _foreign(name, f"its serial is {serial_of(token)}, not {known.serial}")
    if not known.marks:
        return
    with closing(token.open()) as session:
        if not any(mark in _marks(session, {Attribute.ID: mark.key_id}) for mark in known.marks):
            raise _foreign(name, "it shows none of the certificates and public keys seen before")


def _marks(session: Session, wanted: dict[Attribute, Any]) -> Iterator[Mark]:
    for object_class, attribute in _SHOWN:
        with closing(session.get_objects({Attribute.CLASS: object_class, **wanted})) as found:  # type: ignore[type-var]  # a generator
            for one in found:
                try:
                    yield Mark(key_id=bytes(one[Attribute.ID]), sha256=sha256(one[attribute]).digest())
                except AttributeTypeInvalid:  # an EC key has no modulus
                    continue


def _foreign(name: str, why: str) -> TokenRemoved:
    error = TokenRemoved(
        f"token {name}: another token is in its place: {why}. Its PIN was not used. Put the right one back; or, if the token was replaced "
        f"for good, accept this one: signer tokens release-pin {name}",
        token=name,
    )
    error.metadata[FOREIGN] = "true"
    return error
