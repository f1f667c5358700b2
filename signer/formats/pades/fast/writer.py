"""The incremental update, byte by byte (ISO 32000-2 7.5.6; signatures: 12.8.1, 12.7.5.5; EN 319 142-1 6.3).

Everything below is appended to the original, of which no byte changes. `N` is the original's length, numbers are ASCII digits, lines
end with LF. New objects take the numbers from the original's /Size on, in this order: form, field, artwork, lock, signature,
cross-reference stream.

    LF                                     only if the original's last byte is no line end, else a comment would go on (7.2.4)
    7 0 obj                                each changed object, by number: catalog, AcroForm, /Fields, page, /Annots or field.
    << … /AcroForm 26 0 R … >>             Its value is the original's bytes with a few entries put in (`changes`); objects that
    endobj                                 stood in an object stream stand here by themselves from now on (7.5.7)
    26 0 obj                               the form, if there was none (12.7.3): SigFlags 3 = SignaturesExist + AppendOnly
    << /Fields [27 0 R] /SigFlags 3 >>
    endobj
    27 0 obj                               the field and its widget in one (12.5.6.19), unless an empty field is filled:
    << /FT /Sig /T (GVCN)                  name
    /Type /Annot /Subtype /Widget
    /F 132 /Rect [0 0 0 0]                 Print + Locked; invisible. A visible one has its rectangle, and /AP << /N 28 0 R >> (12.5.5):
    /P 2 0 R /V 28 0 R >>                  page and value
    endobj
    28 0 obj                               only if visible: the objects of the artwork, made once for the whole batch (`appearance`), with
    << /BBox [0 0 180 70]                  their numbers filled in: the form, which alone has something of this document's, the /BBox that
    /Type /XObject /Subtype /Form … >>     keeps its proportions in the rectangle; then fonts and images. An empty field that is filled
    stream … endstream endobj …            keeps its rectangle and gets /AP. What follows moves up
    28 0 obj                               only if it locks: the field's /Lock (12.7.5.5); what follows moves up
    << /Type /SigFieldLock /Action /All >>
    endobj
    28 0 obj                               the signature dictionary (12.8.1, table 255)
    << /Type /Sig
    /Filter /Adobe.PPKLite                 the handler every reader has
    /SubFilter /ETSI.CAdES.detached        EN 319 142-1 6.3
    /M (D:20260530081500+07'00')           time of signing; /Name, /Reason, /Location, /Reference (12.8.2) follow where given
    /Contents <0000…0000>                  the hole: two digits for each byte reserved for the CMS; '<' is byte a, '>' byte b - 1
    /ByteRange [0 a b c]                   a, b, c padded with spaces to ten places, so that their size is known before their value;
    >>                                     c = bytes from b to the end. Right after the hole: `update.check` looks there
    endobj

Then the cross-reference section, of the kind the original's newest one has. As a table (7.5.4):

    xref
    0 1                                    head of the list of free objects, number 0
    0000000000 65535 f SP LF               every row is 20 bytes
    7 1                                    subsection: first number, count; one for each run of numbers
    0000085147 00000 n SP LF               offset from byte 0 of the file, generation
    …
    trailer
    << /Size 29 /Root 7 0 R                highest number + 1; all entries of the original's newest trailer (7.5.5), but for:
    /ID [<original's first> <16 random>]   14.4: which file this was, which state of it this is
    /Prev 84411 >>                         offset of the original's newest section

As a stream (7.5.8), uncompressed, since it is some 50 bytes:

    29 0 obj
    << /Type /XRef /W [1 4 2]              rows of 7 bytes: type (0 free, 1 in the file), offset and generation, big-endian
    /Index [0 1 7 1 26 4]                  pairs of first number and count
    … entries as in the trailer above … /Length 42 >>
    stream
    <rows>
    endstream
    endobj

And at the end of both:

    startxref
    102030                                 offset of `xref`, or of the stream object
    %%EOF
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from signer.formats.pades.update import PreparedUpdate

FORM: Final = b"<< /Fields [%d 0 R] /SigFlags 3 >>"
FIELD: Final = b"<< /FT /Sig /T %b\n/Type /Annot /Subtype /Widget\n/F 132 /Rect %b\n/P %d 0 R /V %d 0 R >>"
INVISIBLE: Final = b"[0 0 0 0]"
APPEARANCE: Final = b"/AP << /N %d 0 R >>"
LOCK: Final = b"/Lock %d 0 R"
_SIGNATURE: Final = b"%d 0 obj\n<< /Type /Sig\n/Filter /Adobe.PPKLite\n/SubFilter /ETSI.CAdES.detached\n/M %b%b\n/Contents <"
_AFTER_HOLE: Final = b">\n/ByteRange [0 %10d %10d %10d]\n>>\nendobj\n"
_AFTER_HOLE_BYTES: Final = len(_AFTER_HOLE % (0, 0, 0))
_FREE_ROW: Final = b"0000000000 65535 f \n"
_FREE_STREAM_ROW: Final = b"\x00\x00\x00\x00\x00\xff\xff"
OFFSET_MAX: Final = (1 << 32) - 1
"""Offsets in a cross-reference stream have four bytes."""


@dataclass(frozen=True, slots=True)
class Signature:
    """number: of its object. date, texts: string objects as they are written; texts with their keys. contents_digits: of the hole."""

    number: int
    date: bytes
    texts: bytes
    contents_digits: int


@dataclass(frozen=True, slots=True)
class Trailer:
    """entries: all but /Size. is_stream: whether the section is a stream, which takes the number after the signature's."""

    entries: bytes
    is_stream: bool


