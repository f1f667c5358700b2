"""Any bytes as XML: signed and valid, or one of our refusals; judged, or one of our refusals; nothing else.

SIGNER_FUZZ_EXAMPLES: examples a test, for long runs.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from signer.errors import DocumentError, InvalidArgument
from signer.model import RecordSlot
from signer.validation.report import Indication
from signer.validation.xml import verify_xml
from tests.support import xmls

EXAMPLES = int(os.environ.get("SIGNER_FUZZ_EXAMPLES", "100"))
fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
SIGNED = xmls.in_slot(xmls.record(), RecordSlot.PRINCIPAL)
STAMPED = xmls.enveloped(b'<a><b Id="b">x</b></a>', stamp=xmls.STAMP)
PIECES = (
    b"<a>", b"</a>", b"<b/>", b"<b Id='x'>", b"</b>", b" ", b"&amp;", b"&#65;", b"<!-- -->", b"<![CDATA[<a>]]>", b"<?p q?>", b"\r\n",
    b"<c:a xmlns:c='urn:c'>", b"</c:a>", b"<a xmlns='urn:a' xml:lang='vi'>", b"\xef\xbb\xbf", b"<?xml version='1.0'?>",
    "Điểm".encode(), b"<", b">", b"'", b'"',
)  # fmt: skip


@st.composite
def spoiled(draw: st.DrawFn, seed: bytes) -> bytes:
    """The seed with bytes changed, cut, doubled."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(seed) - 1)))
        new = draw(st.one_of(st.binary(max_size=3), st.sampled_from(PIECES)))
        seed = seed[:at] + new + seed[at + draw(st.integers(0, 3)) :]
    return seed


pieces = st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join)


@fuzz
@given(st.one_of(st.binary(max_size=60), pieces, pieces.map(lambda inner: b"<a>" + inner + b"</a>"), spoiled(b"<a><b/></a>")))
@example(b"<a/>")
@example(b"\xef\xbb\xbf<?xml version='1.0'?>\r\n<!-- <a> --><a\n/>\n<?p <a>?>")
@example(b"<a x='>'><a/></a >")
def test_any_bytes_are_signed_validly_or_refused(document: bytes) -> None:
    for sign in (xmls.enveloped, xmls.enveloping):
        try:
            signed = sign(document)
        except DocumentError:
            continue
        report = verify_xml(signed, xmls.TRUST, xmls.LATER)
        assert report.signatures[-1].indication is Indication.TOTAL_PASSED


@fuzz
@given(st.one_of(spoiled(xmls.record()), spoiled(SIGNED)))
def test_any_record_is_signed_validly_in_its_slot_or_refused(document: bytes) -> None:
    slot = RecordSlot.SEAL
    try:
        signed = xmls.in_slot(document, slot)
    except DocumentError:
        return
    report = verify_xml(signed, xmls.TRUST, xmls.LATER, slots=[xmls.expectation(slot)])
    assert report.slots[0].references_right
    assert next(each for each in report.signatures if each.slot is slot).indication is Indication.TOTAL_PASSED


@fuzz
@given(st.one_of(spoiled(SIGNED), spoiled(STAMPED)))
def test_any_signed_bytes_are_judged_or_refused(document: bytes) -> None:
    for slots in ((), xmls.EXPECTATIONS):
        try:
            report = verify_xml(document, xmls.TRUST, xmls.LATER, slots=slots)
        except DocumentError:
            return
        assert report.to_json()


@fuzz
@given(st.text(max_size=40))
def test_any_text_as_a_place_finds_one_or_is_refused(place: str) -> None:
    try:
        signed = xmls.enveloped(b"<a><b/></a>", place=place)
    except (DocumentError, InvalidArgument):
        return
    assert verify_xml(signed, xmls.TRUST, xmls.LATER).indication is Indication.TOTAL_PASSED
