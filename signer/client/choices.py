"""Values of the contract that callers may give by name."""

from __future__ import annotations

from enum import Enum
from typing import TypeVar

from signer.algorithms import SignatureAlgorithm
from signer.errors import InvalidArgument

_Choice = TypeVar("_Choice", bound=Enum)


def choice(kind: type[_Choice], given: _Choice | str) -> _Choice:
    """The member, or the one of that value; InvalidArgument, naming those that there are."""
    try:
        return kind(given)
    except ValueError:
        known = ", ".join(str(member.value) for member in kind)
        raise InvalidArgument(f"{given!r} is no {kind.__name__.lower()}; known: {known}", field=kind.__name__.lower()) from None


def algorithm(given: SignatureAlgorithm | str | None) -> SignatureAlgorithm | None:
    """None, and empty, for the credential's own."""
    return choice(SignatureAlgorithm, given) if given else None
