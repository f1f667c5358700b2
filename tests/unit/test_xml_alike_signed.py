"""Records of one markup that hold signatures: these are judged as they are judged in a record alone, and so is what was done to them."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from signer.demo.ministry_xml import RecordLayout
from signer.demo.records import class_records
from signer.documents.records import KnownRecords, find_slot
from signer.documents.wire import ExaminedXmlReply, Trust
from signer.formats.xml.alike.memory import KINDS_MAX, Memory
from signer.formats.xml.alike.pattern import Pattern
from signer.formats.xml.names import Canonicalization
from signer.formats.xml.template import XmlProfile
from signer.model import RecordPlan, XadesOptions
from tests.support import pki, xml_verdicts, xmls
from tests.support.c14n import by_the_book
from tests.support.records import CLERK, LAYOUTS, NOW, OFFICE, ORDER, PRINCIPAL, TEACHERS, TRUST, Office
from tests.unit.test_xml_alike import BETWEEN_TAGS, EXAMPLES, TEXTS, outcome, without_time, xades

PRIMARY, MULTI_LEVEL = RecordLayout.PRIMARY_V1, RecordLayout.MULTI_LEVEL
STAGES = [(layout, place) for layout in RecordLayout for place in range(len(ORDER[layout]))]
DS = "{http://www.w3.org/2000/09/xmldsig#}"
SIGNATURE = re.compile(rb"<Signature .*?</Signature>", re.DOTALL)
laws = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


def slot(record: bytes, plan: RecordPlan, known: Memory[KnownRecords], office: Office = OFFICE, now: str = NOW) -> ExaminedXmlReply:
    return find_slot(msgspec.structs.replace(office.slot_call(record, plan), now=now), LAYOUTS, known)


@cache
def a_class(layout: RecordLayout, signatures: int, signer: int = 0) -> list[bytes]:
    """Six records after so many have signed."""
    if signatures == 0:
        return [each.content for each in class_records(layout, size=6)]
    plan = ORDER[layout][signatures - 1]
    return [OFFICE.sign(each, plan, xmls.signer(number=signer)) for each in a_class(layout, signatures - 1, signer)]


def primed(layout: RecordLayout, place: int) -> Memory[KnownRecords]:
    """Of whoever has read that class for whoever signs it next."""
    known: Memory[KnownRecords] = Memory()
    for each in a_class(layout, place):
        slot(each, ORDER[layout][place], known)
    return known


def same(record: bytes, plan: RecordPlan, known: Memory[KnownRecords], office: Office = OFFICE, now: str = NOW) -> object:
    """What a record yields, among others as alone."""
    found = outcome(lambda: slot(record, plan, known, office, now))
    assert found == outcome(lambda: slot(record, plan, Memory(), office, now))
    return found


@pytest.mark.parametrize(("layout", "place"), STAGES)
def test_a_class_is_read_by_its_texts_whoever_signs_it_next(layout: RecordLayout, place: int) -> None:
    plan, known = ORDER[layout][place], Memory[KnownRecords]()
    found = [slot(each, plan, known) for each in a_class(layout, place)]
    assert [without_time(each) for each in found] == [without_time(slot(each, plan, Memory())) for each in a_class(layout, place)]
    assert sum(each.is_alike for each in found) >= 2
    assert all(slot(each, plan, known).is_alike for each in a_class(layout, place)[:2])


@laws
@given(st.sampled_from(STAGES), st.integers(0, 5), st.data())
def test_any_change_to_a_signed_record_is_met_as_in_a_record_alone(
    stage: tuple[RecordLayout, int], pupil: int, data: st.DataObject
) -> None:
    layout, place = stage
    records = a_class(layout, place)
    others = [BETWEEN_TAGS.findall(each) for each in records]
    chosen = data.draw(st.dictionaries(st.integers(0, len(others[pupil]) - 1), st.sampled_from((*TEXTS, None)), min_size=1, max_size=2))
    number = -1

    def changed(found: re.Match[bytes]) -> bytes:
        """Another text, or what stands there in another pupil's record."""
        nonlocal number
        number += 1
        elsewhere = others[(pupil + 1) % 6]
        text = chosen.get(number, found[1])
        return b">" + (elsewhere[number % len(elsewhere)] if text is None else text) + b"</"

    same(BETWEEN_TAGS.sub(changed, records[pupil]), ORDER[layout][place], primed(layout, place))


