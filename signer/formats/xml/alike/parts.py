"""The canonical form of a part of documents that are alike: its fixed octets, with a gap for each text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from signer.algorithms import DigestAlgorithm
from signer.formats.xml.alike.apart import split_at_marks
from signer.formats.xml.digests import Digests


@dataclass(frozen=True, slots=True)
class Part:
    """between: what stands before, between and behind the texts, canonical. first: the number of the first text in it."""

    between: list[bytes]
    first: int

    @classmethod
    def of(cls, octets: bytes) -> Part | None:
        """From the canonical form of a part of a document with marks; None where a canonical form drops or moves a text."""
        between, numbers = split_at_marks(octets)
        first = numbers[0] if numbers else 0
        return cls(between, first) if numbers == list(range(first, first + len(numbers))) else None

    def octets(self, texts: Sequence[bytes]) -> bytes:
        """The canonical form of that part of another document. texts: all of that document's."""
        count = len(self.between) - 1
        pieces = [b""] * (2 * count + 1)
        pieces[0::2] = self.between
        pieces[1::2] = texts[self.first : self.first + count]
        return b"".join(pieces)


class KeptOctets(Digests):
    """Digests of a document with marks, and what they were made of."""

    def __init__(self) -> None:
        super().__init__()
        self.octets: dict[bytes, bytes] = {}

    def digest(self, octets: bytes, algorithm: DigestAlgorithm) -> bytes:
        """As of any document."""
        digest = super().digest(octets, algorithm)
        self.octets[digest] = octets
        return digest
