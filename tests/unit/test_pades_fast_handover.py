"""What the fast PAdES path hands over and why, and the one door to both paths."""

from __future__ import annotations

import re
import zlib
from typing import Any, get_args

import pikepdf
import pytest

from signer.algorithms import DigestAlgorithm
from signer.errors import DocumentEncrypted, DocumentLocked, InvalidArgument
from signer.formats.pades import prepare as door
from signer.formats.pades.fast.fallback import FallbackReason, HandOver
from signer.formats.pades.prepare import Preparation, prepare
from signer.formats.pades.update import check
from signer.model import FieldPlacement
from signer.telemetry.metrics import PreparationPath
from tests.support import pdfs
from tests.support.fastpath import extended, prepared_fast
from tests.unit.test_pades_complete import bomb, certified, locked, with_xfa

CARD = pdfs.report_card()
FORM = pdfs.report_card(form=True)
STREAMS = pdfs.object_streams(CARD)
SIGNED = extended(CARD, prepared_fast(CARD, "CBQL"))


def replaced(document: bytes, old: bytes, new: bytes) -> bytes:
    """In place: offsets stay as they are."""
    assert old in document
    return document.replace(old, new.ljust(len(old)))


def with_field(**entries: Any) -> bytes:
    return pdfs.with_empty_field(CARD, "GVCN", **entries)


def with_perms(pdf: pikepdf.Pdf) -> None:
    pdf.Root["/Perms"] = pikepdf.Dictionary()


def with_field_tree(pdf: pikepdf.Pdf) -> None:
    field = pdf.make_indirect(pikepdf.Dictionary(T=pikepdf.String("parent"), FT=pikepdf.Name.Tx, Kids=pikepdf.Array([])))
    pdf.Root["/AcroForm"] = pikepdf.Dictionary(Fields=pikepdf.Array([field]))


def with_version(pdf: pikepdf.Pdf) -> None:
    pdf.Root["/Version"] = pikepdf.Name("/3.1")


def deep(levels: int) -> bytes:
    """The catalog holds arrays in arrays."""
    return pdfs.edited(CARD, lambda pdf: pdf.Root.__setitem__("/Deep", pikepdf.Object.parse(b"[" * levels + b"<<>>" + b"]" * levels)))


def xref_stream_bomb(objects: int, sections: int) -> bytes:
    """Cross-reference streams of so many objects in use, a thousandth of that in bytes."""
    packed = zlib.compress(b"\x00\x00\x00" + b"\x01\x00\x00" * (objects - 1), 9)
    sizes = b"/Size %d /Index [0 %d] /Length %d" % (objects + sections, objects, len(packed))
    out = b"%PDF-1.5\n"
    start = 0
    for section in range(sections):
        previous, start = b" /Prev %d" % start if section else b"", len(out)
        out += b"%d 0 obj\n<< /Type /XRef /Root 1 0 R /W [1 1 1] /Filter /FlateDecode %b%b >>\n" % (objects + section, sizes, previous)
        out += b"stream\n%b\nendstream\nendobj\n" % packed
    return out + b"startxref\n%d\n%%%%EOF\n" % start


def many_revisions(revisions: int) -> bytes:
    document = CARD
    for _ in range(revisions):
        previous = int(re.findall(rb"startxref\n(\d+)", document)[-1])
        trailer = re.findall(rb"/ID.*?/Info 8 0 R\n/Root 7 0 R\n/Size 14", CARD, re.DOTALL)[0]
        table = b"xref\n0 1\n0000000000 65535 f \ntrailer\n<<\n%s /Prev %d >>\nstartxref\n%d\n%%%%EOF\n" % (
            trailer,
            previous,
            len(document),
        )
        document += table
    return document