def in_signature(pattern: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda record: re.sub(pattern, new, record, count=1, flags=re.DOTALL)


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "the data": in_signature(rb"<HO_VA_TEN>[^<]*", b"<HO_VA_TEN>A"),
    "the first digest": in_signature(rb"<DigestValue>.", b"<DigestValue>A"),
    "the digest of the time": in_signature(rb"(</DigestValue>.*?<DigestValue>).", rb"\1A"),
    "the value": in_signature(rb"<SignatureValue>..", b"<SignatureValue>AA"),
    "no value": in_signature(rb"<SignatureValue>[^<]*", b"<SignatureValue>"),
    "a value that is no base64": in_signature(rb"<SignatureValue>..", b"<SignatureValue>?!"),
    "the name": in_signature(rb"<X509SubjectName>..", b"<X509SubjectName>CX"),
    "the certificate": in_signature(rb"<X509Certificate>[^<]{40}", lambda found: found[0][:-1] + b"A"),  # type: ignore[arg-type]
    "the time": in_signature(rb"<SigningTime([^>]*)>....", rb"<SigningTime\1>2020"),
    "a time without offset": in_signature(rb"(<SigningTime[^>]*>[^<+]*)[^<]*", rb"\1"),
    "another algorithm": in_signature(rb"rsa-sha256", b"rsa-sha512"),
    "another reference": in_signature(rb'URI="#(data|thong|DTK)', b'URI="#dato'),
    "text beside the property": in_signature(rb"(<Object[^>]*>)", rb"\1x"),
    "another Id": in_signature(rb'<Signature ([^>]*)Id="S-....', rb'<Signature \1Id="S-0123'),
    "an Id like a mark": in_signature(rb"S-[0-9a-f]{16}", b"S-0000000000000000"),
    "lines in the value": in_signature(rb"<SignatureValue>(.{64})", b"<SignatureValue>\n\\1\n"),
    "lines in a digest": in_signature(rb"<DigestValue>(.{20})", b"<DigestValue>\\1\n"),
    "no signature": in_signature(SIGNATURE.pattern, b""),
}


UNSIGNED = {"the name", "another Id", "an Id like a mark", "lines in the value"}
"""Beside these a homeroom teacher's signature may be missing at a primary school, and a subject's teachers do not sign the name."""


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("stage", [(PRIMARY, 1), (PRIMARY, 2), (MULTI_LEVEL, len(TEACHERS))])
def test_a_tampered_signature_is_met_as_in_a_record_alone(change: str, stage: tuple[RecordLayout, int]) -> None:
    layout, place = stage
    known = primed(layout, place)
    (record, *_) = a_class(layout, place)
    changed = CHANGES[change](record)
    assert changed != record
    passes = change in UNSIGNED or (change, layout) in {("no signature", PRIMARY), ("the data", MULTI_LEVEL)}
    assert isinstance(same(changed, ORDER[layout][place], known), ExaminedXmlReply) == passes
    if change == "lines in the value":
        assert slot(changed, ORDER[layout][place], known).is_alike
    assert slot(record, ORDER[layout][place], known).is_alike


