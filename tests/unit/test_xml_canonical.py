"""The law of the room: what is signed is what canonicalisation of the assembled file yields, whatever stands around the signature."""

from __future__ import annotations

import base64
import hashlib
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from signer.algorithms import DigestAlgorithm
from signer.errors import DocumentUnsupported
from signer.formats.xml.canonical import canonicalize, canonicalize_document
from signer.formats.xml.examine import examine
from signer.formats.xml.names import DS, ENVELOPED_SIGNATURE, XADES, Canonicalization
from signer.formats.xml.reading import read
from signer.formats.xml.search import Finder
from signer.formats.xml.template import XmlProfile
from signer.model import SlotRequest, XmlReference
from signer.validation.report import Indication
from signer.validation.xml import verify_xml
from tests.support import xmls
from tests.support.c14n import by_the_book

EXAMPLES = int(os.environ.get("SIGNER_FUZZ_EXAMPLES", "60"))
laws = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

TEXTS = ("", " ", "Điểm: 9,5", "a &amp; b", "&lt;x>", "<![CDATA[<&]]>", "<!-- lời phê -->", "\r\n", "&#13;", "<?pi x?>", "𠀀")
VALUES = ("", "Tốt", "&lt;&amp;", "&quot;", "&#9;&#10;&#13;", "a  b", "'")
NAMES = ("MUC", "b:MUC", "x-y", "b:x.y")
DECLARATIONS = (
    "",
    ' xmlns="urn:default"',
    ' xmlns=""',
    ' xmlns:b="urn:b:2"',
    ' xmlns:c="urn:c"',
    ' xmlns:ds="urn:not-ds"',
    ' xmlns:xades="urn:no"',
)
XML_ATTRIBUTES = ("", ' xml:lang="vi"', ' xml:lang="en"', ' xml:space="preserve"', ' xml:id="i"')


@st.composite
def elements(draw: st.DrawFn, depth: int = 0) -> str:
    name, text = draw(st.sampled_from(NAMES)), draw(st.sampled_from(TEXTS))
    attributes = "".join(
        f' {key}="{draw(st.sampled_from(VALUES))}"' for key in draw(st.lists(st.sampled_from(("z", "a", "b:a", "Z")), unique=True))
    )
    children = "".join(draw(elements(depth + 1)) + draw(st.sampled_from(TEXTS)) for _ in range(draw(st.integers(0, 2)) if depth < 2 else 0))
    declared = draw(st.sampled_from(DECLARATIONS)) + draw(st.sampled_from(XML_ATTRIBUTES[:3]))
    if not text and not children and draw(st.booleans()):
        return f"<{name}{attributes}{declared} />"
    return f"<{name}{attributes}{declared}>{text}{children}</{name}>"


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """A root with data under an Id and an empty slot, under whatever namespaces and attributes."""
    head = draw(st.sampled_from(("", "\ufeff", '<?xml version="1.0" encoding="utf-8"?>\r\n', "<!-- đầu -->\n")))
    around, inner = draw(st.sampled_from([each for each in DECLARATIONS if "xmlns:b=" not in each])), draw(st.sampled_from(DECLARATIONS))
    middle = f"<giua{inner}{draw(st.sampled_from(XML_ATTRIBUTES))}>"
    data = f'<data Id="data"{draw(st.sampled_from(XML_ATTRIBUTES))}>{draw(elements())}</data>'
    slot = draw(
        st.sampled_from(("<slot/>", "<slot></slot>", '<slot a="/>" />', "<slot>\r\n<slot/></slot>", "<slot><!-- </slot> --></slot>"))
    )
    hidden = draw(st.sampled_from(("", "<!-- <slot> -->", "<![CDATA[<slot>]]>", "<?slot <slot>?>")))
    around += draw(st.sampled_from(XML_ATTRIBUTES))
    return f'{head}<root xmlns:b="urn:b"{around}>{middle}{data}{hidden}{slot}<slots/></giua></root>'.encode()


def request(method: Canonicalization, uri: str = "#data") -> SlotRequest:
    transforms = (method.value,) if uri else (ENVELOPED_SIGNATURE, method.value)
    return SlotRequest("/*/*/*[2]", (XmlReference(uri, "", DigestAlgorithm.SHA256, transforms),), method.value)


