"""A signed file as its original and what was added to it: all that is kept of it, and how it comes back when the original does.

PDF: one addition after the original. XML: one within it. CMS with its content: one before and one after it. A detached signature is a file
of its own, made of additions alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from signer.algorithms import DigestAlgorithm
from signer.errors import InternalError


class Insertion(msgspec.Struct, frozen=True, array_like=True):
    """content stands before the original's byte at `offset`."""

    offset: int
    content: bytes


class Additions(msgspec.Struct, frozen=True, array_like=True):
    """What makes a signed file of its original.

    appended: follows the original. inserted: within it, offsets ascending. is_alone: the file is `appended`, without the original.
    """

    appended: bytes
    inserted: tuple[Insertion, ...] = ()
    is_alone: bool = False

    def merge(self, original: bytes) -> bytes:
        """The signed file. InternalError when something is inserted beyond the original's end, or in another order."""
        if self.inserted or self.is_alone:
            return b"".join(self._pieces(original))
        return original + self.appended

    def digest(self, original: bytes, algorithm: DigestAlgorithm, after_original: hashlib._Hash | None = None) -> bytes:
        """Of the signed file.

        after_original: the algorithm's state after the original; left as it is, and spares hashing it again where only something follows.
        """
        if after_original is not None and not self.inserted and not self.is_alone:
            state = after_original.copy()
            state.update(self.appended)
            return state.digest()
        state = hashlib.new(algorithm.value)
        for piece in self._pieces(original):
            state.update(piece)
        return state.digest()

    def _pieces(self, original: bytes) -> Iterator[bytes | memoryview]:
        if not self.is_alone:
            view, done = memoryview(original), 0
            for insertion in self.inserted:
                if not done <= insertion.offset <= len(original):
                    raise InternalError(f"something was inserted at {insertion.offset} of a document of {len(original)} bytes")
                yield view[done : insertion.offset]
                yield insertion.content
                done = insertion.offset
            yield view[done:]
        yield self.appended