def signed_anew(record: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The record with something else in its first signature, which the signer's key has signed: as other software may have done."""
    root = etree.fromstring(change(record))
    signature = next(root.iter(f"{DS}Signature"))
    for reference in signature.iter(f"{DS}Reference"):
        target = next(each for each in root.iter() if each.get("Id") == (reference.get("URI") or "")[1:])
        value = next(reference.iter(f"{DS}DigestValue"))
        digest = base64.b64encode(hashlib.sha256(by_the_book(target, Canonicalization.C14N_10)).digest()).decode()
        value.text = "\n".join((digest[:20], digest[20:])) if "\n" in (value.text or "") else digest
    octets = by_the_book(next(signature.iter(f"{DS}SignedInfo")), Canonicalization.C14N_10)
    next(signature.iter(f"{DS}SignatureValue")).text = base64.b64encode(xmls.signer().sign(octets)).decode()
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


@pytest.mark.parametrize(
    ("change", "passes"), [("lines in a digest", True), ("a time without offset", False), ("text beside the property", False)]
)
def test_what_a_signer_s_own_software_wrote_is_met_as_in_a_record_alone(change: str, passes: bool) -> None:
    plain = [signed_anew(each, lambda record: record) for each in a_class(PRIMARY, 1)]
    known: Memory[KnownRecords] = Memory()
    for each in plain[:5]:
        slot(each, PRINCIPAL, known)
    assert slot(plain[0], PRINCIPAL, known).is_alike
    changed = signed_anew(a_class(PRIMARY, 1)[5], CHANGES[change])
    assert isinstance(same(changed, PRINCIPAL, known), ExaminedXmlReply) == passes
    assert not passes or slot(changed, PRINCIPAL, known).is_alike


def test_a_teacher_of_another_subject_is_not_taken_for_the_one_that_was_known() -> None:
    known = primed(MULTI_LEVEL, 0)
    record = a_class(MULTI_LEVEL, 0)[0]
    first, second = (f"<MA_GVBM>{plan.subject_id}<".encode() for plan in TEACHERS[:2])
    exchanged = record.replace(first, b"\0").replace(second, first).replace(b"\0", second)
    assert slot(record, TEACHERS[0], known).is_alike
    before, after = slot(record, TEACHERS[0], known), slot(exchanged, TEACHERS[0], known)
    same(exchanged, TEACHERS[0], known)
    assert before.examined.references[0].uri != after.examined.references[0].uri


def test_an_element_whose_id_looks_like_a_signature_s_is_referenced_by_that_id() -> None:
    known: Memory[KnownRecords] = Memory()
    for each in a_class(MULTI_LEVEL, 0):
        record = re.sub(rb'Id="DTK_[A-Z_]+"', b'Id="S-0123456789abcdef"', each, count=1)
        assert record != each
        same(record, TEACHERS[0], known)


def test_a_signature_of_another_pupil_s_record_does_not_pass() -> None:
    first, second, *_ = a_class(PRIMARY, 1)
    foreign = SIGNATURE.findall(second)[0]
    found = same(SIGNATURE.sub(lambda _found: foreign, first), PRINCIPAL, primed(PRIMARY, 1))
    assert isinstance(found, tuple)
    assert found[2]["finding"] == "EARLIER_SIGNATURE_INVALID"


def test_signatures_of_two_records_with_their_ids_exchanged_do_not_pass() -> None:
    record = a_class(PRIMARY, 2)[0]
    first, second = (re.findall(rb' Id="(S-[0-9a-f]{16})"', each)[0] for each in SIGNATURE.findall(record))
    exchanged = record.replace(first, b"\0").replace(second, first).replace(b"\0", second)
    half = record.replace(first, second)
    assert all(isinstance(same(each, CLERK, primed(PRIMARY, 2)), tuple) for each in (exchanged, half))


def test_a_signer_whose_certificate_has_ended_is_refused_also_among_records_that_were_signed_in_time() -> None:
    known = primed(PRIMARY, 1)
    record = a_class(PRIMARY, 1)[0]
    assert slot(record, PRINCIPAL, known).is_alike
    assert isinstance(same(record, PRINCIPAL, known, now="2050-05-29T22:00:00+07:00"), tuple)


def test_a_signer_who_is_no_longer_trusted_is_refused() -> None:
    known = primed(PRIMARY, 1)
    record = a_class(PRIMARY, 1)[0]
    nobody = Office(trust=Trust(signing=(pki.issue("Khác", pki.rsa_key(9)).der,), timestamping=(), intermediates=(), allow_sha1=False))
    assert OFFICE.trust is TRUST
    assert isinstance(same(record, PRINCIPAL, known, nobody), tuple)
    assert slot(record, PRINCIPAL, known).is_alike


def test_classes_of_several_teachers_are_known_beside_one_another() -> None:
    known: Memory[KnownRecords] = Memory()
    teachers = range(KINDS_MAX - 1)
    for _ in range(2):
        for teacher in teachers:
            for each in a_class(PRIMARY, 1, teacher):
                slot(each, PRINCIPAL, known)
    for teacher in teachers:
        assert slot(a_class(PRIMARY, 1, teacher)[0], PRINCIPAL, known).is_alike


def test_more_kinds_than_are_kept_are_read_whole_and_cost_no_memory() -> None:
    known: Memory[KnownRecords] = Memory()
    for _ in range(2):
        for teacher in range(KINDS_MAX + 3):
            for each in a_class(PRIMARY, 1, teacher % 12)[:3]:
                same(each, PRINCIPAL, known)
    assert known.count <= 2


def test_records_of_a_class_whose_teacher_renewed_a_certificate_are_read_by_their_texts_again() -> None:
    known = primed(PRIMARY, 1)
    found = [slot(each, PRINCIPAL, known) for each in a_class(PRIMARY, 1, 3)]
    assert not found[0].is_alike
    assert sum(each.is_alike for each in found) >= 2


@pytest.mark.parametrize(("layout", "place"), [(PRIMARY, 1), (PRIMARY, 2), (MULTI_LEVEL, len(TEACHERS) + 1)])
def test_xmlsec1_accepts_every_signature_of_a_record_read_by_its_texts(layout: RecordLayout, place: int, tmp_path: Path) -> None:
    cas = tmp_path / "root.pem", tmp_path / "ca.pem"
    for file, issued in zip(cas, (pki.root(), pki.authority()), strict=True):
        file.write_bytes(issued.pem)
    known, record = primed(layout, place), a_class(layout, place)[0]
    reply = slot(record, ORDER[layout][place], known)
    assert reply.is_alike
    signed = xmls.complete(record, reply.examined, xmls.signer(), XmlProfile.MINISTRY)
    count = len(SIGNATURE.findall(signed))
    assert count == place + 1
    assert all(xml_verdicts.xmlsec1(signed, cas, tmp_path, number) for number in range(count))
    assert xml_verdicts.signxml(signed, cas, tmp_path, count - 1) is not None
    assert SIGNATURE.findall(record) == [each for each in SIGNATURE.findall(signed) if each in record]


def test_other_xml_that_was_signed_before_is_read_by_its_texts_and_signed_again() -> None:
    known: Memory[Pattern] = Memory()
    documents = [
        xmls.enveloped(b"<bang><dong Id='dong'>%d</dong><ky/></bang>" % number, place="/bang/ky", uri="#dong") for number in range(5)
    ]
    options = XadesOptions(reference_id="dong", placement_xpath="/bang/ky")
    found = [xades(each, known, options) for each in documents]
    assert [each.is_alike for each in found] == [False, False, True, True, True]
    assert [without_time(each) for each in found] == [without_time(xades(each, Memory(), options)) for each in documents]