HANDED_OVER: dict[str, tuple[bytes, FallbackReason]] = {
    "no header": (b"x" + CARD, FallbackReason.HEADER),
    "an unknown version": (b"%PDF-3.0" + CARD[8:], FallbackReason.HEADER),
    "junk after the end": (CARD + b"\nsent by the school's mail gateway", FallbackReason.ENDING),
    "no end": (CARD[:-6], FallbackReason.ENDING),
    "startxref elsewhere": (re.sub(rb"startxref\n\d+", b"startxref\n7", CARD), FallbackReason.XREF),
    "a /Size no reader takes": (replaced(CARD, b"/Info 8 0 R\n/Root 7 0 R\n/Size 14", b"/Root 7 0 R /Size 99999999"), FallbackReason.XREF),
    "a generation": (CARD.replace(b" 00000 n", b" 00001 n", 1), FallbackReason.XREF),
    "more objects than /Size says": (replaced(CARD, b"/Size 14", b"/Size 9"), FallbackReason.XREF),
    "a cross-reference stream without a number": (re.sub(rb"\n\d\d( 0 obj\n<< /Type /XRef)", rb"\n99\1", STREAMS), FallbackReason.XREF),
    "a cross-reference stream with another's number": (
        re.sub(rb"\n\d\d( 0 obj\n<< /Type /XRef)", rb"\n 4\1", STREAMS),
        FallbackReason.XREF,
    ),
    "hybrid": (pdfs.hybrid(), FallbackReason.XREF_KINDS),
    "a loop of /Prev": (re.sub(rb"/Size", b"/Prev %d /Size" % CARD.rindex(b"xref\n0"), CARD), FallbackReason.HISTORY),
    "three hundred revisions": (many_revisions(300), FallbackReason.HISTORY),
    "no catalog": (replaced(CARD, b"/Root", b"/Boot"), FallbackReason.TRAILER),
    "an older trailer says more": (replaced(CARD, b"/Info 8 0 R", b"/Inf0 8 0 R") + SIGNED[len(CARD) :], FallbackReason.TRAILER),
    "encrypted": (pdfs.encrypted(CARD, user=""), FallbackReason.ENCRYPTED),
    "a key with a number sign": (replaced(CARD, b"/PageMode", b"/Page#4d"), FallbackReason.SYNTAX),
    "a key twice": (replaced(CARD, b"/PageMode /UseNone /Pages 9 0 R", b"/Pages 9 0 R /Pages 9 0 R"), FallbackReason.AMBIGUOUS),
    "nested too deeply": (deep(40), FallbackReason.NESTING),
    "an object elsewhere": (replaced(CARD, b"\n7 0 obj", b"\n70 obj"), FallbackReason.OBJECT),
    "an object that does not end": (replaced(CARD, b"/Type /Catalog\n>>\nendobj", b"/Type /Catalog\n>>\nendobx"), FallbackReason.OBJECT),
    "another filter": (replaced(STREAMS, b"/FlateDecode /N", b"/LZWDecode /N"), FallbackReason.STREAM),
    "a length that is wrong": (re.sub(rb"/Length \d\d /Filter", b"/Length 11 /Filter", STREAMS), FallbackReason.STREAM),
    "an object stream that is a bomb": (bomb(), FallbackReason.TOO_LARGE),
    "a cross-reference stream that is a bomb": (xref_stream_bomb(200_000, 1), FallbackReason.TOO_LARGE),
    "many cross-reference streams that are a bomb": (xref_stream_bomb(50_000, 50), FallbackReason.TOO_LARGE),
    "an unknown version in the catalog": (pdfs.edited(CARD, with_version), FallbackReason.CATALOG),
    "certified": (certified(2), FallbackReason.CERTIFIED),
    "permissions": (pdfs.edited(CARD, with_perms), FallbackReason.CERTIFIED),
    "XFA": (pdfs.edited(CARD, with_xfa), FallbackReason.XFA),
    "a lock": (with_field(Lock=pikepdf.Dictionary()), FallbackReason.FORM),
    "seed values": (with_field(SV=pikepdf.Dictionary()), FallbackReason.FORM),
    "a field tree": (pdfs.edited(CARD, with_field_tree), FallbackReason.FORM),
    "a field of no type": (replaced(FORM, b"/FT /Tx", b"/Fx /Tx"), FallbackReason.FORM),
    "a rectangle of three": (with_field(Rect=[1, 2, 3]), FallbackReason.FORM),
    "a field name in Latin-1": (replaced(FORM, b"/T (remark)", b"/T (remar\xe9)"), FallbackReason.FIELD_NAME),
    "signed already": (extended(CARD, prepared_fast(CARD)), FallbackReason.FIELD_TAKEN),
    "no signature field": (replaced(FORM, b"/T (remark)", b"/T (GVCN)"), FallbackReason.FIELD_TAKEN),
    "a signature with rules": (replaced(SIGNED, b"/Filter /Adobe.PPKLite", b"/Reference []"), FallbackReason.TRANSFORM),
    "no pages": (replaced(CARD, b"/Count 4", b"/Count 0"), FallbackReason.PAGE),
}


