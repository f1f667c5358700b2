"""Ids of a signature and of its parts: the same for the same data and place, others for others, so that signed copies can be merged."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

from signer.formats.xml.values import Reference

_DIGITS: Final = 16
_SHAPE: Final = re.compile(r"S-[0-9a-f]{16}x*")


def signature_id(place: str, references: Iterable[Reference]) -> str:
    """An Id from what is signed and where."""
    state = hashlib.sha256(place.encode())
    for each in references:
        state.update(b"\0%s\0%s" % (each.uri.encode(), each.digest))
    return f"S-{state.hexdigest()[:_DIGITS]}"


def is_signature_id(value: str) -> bool:
    """Whether it is one of ours."""
    return _SHAPE.fullmatch(value) is not None


def object_id(signature: str) -> str:
    """Of the Object with the enveloped document."""
    return f"{signature}-object"


def time_id(signature: str) -> str:
    """Of the SignatureProperty with the signing time."""
    return f"{signature}-time"


def signed_properties_id(signature: str) -> str:
    """Of XAdES SignedProperties."""
    return f"{signature}-signed"


def reference_id(signature: str, number: int) -> str:
    """Of the n-th reference to data, from 1."""
    return f"{signature}-ref-{number}"
