"""Changes to objects as edits of their bytes: what is not named stays as it was written."""

from __future__ import annotations

from signer.formats.pades.fast.fallback import FallbackReason, HandOver
from signer.formats.pades.fast.syntax import Array, Dictionary


class Changes:
    """Collects edits by object number; `bodies` applies them."""

    def __init__(self) -> None:
        self._wholes: dict[int, Dictionary | Array] = {}
        self._edits: dict[int, list[tuple[int, int, bytes]]] = {}

    def of(self, whole: Dictionary | Array) -> None:
        """Declares that `whole` is all of its indirect object and may be edited.

        Raises:
            HandOver: the object was declared before: it plays two parts, and edits would mix.
        """
        if whole.owner in self._wholes:
            raise HandOver(FallbackReason.AMBIGUOUS)
        self._wholes[whole.owner] = whole

    def put(self, dictionary: Dictionary, key: bytes, value: bytes) -> None:
        """Sets `key` to `value`: in place of the old value, or as a new last entry."""
        if key in dictionary.values:
            self._edit(dictionary.owner, *dictionary.span(key), b" " + value)
        else:
            at = dictionary.end - len(b">>")
            self._edit(dictionary.owner, at, at, b"\n/" + key + b" " + value)

    def drop(self, dictionary: Dictionary, key: bytes) -> None:
        """Takes `key` out, with its value, if it is there."""
        if key in dictionary.values:
            start, end = dictionary.span(key)
            self._edit(dictionary.owner, dictionary.text.rindex(b"/" + key, dictionary.start, start), end, b"")

    def append(self, array: Array, item: bytes) -> None:
        """Adds `item` at the end of an array."""
        at = array.end - len(b"]")
        self._edit(array.owner, at, at, b" " + item)

    def _edit(self, owner: int, start: int, end: int, new: bytes) -> None:
        self._edits.setdefault(owner, []).append((start, end, new))

    def bodies(self) -> list[tuple[int, bytes]]:
        """Number and new value of each edited object, by number."""
        return [(number, _edited(self._wholes[number], self._edits[number])) for number in sorted(self._edits)]


def _edited(whole: Dictionary | Array, edits: list[tuple[int, int, bytes]]) -> bytes:
    pieces: list[bytes] = []
    at = whole.start
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
        if start < at:
            raise HandOver(FallbackReason.AMBIGUOUS)
        pieces += (whole.text[at:start], new)
        at = end
    pieces.append(whole.text[at : whole.end])
    return b"".join(pieces)
