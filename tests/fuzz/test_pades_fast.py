"""The fast PAdES path against any bytes: it signs only what the complete path signs too, hands over everything else, and does either in
bounded time and memory.

SIGNER_FUZZ_EXAMPLES: examples a test, for long runs.
"""

from __future__ import annotations

import os
import re
import time
import zlib
from io import BytesIO

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from pyhanko.pdf_utils.reader import PdfFileReader

from signer.errors import SignerError
from signer.formats.pades.fast.fallback import HandOver
from signer.formats.pades.fast.path import prepare_fast
from signer.formats.pades.update import check, splice
from signer.model import FieldPlacement
from tests.support import pdfs, pki

EXAMPLES = int(os.environ.get("SIGNER_FUZZ_EXAMPLES", "100"))
DOCUMENT_S_MAX = 2.0  # generous: a document takes less than a millisecond; what loops would take for ever
CONTENTS_BYTES = 64
fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

TOKENS = [
    *(b"/Root", b"/Size", b"/Prev", b"/Info", b"/ID", b"/W", b"/Index", b"/Kids", b"/Count", b"/Parent", b"/Fields", b"/Annots", b"/XFA"),
    *(b"/Length", b"/Filter", b"/Type", b"/First", b"/N", b"/Pages", b"/Page", b"/V", b"/FT", b"/Sig", b"/T", b"/AcroForm", b"/Lock"),
    *(b"/Perms", b"/Reference", b"/SV", b"/Extensions", b"/ESIC", b"/Version", b"/1.4", b"/2.0", b"/SigFlags", b"/Rect", b"/Encrypt"),
    *(b"/XRefStm", b"/Extends", b"/DecodeParms", b"/Predictor", b"/Columns", b"/NeedAppearances", b"/Resources", b"/#41", b"/", b"#"),
    *(b"obj", b"endobj", b"stream", b"endstream", b"xref", b"trailer", b"startxref", b"%%EOF", b"%", b"<<", b">>", b"[", b"]", b"R"),
    *(b"null", b"true", b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"-1", b"0.5", b"1.2.3", b"+", b"2147483648", b"99999999999999999999"),
    *(b"(", b")", b"(GVCN)", b"(\\107)", b"(\\8)", b"(a(b)c)", b"<feff00>", b"<4", b"<", b">", b"1 0 R", b"3 0 R", b"6 0 R", b"9 1 R"),
    *(b"\\", b"\n", b"\r", b"\x00", b" ", b"\xff", b"{", b"}"),
]
JUNK = st.one_of(st.sampled_from(TOKENS), st.binary(max_size=6), st.integers(-3, 10**11).map(lambda number: b"%d" % number))
TOKEN = re.compile(rb"/?[A-Za-z0-9]+|<<|>>|[\[\]()<>]|\d+ \d+ R")


def signed_twice(document: bytes) -> bytes:
    teacher = pki.issue("fuzz", pki.rsa_key(1), pki.authority())
    return pdfs.signed(pdfs.signed(document, "GVBM", signer=teacher), "CBQL", signer=teacher)


def fast(document: bytes) -> bytes | None:
    """The prepared document, None if it was handed over; nothing else may come out, in bounded time."""
    started = time.process_time()
    try:
        update = prepare_fast(document, FieldPlacement("GVCN"), signing_time=pdfs.SIGNED_AT, contents_bytes=CONTENTS_BYTES)
    except HandOver as handed_over:
        event(f"handed over: {handed_over.reason.value}")
        return None
    finally:
        assert time.process_time() - started < DOCUMENT_S_MAX
    check(len(document), update)
    event("fast")
    return document + splice(update, b"\x30\x00")


def agrees(document: bytes) -> None:
    """What the fast path signs, the complete path signs too, and a strict reader finds one signature more in it."""
    prepared = fast(document)
    if prepared is None:
        return
    try:
        complete = pdfs.prepared(document, "GVCN", contents_bytes=CONTENTS_BYTES)
    except SignerError as error:
        raise AssertionError(f"signed, though the complete path says: {error.message}") from error
    check(len(document), complete)
    ours, theirs = (PdfFileReader(BytesIO(output)) for output in (prepared, document + splice(complete, b"\x30\x00")))
    assert names(ours) == names(theirs)
    assert "GVCN" in names(ours)
    assert ours.root["/AcroForm"]["/SigFlags"] == 3
    assert ours.input_version == theirs.input_version


def names(reader: PdfFileReader) -> list[str]:
    """Of the fields, in order."""
    return [str(field.get_object()["/T"]) for field in reader.root["/AcroForm"]["/Fields"]]


