"""What xmlsec1 and signxml say of the XML signatures we make: two implementations that share no line with ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree
from signxml.verifier import XMLVerifier
from signxml.xades.xades import XAdESVerifier

from signer.algorithms import KeyFamily, Padding, SignatureAlgorithm
from signer.formats.xml.names import Canonicalization
from signer.model import RecordSlot
from tests.support import pki, xml_verdicts, xmls

PARTS = (
    '<?xml version="1.0"?>\r\n<!-- hồ sơ --><ho_so xmlns="urn:ho-so" xmlns:b="urn:b" xml:lang="vi">'
    '<part Id="một" xmlns="" xml:space="preserve">'
    '<b:x b:a="1" a="&lt;&#9;&quot;"/>Điểm &amp; <![CDATA[<nhận xét>]]></part><part Id="hai" xmlns=""><x/>\r\n</part><b:ky/><ky2 /></ho_so>'
).encode()


@pytest.fixture
def cas(tmp_path: Path) -> tuple[Path, Path]:
    made = tmp_path / "root.pem", tmp_path / "ca.pem"
    for file, issued in zip(made, (pki.root(), pki.authority()), strict=True):
        file.write_bytes(issued.pem)
    return made


def accepted(signed: bytes, cas: tuple[Path, Path], number: int = 0, kind: type[XMLVerifier] = XMLVerifier) -> tuple[bool, bool]:
    """By xmlsec1, and by signxml."""
    folder = cas[0].parent
    return xml_verdicts.xmlsec1(signed, cas, folder, number), xml_verdicts.signxml(signed, cas, folder, number, kind=kind) is not None


@pytest.mark.parametrize("method", Canonicalization)
@pytest.mark.parametrize("algorithm", SignatureAlgorithm)
def test_both_judges_accept_every_algorithm_and_canonicalisation(
    cas: tuple[Path, Path], algorithm: SignatureAlgorithm, method: Canonicalization
) -> None:
    by = xmls.signer(algorithm)
    record = xmls.in_slot(xmls.record(), RecordSlot.PRINCIPAL, by, canonicalization=method.value, transforms=(method.value,))
    stamped = xmls.enveloped(xmls.record(), by, method=method, stamp=xmls.STAMP)
    enveloping = xmls.enveloping(xmls.record(), by, method=method)
    is_known_to_xmlsec1 = algorithm.padding is not Padding.PSS  # version 1.2 does not have it
    for signed, kind in ((record, XMLVerifier), (stamped, XAdESVerifier), (enveloping, XAdESVerifier)):
        assert accepted(signed, cas, kind=kind) == (is_known_to_xmlsec1, True)


def test_both_accept_the_second_and_the_third_signature_and_the_first_still(cas: tuple[Path, Path]) -> None:
    signed = xmls.record()
    for number, slot in enumerate(xmls.SLOTS):
        signed = xmls.in_slot(signed, slot, xmls.signer(number=number))
    assert [accepted(signed, cas, number) for number in range(3)] == [(True, True)] * 3


@pytest.mark.parametrize("method", Canonicalization)
def test_xmlsec1_accepts_parts_under_namespaces_and_xml_attributes(cas: tuple[Path, Path], method: Canonicalization) -> None:
    signed = xmls.enveloped(PARTS, place="/*/b:ky", uri="#một", method=method)
    signed = xmls.enveloped(signed, xmls.signer(number=1), place="/*/*[4]", uri="#hai", method=method)
    assert [xml_verdicts.xmlsec1(signed, cas, cas[0].parent, number) for number in (0, 1)] == [True, True]


def test_xmlsec1_accepts_a_signature_around_a_document_with_namespaces(cas: tuple[Path, Path]) -> None:
    signed = xmls.enveloping(PARTS.replace(b"<ho_so ", b'<ho_so xmlns:ds="urn:other" '))
    assert xml_verdicts.xmlsec1(signed, cas, cas[0].parent)


@pytest.mark.parametrize(("old", "new"), [(b"DEMO", b"DEMI"), (b"2026-05-29T22:00:00+07:00</Sig", b"2026-05-28T22:00:00+07:00</Sig")])
def test_a_changed_byte_of_data_or_time_is_rejected_by_both(cas: tuple[Path, Path], old: bytes, new: bytes) -> None:
    signed = xmls.in_slot(xmls.record(), RecordSlot.PRINCIPAL)
    assert accepted(signed, cas) == (True, True)
    changed = signed.replace(old, new, 1)
    assert changed != signed
    assert accepted(changed, cas) == (False, False)


def test_another_key_is_rejected_by_both(cas: tuple[Path, Path]) -> None:
    impostor = xmls.Signer(pki.Issued(xmls.signer().issued.x509, pki.rsa_key(66)))
    assert accepted(xmls.in_slot(xmls.record(), RecordSlot.PRINCIPAL, impostor), cas) == (False, False)


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
