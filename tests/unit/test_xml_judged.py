"""What xmlsec1 and signxml say of the XML signatures we make: two implementations that share no line with ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree
from signxml.exceptions import InvalidDigest, InvalidSignature

from signer.algorithms import KeyFamily, Padding, SignatureAlgorithm
from signer.formats.xml.names import Canonicalization
from signer.model import RecordSlot
from tests.support import pki, xml_judges, xmls

PARTS = (
    '<?xml version="1.0"?>\r\n<!-- hồ sơ --><ho_so xmlns="urn:ho-so" xmlns:b="urn:b" xml:lang="vi">'
    '<part Id="một" xmlns="" xml:space="preserve">'
    '<b:x b:a="1" a="&lt;&#9;&quot;"/>Điểm &amp; <![CDATA[<nhận xét>]]></part><part Id="hai" xmlns=""><x/>\r\n</part><b:ky/><ky2 /></ho_so>'
).encode()


@pytest.mark.parametrize("method", Canonicalization)
@pytest.mark.parametrize("algorithm", SignatureAlgorithm)
def test_both_judges_accept_every_algorithm_and_canonicalisation(
    tmp_path: Path, algorithm: SignatureAlgorithm, method: Canonicalization
) -> None:
    by = xmls.signer(algorithm)
    record = xmls.in_slot(xmls.record(), RecordSlot.PRINCIPAL, by, canonicalization=method.value, transforms=(method.value,))
    xml_judges.signxml(record, tmp_path)
    stamped = xmls.enveloped(xmls.record(), by, method=method, stamp=xmls.STAMP)
    xml_judges.signxml(stamped, tmp_path, xades=True)
    enveloping = xmls.enveloping(xmls.record(), by, method=method)
    xml_judges.signxml(enveloping, tmp_path, xades=True)
    if algorithm.padding is not Padding.PSS:  # xmlsec1 1.2 does not know it
        assert all(xml_judges.xmlsec1(each, tmp_path) for each in (record, stamped, enveloping))


def test_xmlsec1_accepts_the_second_and_the_third_signature_and_the_first_still(tmp_path: Path) -> None:
    signed = xmls.record()
    for number, slot in enumerate(xmls.SLOTS):
        signed = xmls.in_slot(signed, slot, xmls.signer(number=number))
    assert [xml_judges.xmlsec1(signed, tmp_path, signature=number) for number in (1, 2, 3)] == [True, True, True]


@pytest.mark.parametrize("method", Canonicalization)
def test_xmlsec1_accepts_parts_under_namespaces_and_xml_attributes(tmp_path: Path, method: Canonicalization) -> None:
    signed = xmls.enveloped(PARTS, place="/*/b:ky", uri="#một", method=method)
    signed = xmls.enveloped(signed, xmls.signer(number=1), place="/*/*[4]", uri="#hai", method=method)
    assert [xml_judges.xmlsec1(signed, tmp_path, signature=number) for number in (1, 2)] == [True, True]


def test_xmlsec1_accepts_a_signature_around_a_document_with_namespaces(tmp_path: Path) -> None:
    signed = xmls.enveloping(PARTS.replace(b"<ho_so ", b'<ho_so xmlns:ds="urn:other" '))
    assert xml_judges.xmlsec1(signed, tmp_path)


def test_a_changed_byte_is_rejected_by_both(tmp_path: Path) -> None:
    signed = xmls.in_slot(xmls.record(), RecordSlot.PRINCIPAL)
    changed = signed.replace(b"DEMO", b"DEMI", 1)
    assert changed != signed
    assert not xml_judges.xmlsec1(changed, tmp_path)
    with pytest.raises((InvalidDigest, InvalidSignature)):
        xml_judges.signxml(changed, tmp_path)


def test_another_key_is_rejected_by_both(tmp_path: Path) -> None:
    impostor = xmls.Signer(pki.Issued(xmls.signer().issued.x509, pki.rsa_key(66)))
    signed = xmls.in_slot(xmls.record(), RecordSlot.PRINCIPAL, impostor)
    assert not xml_judges.xmlsec1(signed, tmp_path)
    with pytest.raises(InvalidSignature):
        xml_judges.signxml(signed, tmp_path)


def test_a_changed_signing_time_is_rejected_by_both(tmp_path: Path) -> None:
    signed = xmls.in_slot(xmls.record(), RecordSlot.PRINCIPAL)
    changed = signed.replace(b"2026-05-29T22:00:00+07:00</SigningTime>", b"2026-05-28T22:00:00+07:00</SigningTime>")
    assert changed != signed
    assert not xml_judges.xmlsec1(changed, tmp_path)
    with pytest.raises((InvalidDigest, InvalidSignature)):
        xml_judges.signxml(changed, tmp_path)


def test_the_ministry_s_signature_holds_time_name_and_certificate() -> None:
    by = xmls.signer(SignatureAlgorithm.ECDSA_SHA256)
    assert by.algorithm.family is KeyFamily.EC
    signature = etree.fromstring(xmls.in_slot(xmls.record(), RecordSlot.SEAL, by)).find(".//{*}KY_PHAT_HANH/{*}Signature")
    assert signature is not None
    uris = [each.get("URI") for each in signature.iterfind("{*}SignedInfo/{*}Reference")]
    time = signature.find("{*}Object/{*}SignatureProperties/{*}SignatureProperty")
    assert time is not None
    assert uris == ["#data", f"#{time.get('Id')}"]
    assert time.findtext("{*}SigningTime") == "2026-05-29T22:00:00+07:00"
    assert signature.findtext("{*}KeyInfo/{*}X509Data/{*}X509SubjectName") == by.issued.x509.subject.rfc4514_string()
    assert len(signature.findall("{*}KeyInfo/{*}X509Data/{*}X509Certificate")) == 2
