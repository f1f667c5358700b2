"""The fast PAdES path's readers beside pyHanko's: what they take, they take in the same way."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from datetime import datetime
from functools import partial
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.filters import _png_decode
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader

from signer.formats.pades.fast.ending import read_startxref
from signer.formats.pades.fast.fallback import FallbackReason, HandOver
from signer.formats.pades.fast.history import read_history
from signer.formats.pades.fast.objects import Objects
from signer.formats.pades.fast.predictor import unpack_rows
from signer.formats.pades.fast.strings import read_text, write_date, write_text
from signer.formats.pades.fast.syntax import Dictionary, many, read_dictionary
from tests.support import pdfs
from tests.support.fastpath import extended, prepared_fast

CONTAINER = generic.TrailerReference(PdfFileReader(BytesIO(pdfs.report_card(pages=1))))  # type: ignore[no-untyped-call]
TOKENS = st.sampled_from(
    [
        *(
            b"/A",
            b"/B",
            b"/C",
            b"/D",
            b"/A#20b",
            b"/#41",
            b"/",
            b"/Long.Name-1",
            b"1",
            b"-2",
            b"+3",
            b"4.5",
            b".5",
            b"6.",
            b"1.2.3",
            b"1-2",
        ),
        *(b"12 0 R", b"1 0 R", b"0 0 R", b"7 2 R", b"1  0 R", b"12 0 Rx", b"1 0 R2", b"true", b"false", b"null", b"truest", b"1e5"),
        *(
            b"(text)",
            b"(a(b)c)",
            b"(\\()",
            b"(\\377)",
            b"(\\777)",
            b"(\\8)",
            b"(\\",
            b"()",
            b"<>",
            b"<feff1ea1>",
            b"<f>",
            b"<f f>",
            b"<zz>",
        ),
        *(
            b"<<",
            b">>",
            b"[",
            b"]",
            b"<</A 1>>",
            b"<</A 1/A 2>>",
            b"[1 0 R 2 0 R]",
            b"[(a)<00>/N]",
            b"[[1][2]]",
            b"[<<>>]",
            b"% note\n",
            b"%",
        ),
        *(b"stream", b"endobj", b"\x00", b"\n", b"\xff", b"{", b"}", b")", b">", b"#"),
    ]
)


@given(st.lists(TOKENS, max_size=14), st.sampled_from([b" ", b"", b"\n", b"\r\n", b"\x00\t"]))
def test_dictionaries_are_read_as_pyhanko_reads_them_or_handed_over(tokens: list[bytes], gap: bytes) -> None:
    text = b"<<" + gap.join(tokens) + b">> endobj\nxref"  # a file goes on, also after a comment
    try:
        found = read_dictionary(text, 0, 1)
    except HandOver:
        return
    stream = BytesIO(text)
    theirs = generic.DictionaryObject.read_from_stream(stream, CONTAINER)
    assert {"/" + key.decode() for key in found.values} == set(theirs)
    assert found.end == stream.tell()
    for key, value in found.values.items():
        assert text[slice(*found.span(key))] == value


@given(st.lists(TOKENS, max_size=14), st.sampled_from([b" ", b"", b"\n"]), st.booleans())
def test_a_dictionary_that_is_remembered_is_the_one_that_stands_there(tokens: list[bytes], gap: bytes, is_cut: bool) -> None:
    """Whatever follows it, and wherever it stands: "endobj" may be a part of it, or not its end."""
    value = b"<<" + gap.join(tokens) + (b"" if is_cut else b">>")
    for before in (b"", b"% moved\n"):
        document = before + b"1 0 obj " + value + b" endobj\n(>> endobj\n"
        wanted = _or_reason(partial(read_dictionary, document, document.index(b"<<"), 1))
        found = _or_reason(partial(Objects(document, {1: len(before)}).dictionary, 1))
        assert found in (wanted, FallbackReason.OBJECT if isinstance(wanted, Dictionary) else wanted)


def _or_reason(read: Callable[[], Dictionary]) -> Dictionary | FallbackReason:
    try:
        return read()
    except HandOver as handed_over:
        return handed_over.reason


def test_dictionaries_of_every_ordinary_value_are_read() -> None:
    text = (
        b"<</Ref 1 0 R/Num -1.5 /Name/X#20Y /Text (a\\(b) /Nest(a(b)c)\n/Hex<00ff>"
        b"/List[1 [2] <</A 1>>]/Dict<</K<</L 1>>>>/Yes true % c\n/No null>>"
    )
    found = read_dictionary(text, 0, 7)
    assert found.values == {
        b"Ref": b"1 0 R",
        b"Num": b"-1.5",
        b"Name": b"/X#20Y",
        b"Text": b"(a\\(b)",
        b"Nest": b"(a(b)c)",
        b"Hex": b"<00ff>",
        b"List": b"[1 [2] <</A 1>>]",
        b"Dict": b"<</K<</L 1>>>>",
        b"Yes": b"true",
        b"No": b"null",
    }
    assert (found.start, found.end, found.owner) == (0, len(text), 7)
    assert found.dictionary(b"Dict").dictionary(b"K").integer(b"L") == 1


def test_a_key_is_found_in_place_though_other_values_look_like_it() -> None:
    text = b"<</X(/Annots)/Annots[1 0 R]/Y<</Annots 3>>/AnnotsToo 4>>"
    found = read_dictionary(text, 0, 1)
    assert text[slice(*found.span(b"Annots"))] == b"[1 0 R]"


@pytest.mark.parametrize("digits", [0, 1, 2, 14, 15, 16, 17, 63, 64, 111, 112, 126, 127, 128, 129, 130, 16_384, 1 << 19])
def test_hex_strings_of_every_length_are_read_whole(digits: int) -> None:
    text = b"<</Contents<" + b"a" * digits + b">/Next 1>>"
    if digits % 2:
        with pytest.raises(HandOver):
            read_dictionary(text, 0, 1)
    else:
        assert read_dictionary(text, 0, 1).integer(b"Next") == 1


def test_a_hole_with_anything_but_digits_is_handed_over() -> None:
    with pytest.raises(HandOver) as caught:
        read_dictionary(b"<</Contents<" + b"0" * 5000 + b"x" + b"0" * 4999 + b">>>", 0, 1)
    assert caught.value.reason is FallbackReason.SYNTAX


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_texts_are_written_as_everybody_reads_them(text: str) -> None:
    written = write_text(text)
    assert read_text(written) == text
    read = generic.read_hex_string_from_stream if written.startswith(b"<") else generic.read_string_from_stream
    assert read(BytesIO(written)) == text


@given(st.one_of(st.text(max_size=8).map(lambda text: text.encode("utf-16-be", "surrogatepass")), st.binary(max_size=12)), st.booleans())
def test_field_names_are_read_as_pyhanko_reads_them_or_handed_over(value: bytes, marked: bool) -> None:
    raw = b"<" + (b"\xfe\xff" * marked + value).hex().encode() + b">"
    try:
        text = read_text(raw)
    except HandOver:
        return
    assert generic.read_hex_string_from_stream(BytesIO(raw)) == text


@settings(max_examples=40)
@given(st.datetimes(min_value=pdfs.SIGNED_AT.replace(tzinfo=None), timezones=st.timezones()))
def test_dates_are_written_as_pyhanko_writes_them(moment: datetime) -> None:
    assert write_date(moment) == f"({generic.pdf_date(moment)})".encode()


@given(st.integers(1, 9), st.integers(1, 40), st.data())
def test_predicted_rows_are_added_up_as_pyhanko_does(width: int, count: int, data: st.DataObject) -> None:
    rows = b"".join(b"\x02" + data.draw(st.binary(min_size=width, max_size=width)) for _ in range(count))
    parameters = b"<</Predictor 12/Columns %d>>" % width
    stream = Dictionary(1, b"", 0, 0, {b"Filter": b"/FlateDecode", b"DecodeParms": parameters})
    found, row_bytes = unpack_rows(stream, zlib.compress(rows), count, width)
    assert row_bytes == width + 1
    assert b"".join(found[at + 1 : at + row_bytes] for at in range(0, len(found), row_bytes)) == _png_decode(memoryview(rows), width)


@pytest.mark.parametrize("variant", sorted(set(pdfs.VARIANTS) - {"hybrid", "junk after the end"}))
@pytest.mark.parametrize("signatures", [0, 2])
def test_objects_are_where_pyhanko_finds_them(variant: str, signatures: int) -> None:
    document = pdfs.VARIANTS[variant](3)
    for number in range(signatures):
        document = extended(document, prepared_fast(document, f"GVBM{number}"))
    history = read_history(document, read_startxref(document))
    reader = PdfFileReader(BytesIO(document))
    assert history.size == int(reader.trailer.raw_get("/Size"))
    assert history.root == reader.root_ref.idnum
    for number, location in history.locations.items():
        theirs = reader.xrefs[generic.Reference(number, 0, reader)]
        assert location == (theirs if theirs is None or isinstance(theirs, int) else (theirs.obj_stream_id, theirs.ix_in_stream))


def test_pyhanko_errors_are_errors_here_too() -> None:
    """The comparison above rests on this: pyHanko's strict reader raises, it does not repair."""
    with pytest.raises(PdfError):
        generic.DictionaryObject.read_from_stream(BytesIO(b"<</A 1/A 2>>"), CONTAINER)


@pytest.mark.parametrize(
    ("body", "text", "end"),
    [(rb"/[a-z]+ \d", b"/a 1/b x", 4), (rb"/([a-z]++) \d", b"/a 1/b x", 4), (rb"ab++c|x", b"abcxabb", 4), (rb"(?:[0-9a-f]{2})", b"0a1", 2)],
)
def test_a_repeated_expression_ends_where_its_last_whole_round_ends(body: bytes, text: bytes, end: int) -> None:
    """On Python 3.11.2, Debian 12's, a bare possessive group ends inside the round that failed."""
    found = re.compile(many(body)).match(text)
    assert found is not None
    assert found.end() == end
