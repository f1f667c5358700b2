"""What a process remembers of markup: little, and only of what came twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

from signer.errors import SignerError
from signer.formats.xml.alike.apart import Apart, take_apart

_K = TypeVar("_K")
_R = TypeVar("_R")
KNOWN_MAX: Final = 32
"""Markups: a class's records have one or two for each thing that some have and others lack."""
KINDS_MAX: Final = 8
"""Of one markup: classes of a school have it, with other teachers' signatures."""
_SEEN_MAX: Final = 256
BYTES_MAX: Final = 8 * 1024 * 1024


class Memory(Generic[_K]):
    """Bounded: what was not needed for longest goes first. Not thread-safe."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        """bytes_max: of the markup that is known; what is kept of each is about twice as much."""
        self._bytes_max = bytes_max
        self._known: OrderedDict[tuple[bytes, Hashable], list[_K | None]] = OrderedDict()
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
        learn: Callable[[Apart], _K | None],
    ) -> tuple[_R, bool]:
        """The answer to a question about a document, and whether it came from what is known of others with its markup.

        Args:
            content: the document.
            question: whatever else the answer depends on; small.
            fill: the answer by what is known; None where this document's texts need more.
            read: the answer to a document that isn't known; raises whatever is wrong with it, and nothing is learnt then.
            learn: what to keep of a document; None, or a SignerError, where nothing can be. It is kept if it gives this document's answer.
        """
        document = take_apart(content)
        if document is None:
            return read(), False
        key = (document.key, question)
        kinds = self._known.get(key, [])
        for kind in kinds if kinds and document.is_of_characters else ():
            known = None if kind is None else fill(kind, document)
            if known is not None:
                self._known.move_to_end(key)
                return known, True
        answer = read()
        if None not in kinds and self._came_before(hash((key, len(kinds)))):
            kind = _learnt(document, learn)
            self._keep(key, kind if kind is not None and fill(kind, document) == answer else None)
        return answer, False

    def _came_before(self, mark: int) -> bool:
        if self._seen.pop(mark, self) is None:
            return True
        self._seen[mark] = None
        if len(self._seen) > _SEEN_MAX:
            self._seen.popitem(last=False)
        return False

    def _keep(self, key: tuple[bytes, Hashable], kind: _K | None) -> None:
        """Of a markup as much as its kinds. None: nothing can be learnt of it, and nobody is to try again."""
        kinds = self._known.setdefault(key, [])
        kinds.insert(0, kind)
        self._bytes += len(key[0])
        if len(kinds) > KINDS_MAX:
            kinds.pop()
            self._bytes -= len(key[0])
        self._known.move_to_end(key)
        while len(self._known) > KNOWN_MAX or self._bytes > self._bytes_max:
            (markup, _), gone = self._known.popitem(last=False)
            self._bytes -= len(markup) * len(gone)


def _learnt(document: Apart, learn: Callable[[Apart], _K | None]) -> _K | None:
    try:
        return learn(document)
    except SignerError:
        return None  # marks may be too many, or stand where a text may not be: such documents are read one by one
