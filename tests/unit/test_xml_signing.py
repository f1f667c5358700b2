"""Where an XML signature goes, what it may sign, and what a document worker can't talk the daemon into."""

from __future__ import annotations

import base64
import hashlib

import msgspec
import pytest
from lxml import etree

from signer.algorithms import DigestAlgorithm, SignatureAlgorithm
from signer.errors import (
    AlgorithmUnsupported,
    CertificateUnusable,
    DocumentLocked,
    DocumentUnsupported,
    FieldAlreadySigned,
    InternalError,
    InvalidArgument,
)
from signer.formats.xml.detached import examine_detached
from signer.formats.xml.examine import examine, examine_enveloping
from signer.formats.xml.key_info import subject_name
from signer.formats.xml.names import ENVELOPED_SIGNATURE, Canonicalization
from signer.formats.xml.reading import read
from signer.formats.xml.search import Finder
from signer.formats.xml.template import XmlProfile, XmlTemplate
from signer.formats.xml.values import Examined, Place, PreparedXml, Reference
from signer.model import RecordSlot, SlotRequest, XmlReference
from signer.validation.report import Indication
from signer.validation.xml import verify_xml
from tests.support import pki, xmls

SLOT = RecordSlot.PRINCIPAL
SHA256 = DigestAlgorithm.SHA256


def ask(
    place: str = "/a/ky", uri: str = "#d", target: str = "", transforms: tuple[str, ...] = (), method: str = xmls.INCLUSIVE
) -> SlotRequest:
    return SlotRequest(place, (XmlReference(uri, target, SHA256, transforms),), method)


def look(document: bytes, request: SlotRequest, *, alone: bool = True) -> Examined:
    return examine(Finder(read(document)), request, alone=alone)


SMALL = b'<a><d Id="d">1</d><ky/></a>'


@pytest.mark.parametrize(
    "slot", ["<ky/>", "<ky />", "<ky a='/>'\t/>", "<ky></ky>", "<ky>\r\n <x/></ky>", "<ky><ky/></ky>", "<ky><!-- </ky> --></ky>"]
)
def test_a_slot_takes_the_signature_as_its_last_child_and_nothing_else_changes(slot: str) -> None:
    document = SMALL.replace(b"<ky/>", slot.encode())
    signed = xmls.complete(document, look(document, ask()), xmls.signer(), XmlProfile.MINISTRY)
    root = etree.fromstring(signed)
    taken = root.find("ky")
    assert taken is not None
    signature = taken[-1]
    assert etree.QName(signature).localname == "Signature"
    taken.remove(signature)
    assert etree.tostring(root, method="c14n") == etree.tostring(etree.fromstring(document), method="c14n")


def test_earlier_signatures_stay_byte_for_byte() -> None:
    first = xmls.in_slot(xmls.record(), RecordSlot.HOMEROOM_TEACHER)
    signature = first[first.index(b"<Signature ") : first.index(b"</Signature>")]
    second = xmls.in_slot(first, SLOT, xmls.signer(SignatureAlgorithm.ECDSA_SHA256, 1))
    assert signature in second
    assert verify_xml(second, xmls.TRUST, xmls.LATER, slots=xmls.EXPECTATIONS).indication is Indication.TOTAL_PASSED


def test_the_same_document_gives_the_same_id_and_other_places_give_others() -> None:
    ids = {look(xmls.record(), xmls.slot_request(slot)).id for slot in xmls.SLOTS for _ in range(2)}
    assert len(ids) == len(xmls.SLOTS)


def test_copies_signed_apart_can_be_merged() -> None:
    document = b'<a><d Id="d">1</d><e Id="e">2</e><ky/><dau/></a>'
    apart = xmls.complete(document, look(document, ask()), xmls.signer(), XmlProfile.MINISTRY)
    other = xmls.complete(document, look(document, ask("/a/dau", "#e")), xmls.signer(number=1), XmlProfile.MINISTRY)
    merged = apart.replace(b"<dau/>", other[other.index(b"<dau>") : other.index(b"</dau>") + len(b"</dau>")])
    assert [each.indication for each in verify_xml(merged, xmls.TRUST, xmls.LATER).signatures] == [Indication.TOTAL_PASSED] * 2


@pytest.mark.parametrize("writing", ['"{}"', "'{}-time'", '"&#83;{}"'])
def test_an_id_that_is_taken_is_not_used_again(writing: str) -> None:
    taken = look(SMALL, ask()).id
    written = writing.format(taken[1:] if "#" in writing else taken)
    found = look(SMALL.replace(b"<ky/>", f"<b name={written}/><ky/>".encode()), ask())
    assert found.id == f"{taken}x"