@pytest.mark.parametrize("case", HANDED_OVER)
def test_pades_fast_hands_over_with_a_reason(case: str) -> None:
    document, reason = HANDED_OVER[case]
    with pytest.raises(HandOver) as caught:
        prepared_fast(document)
    assert caught.value.reason is reason


def test_pades_fast_hands_over_texts_unicode_cannot_write() -> None:
    with pytest.raises(HandOver) as caught:
        prepared_fast(CARD, FieldPlacement("GVCN", reason="\udcff"))
    assert caught.value.reason is FallbackReason.PLACEMENT


def test_pades_fast_has_a_case_for_every_reason() -> None:
    covered = {reason for _, reason in HANDED_OVER.values()} | {FallbackReason.PLACEMENT, FallbackReason.UNEXPECTED}
    assert covered == set(FallbackReason)


def through_the_door(document: bytes, field: str = "GVCN") -> Preparation:
    preparation = prepare(
        document, FieldPlacement(field), signing_time=pdfs.SIGNED_AT, contents_bytes=4096, digest_algorithm=DigestAlgorithm.SHA256
    )
    check(len(document), preparation.update)
    return preparation


@pytest.mark.parametrize("variant", pdfs.VARIANTS)
def test_pades_prepare_takes_the_fast_path_where_it_can(variant: str) -> None:
    expected = {"hybrid": ("complete", "xref-kinds"), "junk after the end": ("complete", "ending")}
    preparation = through_the_door(pdfs.VARIANTS[variant](0))
    assert (preparation.path, preparation.fallback) == expected.get(variant, ("fast", ""))


@pytest.mark.parametrize("document", [certified(2), locked("Include", "remark"), locked("Exclude", "GVCN")], ids=["P=2", "other", "ours"])
def test_pades_prepare_signs_what_only_the_complete_path_can_judge(document: bytes) -> None:
    assert through_the_door(document).path == "complete"


@pytest.mark.parametrize(
    ("document", "kind"),
    [(certified(1), DocumentLocked), (locked("All"), DocumentLocked), (pdfs.encrypted(CARD, user=""), DocumentEncrypted)],
    ids=["certified", "locked", "encrypted"],
)
def test_pades_prepare_refuses_as_the_complete_path_does(document: bytes, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        through_the_door(document)


def test_pades_prepare_refuses_odd_names_as_the_complete_path_does() -> None:
    with pytest.raises(InvalidArgument):
        through_the_door(CARD, "a\nb")


def test_pades_prepare_survives_a_bug_of_the_fast_path_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise IndexError

    monkeypatch.setattr(door, "prepare_fast", broken)
    preparation = through_the_door(CARD)
    assert (preparation.path, preparation.fallback) == ("complete", FallbackReason.UNEXPECTED.value)


def test_pades_prepare_does_not_hide_that_memory_ran_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(door, "prepare_fast", greedy)
    with pytest.raises(MemoryError):
        through_the_door(CARD)


def test_pades_prepare_speaks_of_paths_as_the_metrics_do() -> None:
    assert set(get_args(door.Path)) == {path.value for path in PreparationPath}