SEEDS = [make(0) for make in pdfs.VARIANTS.values()]
SEEDS += [signed_twice(SEEDS[0]), signed_twice(pdfs.object_streams(SEEDS[0]))]
STREAM = re.compile(rb"stream\r?\n.*?endstream|/Contents <[0-9A-Fa-f]*>", re.DOTALL)
STRUCTURE = [[found.span() for found in TOKEN.finditer(STREAM.sub(lambda data: bytes(len(data[0])), seed))] for seed in SEEDS]
"""Where each seed's tokens are, outside of streams and holes."""


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real PDF with tokens exchanged or overwritten in place, pieces cut or doubled."""
    seed = draw(st.integers(0, len(SEEDS) - 1))
    document = SEEDS[seed]
    for _ in range(draw(st.integers(1, 3))):
        start, end = draw(st.sampled_from(STRUCTURE[seed]))
        document = document[:start] + draw(JUNK)[: end - start].ljust(end - start) + document[end:]
    for _ in range(draw(st.integers(-6, 2))):
        at = draw(st.integers(0, max(0, len(document) - 1)))
        match draw(st.sampled_from(["byte", "byte", "cut", "end", "double"])):
            case "byte":
                document = document[:at] + draw(st.binary(min_size=1, max_size=3)) + document[at + 1 :]
            case "cut":
                document = document[:at] + document[at + draw(st.integers(1, 400)) :]
            case "end":
                document = document[:at]
            case _:
                document = document[:at] + document[at : at + draw(st.integers(1, 2000))] + document[at:]
    return document


OBJECTS = {
    1: b"<< /Type /Catalog /Pages 2 0 R /AcroForm 6 0 R /Extensions << /ADBE << /BaseVersion /1.7 /ExtensionLevel 3 >> >> >>",
    2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 /Resources << /Font << /F1 5 0 R >> >> >>",
    3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Annots [7 0 R 8 0 R] >>",
    4: b"[7 0 R 8 0 R]",
    5: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    6: b"<< /Fields [7 0 R 8 0 R] /DA (/Helv 0 Tf 0 g) /NeedAppearances true >>",
    7: b"<< /FT /Tx /T (remark) /Type /Annot /Subtype /Widget /Rect [1 2 3 4] >>",
    8: b"<< /FT /Sig /T (GVBM) /Type /Annot /Subtype /Widget /F 132 /Rect [0 0 0 0] /P 3 0 R /V 9 0 R >>",
    9: b"<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /Contents <" + b"00" * 80 + b"> /ByteRange [0 1 2 3] >>",
}


def classic(objects: dict[int, bytes], trailer: bytes) -> bytes:
    out = bytearray(b"%PDF-1.7\n")
    offsets = [len(out) * 0]
    for number, body in objects.items():
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % len(offsets)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets[1:])
    return bytes(out) + b"trailer\n<<" + trailer + b">>\nstartxref\n%d\n%%%%EOF\n" % start


def in_streams(objects: dict[int, bytes], trailer: bytes) -> bytes:
    """All objects in one object stream; cross-reference stream without a predictor."""
    index, bodies = b"", b""
    for number, body in objects.items():
        index += b"%d %d " % (number, len(bodies))
        bodies += body + b"\n"
    packed = zlib.compress(index + bodies)
    out = bytearray(b"%PDF-1.7\n")
    container = max(objects) + 1
    rows = b"\x00\x00\x00\x00\x00\xff" + b"".join(b"\x02" + container.to_bytes(4, "big") + bytes((at,)) for at in range(len(objects)))
    rows += b"\x01" + len(out).to_bytes(4, "big") + b"\x00"
    out += b"%d 0 obj\n<< /Type /ObjStm /N %d /First %d /Filter /FlateDecode" % (container, len(objects), len(index))
    out += b" /Length %d >>\nstream\n%s\nendstream\nendobj\n" % (len(packed), packed)
    start = len(out)
    rows += b"\x01" + start.to_bytes(4, "big") + b"\x00"
    out += b"%d 0 obj\n<< /Type /XRef /W [1 4 1]%s /Length %d >>\nstream\n" % (container + 1, trailer, len(rows))
    return bytes(out) + rows + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % start


@st.composite
def rebuilt(draw: st.DrawFn) -> bytes:
    """A file whose cross-references are right and whose objects or trailer are not: what gets past the first checks."""
    objects = dict(OBJECTS)
    streams = draw(st.booleans())
    trailer = b" /Size %d /Root 1 0 R /ID [<00> (\\)1)] " % (12 if streams else 10)
    for _ in range(draw(st.integers(1, 3))):
        number = draw(st.integers(0, 9))
        body = trailer if number == 0 else objects[number]
        tokens = list(TOKEN.finditer(body))
        found = draw(st.sampled_from(tokens)) if tokens else None
        if found is not None:
            kept = draw(st.sampled_from([b"", found[0] + b" ", found[0]]))
            body = body[: found.start()] + kept + draw(JUNK) + body[found.end() :]
        if number == 0:
            trailer = body
        else:
            objects[number] = body
    return (in_streams if streams else classic)(objects, trailer)


@fuzz
@given(st.binary(max_size=2000))
def test_any_bytes_are_handed_over(document: bytes) -> None:
    assert fast(document) is None


@fuzz
@given(st.lists(JUNK, max_size=60))
def test_any_tokens_behind_a_header_agree_with_the_complete_path(tokens: list[bytes]) -> None:
    agrees(b"%PDF-1.7\n" + b" ".join(tokens) + b"\nstartxref\n9\n%%EOF\n")


@fuzz
@given(mutated())
def test_mutated_documents_agree_with_the_complete_path(document: bytes) -> None:
    agrees(document)


@fuzz
@given(rebuilt())
def test_broken_objects_in_sound_files_agree_with_the_complete_path(document: bytes) -> None:
    agrees(document)
