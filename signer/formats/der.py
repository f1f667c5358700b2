"""A DER writer: the few ITU-T X.690 types that CMS, RFC 3161 and certificates are made of.

Each function returns one complete encoding (tag, length, content); `der_reader` is the other way round.

Rules of the file:
- Pure: values in, bytes out. What can't be encoded is a mistake of ours and raises InternalError.
- DER only (X.690 §10, §11): definite minimal lengths, SET OF sorted, TRUE is FF, times in UTC with a final Z and no trailing zeros.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from signer.errors import InternalError

BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
NULL_TAG = 0x05
OBJECT_IDENTIFIER = 0x06
UTF8_STRING = 0x0C
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
SEQUENCE = 0x30
SET = 0x31
CONTEXT = 0x80
CONTEXT_CONSTRUCTED = 0xA0

_SHORT_LENGTH_MAX = 0x7F
_TAG_NUMBER_MAX = 30
_CONSTRUCTED = 0x20
_UTC_TIME_YEARS = range(1950, 2050)
_OID_SECOND_ARC_SPAN = 40

_OCTETS = tuple(bytes((octet,)) for octet in range(256))
"""Each octet alone, made once: a timestamp writes some thirty tags and lengths."""

NULL = b"\x05\x00"
TRUE = b"\x01\x01\xff"


def length(size_bytes: int) -> bytes:
    """The definite form of a length, as short as it can be (X.690 §10.1)."""
    if size_bytes <= _SHORT_LENGTH_MAX:
        return _OCTETS[size_bytes]
    octets = size_bytes.to_bytes((size_bytes.bit_length() + 7) // 8)
    return _OCTETS[0x80 | len(octets)] + octets


def opening(tag: int, size_bytes: int) -> bytes:
    """What an element of so many content octets begins with: identifier octet and length."""
    return _OCTETS[tag] + length(size_bytes)


def tlv(tag: int, content: bytes) -> bytes:
    """One element: identifier octet, length, content."""
    return _OCTETS[tag] + length(len(content)) + content


def sequence(*elements: bytes) -> bytes:
    """SEQUENCE of elements that are already encoded, in their order."""
    return tlv(SEQUENCE, b"".join(elements))


def set_of(*elements: bytes) -> bytes:
    """SET OF elements that are already encoded, in ascending order of their encodings (X.690 §11.6)."""
    return tlv(SET, b"".join(sorted(elements)))


def octet_string(content: bytes) -> bytes:
    """OCTET STRING, primitive."""
    return tlv(OCTET_STRING, content)


def utf8_string(text: str) -> bytes:
    """UTF8String."""
    return tlv(UTF8_STRING, text.encode())


def integer(value: int) -> bytes:
    """INTEGER in two's complement, as short as it can be (X.690 §8.3)."""
    magnitude = value if value >= 0 else ~value
    return tlv(INTEGER, value.to_bytes(magnitude.bit_length() // 8 + 1, signed=True))


def named_bits(*numbers: int) -> bytes:
    """BIT STRING of a named bit list: these bits set, trailing zero bits left out (X.690 §11.2.2)."""
    if not numbers:
        return tlv(BIT_STRING, b"\x00")
    highest = max(numbers)
    octets = bytearray(highest // 8 + 1)
    for number in numbers:
        octets[number // 8] |= 0x80 >> number % 8
    return tlv(BIT_STRING, bytes((7 - highest % 8,)) + octets)


@lru_cache(maxsize=256)
def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER from its dotted form (X.690 §8.19)."""
    try:
        first, second, *rest = (int(arc) for arc in dotted.split("."))
    except ValueError as malformed:
        raise InternalError(f"not an object identifier: {dotted!r}") from malformed
    if first not in range(3) or min(second, *rest, 0) < 0 or (first < 2 and second >= _OID_SECOND_ARC_SPAN):  # noqa: PLR2004 - joint-iso-itu-t
        raise InternalError(f"not an object identifier: {dotted!r}")
    return tlv(OBJECT_IDENTIFIER, b"".join(_base128(arc) for arc in (first * _OID_SECOND_ARC_SPAN + second, *rest)))


def _base128(arc: int) -> bytes:
    groups = [arc & 0x7F]
    while arc := arc >> 7:
        groups.append(0x80 | arc & 0x7F)
    return bytes(reversed(groups))


def explicit(number: int, element: bytes) -> bytes:
    """[number] EXPLICIT: the element wrapped in a context-specific tag."""
    return tlv(CONTEXT_CONSTRUCTED | _tag_number(number), element)


def implicit(number: int, element: bytes) -> bytes:
    """[number] IMPLICIT: the element under a context-specific tag instead of its own, primitive or constructed as it was."""
    return bytes((CONTEXT | element[0] & _CONSTRUCTED | _tag_number(number),)) + element[1:]


def _tag_number(number: int) -> int:
    if number not in range(_TAG_NUMBER_MAX + 1):
        raise InternalError(f"tag number {number} needs the long form, which nothing here uses")
    return number


def generalized_time(moment: datetime) -> bytes:
    """GeneralizedTime: YYYYMMDDhhmmss[.f…]Z (X.690 §11.7). `moment` is aware; microseconds are kept."""
    utc = _utc(moment)
    fraction = f".{utc.microsecond:06}".rstrip("0") if utc.microsecond else ""
    return tlv(GENERALIZED_TIME, f"{utc.year:04}{_month_to_second(utc)}{fraction}Z".encode())


def utc_time(moment: datetime) -> bytes:
    """UTCTime: YYMMDDhhmmssZ, for 1950 to 2049 (X.690 §11.8, RFC 5280 §4.1.2.5.1). Fractions of a second are dropped."""
    utc = _utc(moment)
    if utc.year not in _UTC_TIME_YEARS:
        raise InternalError(f"the year {utc.year} does not fit UTCTime")
    return tlv(UTC_TIME, f"{utc.year % 100:02}{_month_to_second(utc)}Z".encode())


def time(moment: datetime) -> bytes:
    """CMS and X.509 Time: UTCTime for 1950 to 2049, else GeneralizedTime, to the second (RFC 5652 §11.3)."""
    whole = _utc(moment).replace(microsecond=0)
    return utc_time(whole) if whole.year in _UTC_TIME_YEARS else generalized_time(whole)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise InternalError("a time without a zone can't be encoded")
    return moment.astimezone(UTC)


def _month_to_second(utc: datetime) -> str:
    return f"{utc.month:02}{utc.day:02}{utc.hour:02}{utc.minute:02}{utc.second:02}"