def test_a_slot_that_is_signed_is_refused() -> None:
    with pytest.raises(FieldAlreadySigned):
        xmls.in_slot(xmls.in_slot(xmls.record(), SLOT), SLOT)


@pytest.mark.parametrize(
    ("document", "request_"),
    [
        (b"<a><d/><ky/></a>", ask()),
        (b'<a><d Id="d"/><d Id="d"/><ky/></a>', ask()),
        (b'<a><d Id="d"/><x ID="d"/><ky/></a>', ask()),
        (b'<a><d Id="d"/><x id="d"/><ky/></a>', ask(target="/a/d")),
        (b'<a><d Id="d"/><x xml:id="&#100;"/><ky/></a>', ask(target="/a/d")),
        (b'<a><d Id="d"/><x/><ky/></a>', ask(target="/a/x")),
        (b'<a><d Id="d"/></a>', ask()),
        (b'<a><d Id="d"/><ky/><ky/></a>', ask()),
    ],
    ids=["no such Id", "Id twice", "as ID", "as id", "as xml:id", "another element", "no such place", "two places"],
)
def test_what_is_not_there_once_is_refused(document: bytes, request_: SlotRequest) -> None:
    with pytest.raises(DocumentUnsupported):
        look(document, request_)


@pytest.mark.parametrize(
    "request_",
    [
        ask(uri="d"),
        ask(uri="#"),
        ask(uri="#a b"),
        ask(uri="#xpointer(/)"),
        ask(place="ky"),
        ask(place="/a/ky[count(//*) > 1]"),
        ask(place="//a//ky//b//c"),
        ask(place="document('file:///etc/passwd')"),
        ask(place="/a/ky | /a/d"),
        ask(place="/a/" + "b" * 2000),
        ask(place="/p:a"),
        ask(method="http://www.w3.org/TR/1999/REC-xslt-19991116"),
        ask(transforms=("http://www.w3.org/TR/1999/REC-xpath-19991116",)),
        ask(transforms=(xmls.INCLUSIVE, xmls.INCLUSIVE)),
        ask(transforms=(xmls.INCLUSIVE, ENVELOPED_SIGNATURE)),
        ask(place="/a/d"),
        ask(uri=""),
        SlotRequest("/a/ky", (), xmls.INCLUSIVE),
    ],
)
def test_what_can_not_be_asked_for_is_refused(request_: SlotRequest) -> None:
    with pytest.raises(InvalidArgument):
        look(SMALL, request_)


@pytest.mark.parametrize("uri", ["", "#d"])
def test_no_signature_is_placed_where_an_earlier_one_covers(uri: str) -> None:
    document = b'<a><d Id="d"><ky/></d><dau/></a>'
    signed = xmls.enveloped(document, place="/a/dau", uri=uri)
    with pytest.raises(DocumentLocked):
        xmls.enveloped(signed, place="/a/d/ky", uri="#d")


def test_no_signature_is_placed_inside_another() -> None:
    with pytest.raises(DocumentLocked):
        xmls.enveloped(xmls.enveloped(b"<a/>"), place="/a/*[1]/*[4]")


def test_two_signatures_of_parts_stand_side_by_side() -> None:
    document = b'<a><d Id="d"/><e Id="e"/></a>'
    signed = xmls.enveloped(xmls.enveloped(document, uri="#d"), xmls.signer(number=1), uri="#e")
    assert [each.indication for each in verify_xml(signed, xmls.TRUST, xmls.LATER).signatures] == [Indication.TOTAL_PASSED] * 2


def test_prefixes_in_a_place_are_the_root_s() -> None:
    document = b'<h:a xmlns:h="urn:h"><h:ky/></h:a>'
    assert b"<h:ky><ds:Signature" in xmls.enveloped(document, place="/h:a/h:ky")


def test_a_detached_signature_needs_another_uri_than_its_own() -> None:
    for uri in ("", "#x"):
        with pytest.raises(InvalidArgument):
            examine_detached(b"", uri, SHA256, xmls.INCLUSIVE)
    with pytest.raises(InvalidArgument):
        examine_detached(b"", "a", SHA256, "no")
    with pytest.raises(InvalidArgument):
        examine_enveloping(read(b"<a/>"), "no", SHA256)


