"""A document taken apart into markup and character data, without a parser.

Every `<` is followed by its `>` before the next `<`, in documents that are let in here. So a comment, a CDATA section or a processing
instruction is one tag, and the same one in all documents of a markup.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from signer.errors import DocumentUnsupported

SIZE_BYTES_MAX: Final = 256 * 1024
"""Of a document that is looked at here: five times a record of twelve years."""

_HARMLESS: Final = bytes(sorted({*range(0x20, 0x100), *b"\t\n"} - set(b"<>&")))
"""Not among them: brackets; references; control characters, which XML has not or reads otherwise."""
_NEAR_NONCHARACTERS: Final = b"\xef\xbf"
"""U+FFFE and U+FFFF are not in XML; few characters beside them begin so."""
_OPENING, _CLOSING = "\ue000", "\ue001"
_TEXT_MARK: Final = re.compile(f"{_OPENING}([0-9]+){_CLOSING}")
_SIGNATURE_ID: Final = re.compile(rb'( (?:Id|URI|Target|ObjectReference)="#?)(S-[0-9a-f]{16})')
_ID_MARK: Final = b"S-00000000"
"""With eight digits behind it: as long as an Id of ours, and one in four billion of them."""
_MARK: Final = re.compile(b"%s([0-9]+)%s|%s([0-9]{8})" % (_OPENING.encode(), _CLOSING.encode(), _ID_MARK))


@dataclass(frozen=True, slots=True)
class Apart:
    """One document. content: as it came. key: equal for documents of the same markup. texts: what follows each tag.

    ids: of signatures of ours, each once, in their order; tags and key have marks in their places, since they differ from record to record.
    The text behind the first tag and the one behind the last are part of the key: they may be outside of the root, where none may be.
    """

    content: bytes
    key: bytes
    tags: list[bytes]
    texts: list[bytes]
    ids: list[bytes]

    @property
    def is_of_characters(self) -> bool:
        """Whether each text is its own parsed and its own canonical form (XML 1.0 §2.2 and §2.11, C14N §2.3).

        What `take_apart` refuses aside, that is to say that it is UTF-8, and characters that XML has.
        """
        try:
            self.content.decode()
        except UnicodeDecodeError:
            return False
        return _NEAR_NONCHARACTERS not in self.content

    @property
    def values(self) -> list[bytes]:
        """What marks stand for, by their numbers: texts, then ids."""
        return self.texts + self.ids

    def offset_of(self, tag: int) -> int:
        """Where the n-th tag begins, in bytes from the start."""
        return len(self.content) - sum(len(tag) + len(text) + 2 for tag, text in zip(self.tags[tag:], self.texts[tag:], strict=True))


def take_apart(content: bytes) -> Apart | None:
    """The document in pieces; None for one whose texts may mean something else than they say, or that is too big."""
    if len(content) > SIZE_BYTES_MAX:
        return None
    pieces = content.replace(b"<", b">").split(b">")
    if content.translate(None, _HARMLESS) != b"<>" * (len(pieces) // 2) or len(pieces) == 1:
        return None
    tags, texts = pieces[1::2], pieces[2::2]
    markup, ids = b"<".join(tags), list[bytes]()
    if _ID_MARK in markup:
        return None
    if b'"S-' in markup:
        markup, ids = _without_ids(markup)
        tags = markup.split(b"<")
    return Apart(content, b"<".join((markup, pieces[0], texts[0], texts[-1])), tags, texts, ids)


def _without_ids(markup: bytes) -> tuple[bytes, list[bytes]]:
    """Marks for the Ids of signatures of ours, and the Ids: one mark an Id, so that what references what stays told.

    In four attributes alone, and of the same length: no order of attributes or namespaces in a canonical form depends on them.
    """
    numbers: dict[bytes, bytes] = {}

    def mark(found: re.Match[bytes]) -> bytes:
        return found[1] + numbers.setdefault(found[2], b"%s%08d" % (_ID_MARK, len(numbers)))

    return _SIGNATURE_ID.sub(mark, markup), list(numbers)


def with_marks(document: Apart, kept: Container[bytes] = ()) -> tuple[bytes, list[int]]:
    """The document with a numbered mark for each text, and the numbers of texts that stay as they are.

    kept: names of elements whose texts do. DocumentUnsupported where such an element has others in it, or where something in the markup
    could be taken for a mark.
    """
    if _OPENING.encode() in document.key:
        raise DocumentUnsupported("the XML has characters of private use in its markup")
    left = [number for number, tag in enumerate(document.tags) if _name(tag) in kept and not tag.endswith(b"/")]
    if any(document.tags[number + 1] != b"/" + _name(document.tags[number]) for number in left):
        raise DocumentUnsupported("an element that is compared by its value has elements in it")
    texts = [f"{_OPENING}{number}{_CLOSING}".encode() for number in range(len(document.texts))]
    for number in (0, len(texts) - 1, *left):
        texts[number] = document.texts[number]
    before = document.content[: document.content.index(b"<")]
    return before + b"".join(b"<%s>%s" % pair for pair in zip(document.tags, texts, strict=True)), left


def _name(tag: bytes) -> bytes:
    return tag.split(None, 1)[0].removesuffix(b"/") if tag.strip() else tag


def number_of(text: str) -> int | None:
    """Which text a mark stands for; None for what is not one mark alone."""
    found = _TEXT_MARK.fullmatch(text)
    return int(found[1]) if found else None


def split_at_marks(octets: bytes, texts: int) -> tuple[list[bytes], list[int]]:
    """What stands between marks, and the numbers of the values that they stand for. texts: how many there are."""
    between, numbers, start = [], [], 0
    for mark in _MARK.finditer(octets):
        between.append(octets[start : mark.start()])
        numbers.append(int(mark[1]) if mark[1] else texts + int(mark[2]))
        start = mark.end()
    return [*between, octets[start:]], numbers