def found(root: etree._Element, name: str, namespace: str = DS) -> etree._Element:
    (element,) = root.iter(f"{{{namespace}}}{name}")
    return element


def digests(root: etree._Element) -> list[bytes]:
    return [base64.b64decode(each.findtext(f"{{{DS}}}DigestValue") or "") for each in root.iter(f"{{{DS}}}Reference")]


@laws
@given(documents(), st.sampled_from(Canonicalization), st.sampled_from(XmlProfile))
def test_every_canonical_form_is_that_of_the_assembled_file(document: bytes, method: Canonicalization, profile: XmlProfile) -> None:
    by = xmls.signer()
    template = by.template(profile)
    prepared = template.prepare(document, examine(Finder(read(document)), request(method)), xmls.SIGNED_AT)
    signature = by.sign(prepared.to_be_signed)
    root = read(template.additions(prepared, signature).merge(document)).root
    assert prepared.to_be_signed == by_the_book(found(root, "SignedInfo"), method)
    assert prepared.stamped_bytes(signature) == by_the_book(found(root, "SignatureValue"), method)
    statement = found(root, "SignedProperties", XADES) if profile is XmlProfile.XADES else found(root, "SignatureProperty")
    data = next(each for each in root.iter("*") if each.get("Id") == "data")
    assert digests(root) == [hashlib.sha256(by_the_book(each, method)).digest() for each in (data, statement)]


@laws
@given(documents(), st.sampled_from(Canonicalization))
def test_an_element_s_canonical_form_is_the_recommendation_s(document: bytes, method: Canonicalization) -> None:
    root = read(document).root
    assert canonicalize_document(root, method) == by_the_book(root, method)
    for element in root.iter("*"):
        assert canonicalize(element, method) == by_the_book(element, method)


@laws
@given(documents(), st.sampled_from(XmlProfile), st.sampled_from(("#data", "")))
def test_every_byte_of_the_original_stays_in_its_order(document: bytes, profile: XmlProfile, uri: str) -> None:
    by = xmls.signer()
    template = by.template(profile)
    prepared = template.prepare(document, examine(Finder(read(document)), request(Canonicalization.C14N_10, uri)), xmls.SIGNED_AT)
    additions = template.additions(prepared, by.sign(prepared.to_be_signed))
    signed = additions.merge(document)
    for insertion in reversed(additions.inserted):
        shift = sum(len(each.content) for each in additions.inserted if each.offset < insertion.offset)
        start = insertion.offset + shift
        signed = signed[:start] + signed[start + len(insertion.content) :]
    assert signed == document
    slot = found(read(additions.merge(document)).root, "Signature").getparent()
    assert slot is not None
    assert etree.QName(slot).localname == "slot"


def test_xml_base_above_is_refused_with_c14n_1_1_and_inherited_with_1_0() -> None:
    element = read(b'<a xml:base="http://example/"><b/></a>').root[0]
    assert canonicalize(element, Canonicalization.C14N_10) == b'<b xml:base="http://example/"></b>'
    with pytest.raises(DocumentUnsupported, match="xml:base"):
        canonicalize(element, Canonicalization.C14N_11)


def test_a_relative_namespace_is_refused_because_it_has_no_canonical_form() -> None:
    with pytest.raises(DocumentUnsupported, match="relative"):
        canonicalize(read(b'<a xmlns="b"/>').root, Canonicalization.C14N_10)


@laws
@given(documents(), st.sampled_from(Canonicalization), st.sampled_from(("#data", "")))
def test_a_signature_inside_what_it_signs_stands(document: bytes, method: Canonicalization, uri: str) -> None:
    signed = xmls.enveloped(document, place="/*/*/*[1]", uri=uri, method=method)
    report = verify_xml(signed, xmls.TRUST, xmls.LATER)
    assert [each.indication for each in report.signatures] == [Indication.TOTAL_PASSED]
    tampered = signed.replace(b"<slots/>", b"<slots>x</slots>")
    assert verify_xml(tampered, xmls.TRUST, xmls.LATER).signatures[0].intact is bool(uri)


@laws
@given(documents(), st.sampled_from(Canonicalization))
def test_a_document_inside_its_signature_stands(document: bytes, method: Canonicalization) -> None:
    report = verify_xml(xmls.enveloping(document, method=method), xmls.TRUST, xmls.LATER)
    assert report.indication is Indication.TOTAL_PASSED
