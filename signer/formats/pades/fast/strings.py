"""Text strings and dates (ISO 32000-2 7.9.2.2, 7.9.4).

Read: visible ASCII, and Unicode behind a byte order mark; other encodings of a field's name are handed over. Written: visible ASCII as
a literal string, everything else as UTF-16BE in hex digits.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from codecs import BOM_UTF8, BOM_UTF16_BE
from datetime import datetime
from typing import Final

from signer.formats.pades.fast.fallback import FallbackReason, HandOver

_VISIBLE: Final = re.compile(r"[ -~]*").fullmatch
_TO_ESCAPE: Final = re.compile(r"[()\\]")
_ESCAPE: Final = re.compile(rb"\\([0-3][0-7]{2}|.)", re.DOTALL)
_ESCAPED: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_OCTAL_DIGITS: Final = 3
_DATE_SIGNS: Final = str.maketrans("", "", "-:T")


def read_text(raw: bytes) -> str:
    """The text of a string as `syntax` takes it, brackets and all.

    Raises:
        HandOver: no string, or in an encoding we don't compare.
    """
    if raw.startswith(b"("):
        value = _ESCAPE.sub(_unescaped, raw[1:-1]) if b"\\" in raw else raw[1:-1]
    elif raw.startswith(b"<") and not raw.startswith(b"<<"):
        value = unhexlify(raw[1:-1])
    else:
        raise HandOver(FallbackReason.FIELD_NAME)
    try:
        if value.startswith(BOM_UTF16_BE):
            return value[2:].decode("utf-16-be")
        if value.startswith(BOM_UTF8):
            return value[3:].decode("utf-8")
        text = value.decode("ascii")
    except UnicodeDecodeError as error:
        raise HandOver(FallbackReason.FIELD_NAME) from error
    if _VISIBLE(text) is None:
        raise HandOver(FallbackReason.FIELD_NAME)
    return text


def _unescaped(escape: re.Match[bytes]) -> bytes:
    code = escape[1]
    return bytes((int(code, 8),)) if len(code) == _OCTAL_DIGITS else _ESCAPED.get(code, code)


def write_text(text: str) -> bytes:
    """`text` as a string object. Raises UnicodeEncodeError for what Unicode can't write (lone surrogates)."""
    if _VISIBLE(text) is not None:
        return b"(" + _TO_ESCAPE.sub(r"\\\g<0>", text).encode("ascii") + b")"
    return b"<" + (BOM_UTF16_BE + text.encode("utf-16-be")).hex().encode("ascii") + b">"


def write_date(moment: datetime) -> bytes:
    """D:YYYYMMDDHHmmSS with the offset as +HH'mm' or Z; the last apostrophe is what Adobe's readers expect. `moment` is aware."""
    text = moment.isoformat(timespec="seconds")  # 2026-05-30T08:15:00+07:00
    offset = text[19:25]
    zone = "Z" if offset == "+00:00" else f"{offset[:3]}'{offset[4:]}'"
    return f"(D:{text[:19].translate(_DATE_SIGNS)}{zone})".encode("ascii")
