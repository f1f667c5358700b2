"""Names prepared once (RFC 4518, RFC 5280 §7.1).

asn1crypto prepares every string of both names, character by character, each time two are compared or hashed, and pyHanko looks
certificates up by name many times for each signature: half of the time that judging one took. Here the preparation of a string is
remembered; it depends on the string alone. Long strings, which no name of a CA has, are not remembered.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from asn1crypto.x509 import NameTypeAndValue

_prepare: Final = NameTypeAndValue._ldap_string_prep  # noqa: SLF001 - there is no other door
_LENGTH_MAX: Final = 256
_REMEMBERED: Final = 2048


def install() -> None:
    """Make asn1crypto prepare names this way, in this process."""
    NameTypeAndValue._ldap_string_prep = _prepared  # noqa: SLF001


def _prepared(_self: NameTypeAndValue, text: str) -> str:
    return _remembered(text) if len(text) <= _LENGTH_MAX else _prepare(None, text)


@lru_cache(maxsize=_REMEMBERED)
def _remembered(text: str) -> str:
    return str(_prepare(None, text))
