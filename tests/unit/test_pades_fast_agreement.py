"""Fast and complete PAdES path side by side: what the fast one signs, the complete one signs too, and both write the same document."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO

import pikepdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signer.errors import RequestError
from signer.formats.pades.fast.fallback import HandOver
from signer.model import FieldPlacement
from tests.support import pdfs
from tests.support.fastpath import extended, prepared_fast
from tests.unit.test_pades_complete import REFUSED, certified, locked

PRIOR = ("Kỳ 1", "GVBM.1 (Toán)".replace(".", "-"), "CBQL")
NEW = FieldPlacement("Chữ ký GVCN", "Trần Văn Giáo", "(xác nhận) \\ kết quả", "Ha Noi")
TEXTS = ("/Type", "/Filter", "/SubFilter", "/M", "/Name", "/Reason", "/Location")
BY_PATH: dict[str, Callable[[bytes, str | FieldPlacement], bytes]] = {
    "fast": lambda document, field: extended(document, prepared_fast(document, field)),
    "complete": lambda document, field: extended(document, pdfs.prepared(document, field)),
}


def plain(value: object) -> object:
    """pikepdf gives numbers and flags as Python's own, everything else as objects that compare by identity of file."""
    return value.unparse() if isinstance(value, pikepdf.Object) else value


def description(signed: bytes, field_name: str) -> dict[str, object]:
    """All that signing may write, but for object numbers and the random half of /ID."""
    with pikepdf.open(BytesIO(signed)) as pdf:
        form, root, page = pdf.Root.AcroForm, pdf.Root, pdf.pages[0].obj
        field = next(field for field in form.Fields if str(field.T) == field_name)
        return {
            "catalog": sorted(root.keys()),
            "version": str(root.get("/Version")),
            "extensions": root.Extensions.unparse(),
            "form": sorted(form.keys()),
            "flags": int(form.SigFlags),
            "fields": [str(field.T) for field in form.Fields],
            "annotations": len(page.get("/Annots", [])),
            "page": sorted(page.keys()),
            "name": str(field.T),
            "field": {key: plain(value) for key, value in field.items() if key not in {"/T", "/V", "/P"}},
            "on page": field.P.objgen == page.objgen,
            "signature": {key: str(field.V.get(key)) for key in TEXTS},
            "signature keys": sorted(field.V.keys()),
            "trailer": {key for key in pdf.trailer.keys() if key not in {"/Type", "/W", "/Index", "/Length", "/Filter", "/DecodeParms"}},  # noqa: SIM118  # pikepdf
            "info": pdf.trailer.Info.objgen,
            "first id": bytes(pdf.trailer.ID[0]),
        }


@pytest.mark.parametrize("variant", sorted(set(pdfs.VARIANTS) - {"hybrid", "junk after the end"}))
@pytest.mark.parametrize("prior", range(4))
def test_pades_fast_writes_what_the_complete_path_writes(variant: str, prior: int) -> None:
    document = pdfs.VARIANTS[variant](prior)
    for number, field in enumerate(PRIOR[:prior]):
        document = BY_PATH["fast" if number % 2 else "complete"](document, field)
    fast, complete = (description(sign(document, NEW), NEW.field_name) for sign in BY_PATH.values())
    assert fast == complete


@pytest.mark.parametrize("rectangle", [(0, 0, 0, 0), (50, 50, 200, 100)])
def test_pades_fast_fills_an_empty_field_as_the_complete_path_does(rectangle: tuple[int, ...]) -> None:
    placement = FieldPlacement("GVCN", *(getattr(NEW, text) for text in ("name", "reason", "location")))
    document = pdfs.with_empty_field(pdfs.report_card(), "GVCN", rectangle)
    fast, complete = (description(sign(document, placement), "GVCN") for sign in BY_PATH.values())
    assert fast == complete
    assert fast["annotations"] == 1


@pytest.mark.parametrize("case", REFUSED)
def test_pades_fast_never_signs_what_the_complete_path_refuses(case: str) -> None:
    document, _ = REFUSED[case]
    with pytest.raises(HandOver):
        prepared_fast(document)


@pytest.mark.parametrize("document", [certified(2), locked("Include", "remark"), locked("Exclude", "GVCN")], ids=["P=2", "other", "ours"])
def test_pades_fast_leaves_every_lock_to_the_complete_path(document: bytes) -> None:
    with pytest.raises(HandOver):
        prepared_fast(document)


@pytest.mark.parametrize("field", ["", "a\nb", "\x00", "\ud800", "GVCN.1", "remark"])
def test_pades_fast_leaves_odd_field_names_to_the_complete_path(field: str) -> None:
    with pytest.raises(HandOver):
        prepared_fast(pdfs.report_card(form=True), field)


FIELD_NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FIELD_NAMES, FIELD_NAMES, st.booleans())
def test_pades_fast_and_complete_path_know_fields_by_the_same_names(first: str, second: str, object_streams: bool) -> None:
    """Whatever the names: a field that is there is found by both or by the complete path alone; one that is not is added by both."""
    document = pdfs.report_card(pages=1)
    if object_streams:
        document = pdfs.object_streams(document)
    try:
        document = BY_PATH["complete"](document, first)
    except RequestError:
        return
    try:
        fast = BY_PATH["fast"](document, second)
    except HandOver:
        return
    assert second != first
    assert description(fast, second) == description(BY_PATH["complete"](document, second), second)


def test_pades_fast_names_written_by_either_path_are_the_names_that_were_asked_for() -> None:
    for name in ("GVCN", "a(b)c\\", "Chữ ký", "x" * 300, "\U0001f58b"):
        for sign in BY_PATH.values():
            assert description(sign(pdfs.report_card(pages=1), FieldPlacement(name, "Ô", "Ô", "Ô")), name)["fields"] == [name]


def test_pades_fast_updates_hold_no_metadata_of_the_document() -> None:
    update = prepared_fast(pdfs.report_card(form=True)).update
    assert not re.search(rb"/(Author|Title|ModDate|Producer|Prop_Build|Name|Reason|Location)\b|" + pdfs.PUPIL.encode("utf-16-be"), update)
