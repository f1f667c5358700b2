"""A signed record, verified by its layout: every slot, what it references, and whether the order was kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from signer.demo.ministry_xml import RecordLayout
from signer.formats.xml.examine import examine
from signer.formats.xml.reading import read
from signer.formats.xml.search import Finder
from signer.formats.xml.template import XmlProfile
from signer.model import RecordSlot
from signer.records.reading import Record
from signer.records.verification import RecordRules, rules_of
from signer.validation.report import DocumentReport, Indication
from signer.validation.xml import verify_xml
from tests.support import xmls
from tests.support.records import LAYOUTS, NOW, ORDER, record, signed


def rules(document: bytes) -> RecordRules:
    found = rules_of(Finder(read(document)), LAYOUTS)
    assert found is not None
    return found


def verified(document: bytes) -> DocumentReport:
    held = rules(document)
    return held.with_order(verify_xml(document, xmls.TRUST, datetime.fromisoformat(NOW), slots=held.expectations))


@pytest.mark.parametrize("layout", RecordLayout)
def test_a_record_signed_in_order_passes_with_every_slot(layout: RecordLayout) -> None:
    count = len(ORDER[layout])
    report = verified(signed(layout, count))
    assert report.indication is Indication.TOTAL_PASSED
    assert [(slot.references_right, slot.order_right) for slot in report.slots] == [(True, True)] * count


def test_a_seal_that_came_before_the_principal_is_seen() -> None:
    document = record(RecordLayout.PRIMARY_V1)
    (seal,) = [each for each in rules(document).expectations if each.slot is RecordSlot.SEAL]
    sealed = xmls.complete(document, examine(Finder(read(document)), seal.request), xmls.signer(), XmlProfile.MINISTRY)
    slots = {slot.slot: slot for slot in verified(sealed).slots}
    assert slots[RecordSlot.SEAL].references_right
    assert not slots[RecordSlot.SEAL].order_right
    assert not slots[RecordSlot.PRINCIPAL].order_right


def test_other_xml_has_no_rules() -> None:
    assert rules_of(Finder(read(b"<bang/>")), LAYOUTS) is None


START_TAGS = ("A", 'A xmlns="urn:x"', 'x:A xmlns:x="urn:x"', 'x:A xmlns:x="urn:y"', 'y:A xmlns:y="urn:x"')
TREES = st.recursive(
    st.sampled_from(START_TAGS).map(lambda tag: f"<{tag}/>"),
    lambda inner: st.tuples(st.sampled_from(START_TAGS), st.lists(inner, min_size=1, max_size=4)).map(lambda made: nested(*made)),
    max_leaves=12,
)


def nested(tag: str, inner: Sequence[str]) -> str:
    return f"<{tag}>{'<!-- -->text'.join(inner)}</{tag.partition(' ')[0]}>"


@given(TREES)
def test_an_element_is_found_again_by_its_path_wherever_its_prefix_is_declared(written: str) -> None:
    document = read(written.encode())
    finder, held = Finder(document), Record(Finder(document))
    for element in document.root.iter(etree.Element):
        assert finder.one_by_path(held.path(element), "place") is element


@given(TREES, st.lists(st.sampled_from(("A", "B")), min_size=1, max_size=4))
def test_a_path_of_names_finds_what_its_xpath_finds(written: str, names: list[str]) -> None:
    document = read(f"<A><B><A/>{written}</B>{written}<B/></A>".encode())
    path = "".join(f"/{name}" for name in names)
    assert Record(Finder(document)).find(path) == etree.XPath(path)(document.root)
