"""What a process remembers of markup: little, and only of what came twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

from signer.errors import SignerError
from signer.formats.xml.alike.apart import Apart, take_apart
from signer.formats.xml.alike.learning import Marked

_K = TypeVar("_K")
_R = TypeVar("_R")
KNOWN_MAX: Final = 32
"""Markups: a class's records have one or two for each thing that some have and others lack."""
_SEEN_MAX: Final = 256
BYTES_MAX: Final = 8 * 1024 * 1024


class Memory(Generic[_K]):
    """Bounded: what was not needed for longest goes first. Not thread-safe."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        """bytes_max: of the markup that is known; what is kept of it is about twice that."""
        self._bytes_max = bytes_max
        self._known: OrderedDict[tuple[bytes, Hashable], _K | None] = OrderedDict()
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._bytes = 0

    @property
    def count(self) -> int:
        """Of the markups that are known."""
        return len(self._known)

    def ask(
        self,
        content: bytes,
        question: Hashable,
        *,
        fill: Callable[[_K, Apart], _R | None],
        read: Callable[[], _R],
        learn: Callable[[Marked], _K | None],
    ) -> _R:
        """The answer to a question about a document, by what is known of others with its markup, or by reading the whole of it.

        Args:
            content: the document.
            question: whatever else the answer depends on; small.
            fill: the answer by what is known; None where this document's texts need more.
            read: the answer to a document that isn't known; raises whatever is wrong with it, and nothing is learnt then.
            learn: what to keep, from the same document with marks for texts; None where nothing can be.
        """
        document = take_apart(content)
        if document is None:
            return read()
        key = (document.key, question)
        if key in self._known:
            self._known.move_to_end(key)
            known = self._known[key]
            answer = None if known is None else fill(known, document)
            return read() if answer is None else answer
        answer = read()
        if self._came_before(key):
            self._keep(key, _learnt(document, learn))
        return answer

    def _came_before(self, key: tuple[bytes, Hashable]) -> bool:
        mark = hash(key)
        if mark in self._seen:
            return True
        self._seen[mark] = None
        if len(self._seen) > _SEEN_MAX:
            self._seen.popitem(last=False)
        return False

    def _keep(self, key: tuple[bytes, Hashable], what: _K | None) -> None:
        self._known[key] = what
        self._bytes += len(key[0])
        while len(self._known) > KNOWN_MAX or self._bytes > self._bytes_max:
            (markup, _), _ = self._known.popitem(last=False)
            self._bytes -= len(markup)


def _learnt(document: Apart, learn: Callable[[Marked], _K | None]) -> _K | None:
    try:
        return learn(Marked(document))
    except SignerError:
        return None  # marks may be too many, or stand where a text may not be: such documents are read one by one