GOOD = look(SMALL, ask())
LIES: dict[str, Examined] = {
    "another Id": msgspec.structs.replace(GOOD, id='x"><evil/>'),
    "another canonicalisation": msgspec.structs.replace(GOOD, canonicalization="x"),
    "no reference": msgspec.structs.replace(GOOD, references=()),
    "short digest": msgspec.structs.replace(GOOD, references=(Reference("#d", (), SHA256, b"short"),)),
    "other transform": msgspec.structs.replace(GOOD, references=(Reference("#d", ("x",), SHA256, bytes(32)),)),
    "a transform twice over": msgspec.structs.replace(GOOD, references=(Reference("#d", (ENVELOPED_SIGNATURE,) * 3, SHA256, bytes(32)),)),
    "place before": msgspec.structs.replace(GOOD, place=Place(-1)),
    "place behind": msgspec.structs.replace(GOOD, place=Place(len(SMALL))),
    "place in text": msgspec.structs.replace(GOOD, place=Place(SMALL.index(b"1"))),
    "other tag": msgspec.structs.replace(GOOD, place=Place(SMALL.index(b"/></a>"), "k")),
    "markup as tag": msgspec.structs.replace(GOOD, place=Place(SMALL.index(b"/></a>"), "ky><evil")),
    "envelope over the end": msgspec.structs.replace(GOOD, place=Place(0, end=len(SMALL) + 1)),
    "envelope from text": msgspec.structs.replace(GOOD, place=Place(1, end=len(SMALL))),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_nothing_is_signed_from_a_worker_s_answer_that_can_not_be_of_the_document(lie: Examined) -> None:
    template = xmls.signer().template(XmlProfile.MINISTRY)
    assert template.prepare(SMALL, GOOD, xmls.SIGNED_AT).place == GOOD.place
    with pytest.raises(InternalError):
        template.prepare(SMALL, lie, xmls.SIGNED_AT)


def test_what_a_worker_says_of_surroundings_and_uris_reaches_the_file_escaped_only() -> None:
    (reference,) = GOOD.references
    lie = msgspec.structs.replace(GOOD, references=(msgspec.structs.replace(reference, uri='"><evil/>'),))
    signed = xmls.complete(SMALL, lie, xmls.signer(), XmlProfile.XADES)
    assert etree.fromstring(signed).find(".//{*}evil") is None


def test_what_waits_for_a_timestamp_survives_its_journey() -> None:
    template = xmls.signer().template(XmlProfile.XADES)
    prepared = template.prepare(SMALL, look(SMALL, ask()), xmls.SIGNED_AT)
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(prepared), type=PreparedXml)
    assert kept == prepared
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(GOOD), type=Examined) == GOOD


def test_a_ministry_signature_has_no_place_for_a_timestamp() -> None:
    template = xmls.signer().template(XmlProfile.MINISTRY)
    prepared = template.prepare(SMALL, GOOD, xmls.SIGNED_AT)
    with pytest.raises(InternalError):
        template.additions(prepared, xmls.signer().sign(prepared.to_be_signed), b"timestamp")


def test_ecdsa_is_written_as_two_numbers_of_the_curve_s_length() -> None:
    by = xmls.signer(SignatureAlgorithm.ECDSA_SHA256)
    for _ in range(8):  # r or s begins with zeros now and then
        signed = xmls.in_slot(xmls.record(), SLOT, by)
        value = etree.fromstring(signed).findtext(".//{*}SignatureValue")
        assert len(base64.b64decode(value or "")) == 64


def test_a_certificate_of_another_family_or_none_is_refused() -> None:
    with pytest.raises(AlgorithmUnsupported):
        XmlTemplate.build(xmls.signer().issued.der, (), SignatureAlgorithm.ECDSA_SHA256, XmlProfile.XADES)
    with pytest.raises(CertificateUnusable):
        XmlTemplate.build(b"no", (), xmls.RSA, XmlProfile.XADES)


def test_a_subject_with_characters_that_xml_lacks_is_written_with_hexadecimal_pairs() -> None:
    odd = pki.issue("A\x01B\nC<&>Ấ", pki.rsa_key(5), pki.authority())
    assert subject_name(odd.der).startswith("CN=A\\01B\\0AC")
    signed = xmls.enveloped(b"<a/>", xmls.Signer(odd))
    assert etree.fromstring(signed).findtext(".//{*}X509SubjectName") == subject_name(odd.der)


def test_xades_names_the_certificate_by_the_signature_s_digest() -> None:
    by = xmls.signer(SignatureAlgorithm.RSA_PKCS1_SHA512)
    root = etree.fromstring(xmls.enveloped(b"<a/>", by, method=Canonicalization.EXCLUSIVE))
    assert root.findtext(".//{*}CertDigest/{*}DigestValue") == base64.b64encode(hashlib.sha512(by.issued.der).digest()).decode()
