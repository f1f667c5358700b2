"""Visible signatures on any page tree: what the fast path shows, the complete path shows on the same page in the same place.

What the two disagree on would be a signature on a page that nobody asked for.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st
from pyhanko.pdf_utils.reader import PdfFileReader

from signer.algorithms import DigestAlgorithm
from signer.errors import SignerError
from signer.formats.pades import complete
from signer.formats.pades.fast.fallback import HandOver
from signer.formats.pades.fast.path import prepare_fast
from signer.formats.pades.update import check, splice
from signer.model import FieldPlacement, PageRectangle
from tests.fuzz.test_pades_fast import CONTENTS_BYTES, JUNK, TOKEN, classic, fuzz, in_streams, mutated
from tests.support import looks, pdfs

ARTWORK = looks.artwork()
TREE = {
    1: b"<< /Type /Catalog /Pages 2 0 R /AcroForm 8 0 R >>",
    2: b"<< /Type /Pages /Kids [3 0 R 4 0 R 7 0 R] /Count 4 /MediaBox [0 0 595 842] >>",
    3: b"<< /Type /Page /Parent 2 0 R >>",
    4: b"<< /Type /Pages /Parent 2 0 R /Kids [5 0 R 6 0 R] /Count 2 /CropBox [10 10 580 800] /Rotate 0 >>",
    5: b"<< /Type /Page /Parent 4 0 R /MediaBox [0 0 612 792] >>",
    6: b"<< /Type /Page /Parent 4 0 R /Rotate 90 >>",
    7: b"<< /Type /Page /Parent 2 0 R /CropBox [0 0 400 400] /Annots [9 0 R] >>",
    8: b"<< /Fields [9 0 R] >>",
    9: b"<< /FT /Sig /T (GVBM) /Type /Annot /Subtype /Widget /F 4 /Rect [50 50 300 150] /P 7 0 R >>",
}
MORE = st.one_of(
    JUNK,
    st.sampled_from([b"/MediaBox", b"/CropBox", b"/Rotate", b"[0 0 1 1]", b"[9 9 0 0]", b"842", b"5 0 R", b"4 0 R", b"/Subtype", b"/F"]),
)


@st.composite
def trees(draw: st.DrawFn) -> bytes:
    """A file with four pages in two levels, of which some tokens are exchanged."""
    objects = dict(TREE)
    for _ in range(draw(st.integers(0, 3))):
        number = draw(st.sampled_from(sorted(TREE)))
        body = objects[number]
        tokens = list(TOKEN.finditer(body))
        found = draw(st.sampled_from(tokens)) if tokens else None
        if found is not None:
            objects[number] = body[: found.start()] + draw(MORE) + body[found.end() :]
    streams = draw(st.booleans())
    trailer = b" /Size %d /Root 1 0 R /ID [<00> <01>] " % (12 if streams else 10)
    return (in_streams if streams else classic)(objects, trailer)


PLACES = st.one_of(
    st.just(looks.visible("GVBM", None)),
    st.integers(-5, 5).map(lambda page: looks.visible("GVCN", PageRectangle(page, 100, 100, 180, 70))),
    st.floats(-50, 900).map(lambda x: looks.visible("GVCN", PageRectangle(1, x, 100, 180, 70))),
)


def agrees(document: bytes, placement: FieldPlacement) -> None:
    try:
        update = prepare_fast(document, placement, signing_time=pdfs.SIGNED_AT, contents_bytes=CONTENTS_BYTES, artwork=ARTWORK)
    except HandOver as handed_over:
        event(f"handed over: {handed_over.reason.value}")
        return
    event("fast")
    check(len(document), update)
    try:
        other = complete.prepare(
            document,
            placement,
            signing_time=pdfs.SIGNED_AT,
            contents_bytes=CONTENTS_BYTES,
            digest_algorithm=DigestAlgorithm.SHA256,
            artwork=ARTWORK,
        )
    except SignerError as error:
        raise AssertionError(f"shown, though the complete path says: {error.message}") from error
    ours, theirs = (widget(document + splice(each, b"\x30\x00"), placement.field_name) for each in (update, other))
    assert ours == theirs


def widget(signed: bytes, name: str) -> dict[str, Any]:
    """Where a field stands, and what its form shows of itself."""
    reader = PdfFileReader(BytesIO(signed))
    field = next(each.get_object() for each in reader.root["/AcroForm"]["/Fields"] if each.get_object()["/T"] == name)
    return {
        "page": field.raw_get("/P").idnum if "/P" in field else None,
        "rectangle": [float(number) for number in field["/Rect"]],
        "view": [float(number) for number in field["/AP"]["/N"]["/BBox"]],
        "shown": field["/AP"]["/N"].data,
    }


@fuzz
@given(trees(), PLACES)
def test_pages_of_any_tree_are_the_complete_path_s_pages(document: bytes, placement: FieldPlacement) -> None:
    agrees(document, placement)


@fuzz
@given(mutated(), PLACES)
def test_mutated_documents_show_what_the_complete_path_shows(document: bytes, placement: FieldPlacement) -> None:
    agrees(document, placement)
