"""Hex strings read in one piece (ISO 32000-2 7.3.4.3).

pyHanko 0.38 reads them byte by byte: 30 ms for the 16,000 digits of each signature already in a document, ten times the rest of the
work. `install` puts a reader in front of its own that takes strings of nothing but digits, which signatures are, and leaves every other
string to it: what is read, and what is refused, stays pyHanko's.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from io import BytesIO
from typing import Final

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import ByteStringObject, TextStringObject, pdf_string

read_by_byte: Final = generic.read_hex_string_from_stream
_DIGITS: Final = re.compile(rb"[0-9A-Fa-f]*\Z")
_FIRST_READ_BYTES: Final = 64
_READ_BYTES_MAX: Final = 1 << 20


def install() -> None:
    """Make pyHanko use this reader, in this process."""
    generic.read_hex_string_from_stream = read


def read(stream: BytesIO) -> ByteStringObject | TextStringObject:
    """The string at the stream's position, which is left after its '>'."""
    start = stream.tell()
    size = _FIRST_READ_BYTES
    while size <= _READ_BYTES_MAX:
        text = stream.read(size)
        stream.seek(start)
        end = text.find(b">", 1)
        if end >= 0:
            digits = text[1:end]
            if _DIGITS.match(digits) is None:
                break
            stream.seek(start + end + 1)
            return pdf_string(unhexlify(digits + b"0" * (len(digits) % 2)))
        if len(text) < size:
            break
        size *= 4
    return read_by_byte(stream)
