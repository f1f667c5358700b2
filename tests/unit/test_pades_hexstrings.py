from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyhanko.pdf_utils import generic

import signer.formats.pades.reading as _  # noqa: F401  # installs the reader
from signer.formats.pades.hexstrings import read, read_by_byte

DIGITS = st.text("0123456789abcdefABCDEF", max_size=400).map(str.encode)
NEARLY = st.lists(st.sampled_from([b"0", b"fe", b"FF", b" ", b"\n", b"\x00", b"%x\n", b"g", b">", b"<", b"feff"]), max_size=40).map(
    b"".join
)


def outcome(reader: object, text: bytes) -> tuple[object, ...]:
    stream = BytesIO(text)
    stream.seek(3)
    try:
        value = reader(stream)  # type: ignore[operator]
    except Exception as error:  # noqa: BLE001  # the kind of the error is what is compared
        return (type(error),)
    return type(value), bytes(value.original_bytes), stream.tell()


@given(st.one_of(DIGITS, NEARLY, st.binary(max_size=100)), st.sampled_from([b">", b"> /Next", b"", b">>"]))
def test_hex_strings_are_read_as_pyhanko_reads_them(digits: bytes, rest: bytes) -> None:
    text = b"abc<" + digits + rest
    assert outcome(read, text) == outcome(read_by_byte, text)


@pytest.mark.parametrize("length", [61, 62, 63, 64, 254, 255, 256, 16_384, 1 << 18, (1 << 20) + 10])
def test_hex_strings_of_every_length_are_read_whole(length: int) -> None:
    text = b"abc<" + b"a" * length + b">end"
    kind, value, end = outcome(read, text)
    assert kind in {generic.ByteStringObject, generic.TextStringObject}
    assert value == bytes.fromhex("a" * length + "0" * (length % 2))
    assert end == length + 5


def test_the_reader_is_the_one_pyhanko_uses() -> None:
    assert generic.read_hex_string_from_stream is read