def write_update(original: bytes, bodies: list[tuple[int, bytes]], signature: Signature, trailer: Trailer) -> PreparedUpdate:
    """The update that appends `bodies` (number and value of each changed or new object) and the signature to `original`."""
    pieces = [] if original.endswith((b"\n", b"\r")) else [b"\n"]
    at = len(original) + len(pieces)
    offsets: dict[int, int] = {}
    for number, body in bodies:
        offsets[number] = at
        piece = b"%d 0 obj\n%b\nendobj\n" % (number, body)
        pieces.append(piece)
        at += len(piece)
    offsets[signature.number] = at
    pieces.append(_SIGNATURE % (signature.number, signature.date, signature.texts))
    before = b"".join(pieces)
    hole = len(original) + len(before) - 1
    hole_end = hole + signature.contents_digits + 2
    section = _write_section(offsets, hole_end - 1 + _AFTER_HOLE_BYTES, trailer)
    after = _AFTER_HOLE % (hole, hole_end, _AFTER_HOLE_BYTES - 1 + len(section)) + section
    return PreparedUpdate(before + b"0" * signature.contents_digits + after, len(before), signature.contents_digits)


def _write_section(offsets: dict[int, int], at: int, trailer: Trailer) -> bytes:
    """The cross-reference section that begins at offset `at`, and the end of the file."""
    section = _write_stream(offsets, at, trailer.entries) if trailer.is_stream else _write_table(offsets, trailer.entries)
    return section + b"startxref\n%d\n%%%%EOF\n" % at


def _runs(numbers: list[int]) -> Iterator[list[int]]:
    """Sorted object numbers, cut where one is left out."""
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        yield [number for _, number in run]


def _write_table(offsets: dict[int, int], entries: bytes) -> bytes:
    rows = [b"xref\n"]
    for run in _runs(sorted((0, *offsets))):
        rows.append(b"%d %d\n" % (run[0], len(run)))
        rows += [b"%010d 00000 n \n" % offsets[number] if number else _FREE_ROW for number in run]
    return b"%btrailer\n<< /Size %d%b >>\n" % (b"".join(rows), max(offsets) + 1, entries)


def _write_stream(offsets: dict[int, int], at: int, entries: bytes) -> bytes:
    own_number = max(offsets) + 1
    offsets = offsets | {own_number: at}
    numbers = sorted(offsets)
    index = b" ".join(b"%d %d" % (run[0], len(run)) for run in _runs([0, *numbers]))
    rows = _FREE_STREAM_ROW + b"".join(b"\x01" + offsets[number].to_bytes(4, "big") + b"\x00\x00" for number in numbers)
    dictionary = b"<< /Type /XRef /W [1 4 2]\n/Index [%b]\n/Size %d%b /Length %d >>" % (index, own_number + 1, entries, len(rows))
    return b"%d 0 obj\n%b\nstream\n%b\nendstream\nendobj\n" % (own_number, dictionary, rows)
