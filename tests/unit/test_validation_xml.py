"""What verification says of XML signatures: fresh ones, later ones, changed ones, wrapped ones."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from lxml import etree

from signer.algorithms import SignatureAlgorithm
from signer.errors import DocumentTooCostly, InvalidArgument
from signer.formats.xml.names import Canonicalization
from signer.model import Level, Profile, RecordSlot
from signer.validation.report import Coverage, DocumentReport, Indication, SignatureReport
from signer.validation.trust import TrustAnchors
from signer.validation.xml import SIGNATURES_MAX, verify_xml
from tests.support import pdfs, pki, xmls
from tests.support.c14n import by_the_book

SLOT = RecordSlot.PRINCIPAL
RECORD = xmls.in_slot(xmls.record(), SLOT)
ENVELOPED = xmls.enveloped(xmls.record())
STAMPED = xmls.enveloped(xmls.record(), stamp=xmls.STAMP)
PARTS = b'<don><phan Id="a">m\xe1\xbb\x99t</phan><phan Id="b">hai</phan><ky/></don>'
PASSED = (Indication.TOTAL_PASSED, "")
FORMAT = (Indication.TOTAL_FAILED, "FORMAT_FAILURE")
HASH = (Indication.TOTAL_FAILED, "HASH_FAILURE")


def verify(
    document: bytes, *, at: datetime = xmls.LATER, trust: TrustAnchors = xmls.TRUST, detached: bytes | None = None
) -> DocumentReport:
    return verify_xml(document, trust, at, detached=detached)


def verify_record(document: bytes) -> DocumentReport:
    return verify_xml(document, xmls.TRUST, xmls.LATER, slots=xmls.EXPECTATIONS)


def only(report: DocumentReport) -> SignatureReport:
    (found,) = report.signatures
    return found


def verdict(found: SignatureReport) -> tuple[Indication, str]:
    return found.indication, found.sub_indication


def changed(document: bytes, old: bytes, new: bytes) -> bytes:
    assert old in document
    return document.replace(old, new, 1)


def test_a_record_s_signature_passes_in_its_slot() -> None:
    report = verify_record(RECORD)
    found = only(report)
    assert (report.indication, report.problems) == (Indication.TOTAL_PASSED, ())
    assert (found.profile, found.level, found.coverage, found.slot) == (Profile.MINISTRY_XML, Level.B_B, Coverage.DOCUMENT, SLOT)
    assert found.claimed_time == xmls.SIGNED_AT
    assert found.certificate == xmls.signer().issued.der
    assert found.chain[-1] == pki.root().x509.subject.rfc4514_string()
    assert [(each.slot, bool(each.signature), each.references_right) for each in report.slots] == [
        (RecordSlot.HOMEROOM_TEACHER, False, False),
        (RecordSlot.PRINCIPAL, True, True),
        (RecordSlot.SEAL, False, False),
    ]


OTHERS = (
    '<Signature xmlns="http://www.w3.org/2000/09/xmldsig#" Id="sigid"><SignedInfo>'
    '<CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315" />'
    '<SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256" />{}{}</SignedInfo>'
    "<SignatureValue>\n{}</SignatureValue>"
    "<KeyInfo><X509Data><X509SubjectName>CN=x</X509SubjectName><X509Certificate>{}</X509Certificate><X509Certificate>{}</X509Certificate>"
    '</X509Data></KeyInfo><Object Id="SigningTime"><SignatureProperties xmlns=""><SignatureProperty Target="#sigid">'
    '<SigningTime xmlns="http://example.org/#signatureProperties">2026-05-29T15:00:00Z</SigningTime></SignatureProperty>'
    "</SignatureProperties></Object></Signature>"
)
OTHERS_REFERENCE = (
    '<Reference URI="{}"><Transforms><Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature" /></Transforms>'
    '<DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256" /><DigestValue>{}</DigestValue></Reference>'
)


def signed_by_other_software() -> bytes:
    """As .NET's SignedXml makes it, with the properties in no namespace and the Object referenced."""
    before, after = xmls.record().split(b"<CBQL/>")
    by = xmls.signer()

    def filled(digests: tuple[str, str], value: str) -> etree._Element:
        references = [OTHERS_REFERENCE.format(uri, digest) for uri, digest in zip(("#data", "#SigningTime"), digests, strict=True)]
        certificates = [base64.b64encode(each).decode() for each in (by.issued.der, pki.authority().der)]
        text = OTHERS.format(*references, value, *certificates).encode()
        return etree.fromstring(before + b"<CBQL>" + text + b"</CBQL>" + after)

    def digest(root: etree._Element, tag: str) -> str:
        octets = by_the_book(next(root.iter(tag)), Canonicalization.C14N_10)
        return base64.b64encode(hashlib.sha256(octets).digest()).decode()

    digests = tuple(digest(filled(("", ""), ""), tag) for tag in ("DU_LIEU_HOC_BA", "{http://www.w3.org/2000/09/xmldsig#}Object"))
    signed_info = next(filled((digests[0], digests[1]), "").iter("{http://www.w3.org/2000/09/xmldsig#}SignedInfo"))
    value = base64.encodebytes(by.sign(by_the_book(signed_info, Canonicalization.C14N_10))).decode()
    return etree.tostring(filled((digests[0], digests[1]), value))


def test_other_software_s_signature_in_the_same_slot_passes_too() -> None:
    found = only(verify_record(signed_by_other_software()))
    assert (verdict(found), found.profile, found.coverage) == (PASSED, Profile.MINISTRY_XML, Coverage.DOCUMENT)
    assert found.claimed_time == xmls.SIGNED_AT


def test_every_signature_of_a_record_passes_after_the_third() -> None:
    signed = xmls.record()
    for number, slot in enumerate(xmls.SLOTS):
        signed = xmls.in_slot(signed, slot, xmls.signer(number=number))
    report = verify_record(signed)
    assert [(verdict(each), each.slot) for each in report.signatures] == [(PASSED, slot) for slot in xmls.SLOTS]
    assert all(each.references_right for each in report.slots)


@pytest.mark.parametrize("method", Canonicalization)
@pytest.mark.parametrize("algorithm", SignatureAlgorithm)
def test_every_algorithm_and_canonicalisation_passes(algorithm: SignatureAlgorithm, method: Canonicalization) -> None:
    for sign in (xmls.enveloped, xmls.enveloping):
        found = only(verify(sign(xmls.record(), xmls.signer(algorithm), method=method)))
        assert (verdict(found), found.algorithm, found.profile, found.level) == (PASSED, algorithm, Profile.XADES, Level.B_B)


def test_a_detached_signature_passes_with_its_file_alone() -> None:
    signature = xmls.detached(b"diem")
    assert verdict(only(verify(signature, detached=b"diem"))) == PASSED
    assert verdict(only(verify(signature, detached=b"DIEM"))) == HASH
    assert verdict(only(verify(signature))) == (Indication.INDETERMINATE, "SIGNED_DATA_NOT_FOUND")


def test_a_signature_of_a_part_passes_but_not_the_document() -> None:
    report = verify(xmls.enveloped(PARTS, place="/don/ky", uri="#a"))
    assert verdict(only(report)) == PASSED
    assert only(report).coverage is Coverage.PARTIAL
    assert report.indication is Indication.INDETERMINATE


def test_a_document_without_signature_is_indeterminate() -> None:
    assert verify(xmls.record()).indication is Indication.INDETERMINATE


def test_a_style_sheet_keeps_a_document_from_passing() -> None:
    report = verify(changed(ENVELOPED, b"<HOC_BA>", b'<?xml-stylesheet href="a.xsl"?><HOC_BA>'))
    assert report.indication is not Indication.TOTAL_PASSED
    assert any("style sheet" in each for each in report.problems)


def test_a_valid_timestamp_raises_the_level_and_its_removal_drops_it() -> None:
    found = only(verify(STAMPED))
    assert (found.level, found.proven_time, found.timestamp is not None) == (Level.B_T, xmls.SIGNED_AT, True)
    removed = re.sub(rb"<xades:UnsignedProperties>.*</xades:UnsignedProperties>", b"", STAMPED)
    assert removed != STAMPED
    found = only(verify(removed))
    assert (verdict(found), found.level, found.proven_time) == (PASSED, Level.B_B, None)


@pytest.mark.parametrize(
    "stamp",
    [
        partial(pdfs.timestamp_token, at=xmls.SIGNED_AT, imprint_of=b"other"),
        partial(pdfs.timestamp_token, at=xmls.LATER + timedelta(days=2)),
        lambda _octets: b"no token",
    ],
    ids=["of something else", "from the future", "none"],
)
def test_a_timestamp_that_does_not_stand_proves_nothing(stamp: xmls.Stamp) -> None:
    found = only(verify(xmls.enveloped(xmls.record(), stamp=stamp)))
    assert (verdict(found), found.level, found.proven_time) == (PASSED, Level.B_B, None)
    assert any("timestamp" in each for each in found.problems)


def test_a_timestamp_proves_the_time_of_a_certificate_that_has_expired() -> None:
    issued = pki.issue("Hết hạn", pki.rsa_key(3), pki.authority(), not_after=datetime(2026, 12, 31, tzinfo=UTC))
    after = datetime(2028, 1, 1, tzinfo=UTC)
    by = xmls.Signer(issued)
    assert verdict(only(verify(xmls.enveloped(PARTS, by, stamp=xmls.STAMP), at=after))) == PASSED
    assert verdict(only(verify(xmls.enveloped(PARTS, by), at=after))) == (Indication.INDETERMINATE, "OUT_OF_BOUNDS_NO_POE")


def test_a_chain_that_stood_is_not_taken_for_one_at_another_time() -> None:
    issued = pki.issue("Nhớ", pki.rsa_key(3), pki.authority(), not_after=datetime(2026, 12, 31, tzinfo=UTC))
    signed = xmls.enveloped(PARTS, xmls.Signer(issued))
    assert verdict(only(verify(signed))) == PASSED
    assert verdict(only(verify(signed, at=datetime(2027, 1, 1, tzinfo=UTC)))) == (Indication.INDETERMINATE, "OUT_OF_BOUNDS_NO_POE")


def test_signers_of_no_anchor_or_for_other_things_do_not_pass() -> None:
    stranger = xmls.Signer(pki.issue("Người lạ", pki.rsa_key(4)), chain=())
    assert only(verify(xmls.enveloped(PARTS, stranger))).indication is Indication.INDETERMINATE
    tsa = pki.issue("TSA", pki.rsa_key(4), pki.authority(), usages=(ExtendedKeyUsageOID.TIME_STAMPING,))
    found = only(verify(xmls.enveloped(PARTS, xmls.Signer(tsa))))
    assert verdict(found) == (Indication.INDETERMINATE, "CHAIN_CONSTRAINTS_FAILURE")


def test_another_key_than_the_certificate_s_fails() -> None:
    impostor = xmls.Signer(pki.Issued(xmls.signer().issued.x509, pki.rsa_key(66)))
    assert verdict(only(verify_record(xmls.in_slot(xmls.record(), SLOT, impostor)))) == (Indication.TOTAL_FAILED, "SIG_CRYPTO_FAILURE")


def test_another_certificate_of_the_same_key_is_not_what_xades_names() -> None:
    renewed = pki.issue("Cùng khóa", xmls.signer().issued.key, pki.authority())
    signed = xmls.enveloped(PARTS)
    assert isinstance(renewed.x509, x509.Certificate)
    found = only(verify(changed(signed, base64.b64encode(xmls.signer().issued.der), base64.b64encode(renewed.der))))
    assert verdict(found) == (Indication.INDETERMINATE, "NO_SIGNING_CERTIFICATE_FOUND")


def test_every_changed_character_of_what_is_signed_fails() -> None:
    signed = xmls.enveloped(PARTS)
    data = range(signed.index(b">m") + 1, signed.index(b"</phan>"))
    for at in data:
        tampered = signed[:at] + b"x" + signed[at + 1 :]
        try:
            tampered.decode()
        except UnicodeDecodeError:
            continue
        assert verdict(only(verify(tampered))) == HASH


TAMPERED: dict[str, tuple[bytes, bytes]] = {
    "signing time": (b"2026-05-29T22:00:00+07:00</", b"2026-05-28T22:00:00+07:00</"),
    "digest": (b"<DigestValue>", b"<DigestValue>AAAA"),
    "reference": (b'URI="#data"', b'URI="#thongtinhocba"'),
    "algorithm": (b"#rsa-sha256", b"#rsa-sha512"),
    "signature value": (b"<SignatureValue>", b"<SignatureValue>AAAA"),
    "base64 cut by a comment": (b"<DigestValue>", b"<DigestValue><!-- x -->"),
    "two values": (b"<SignatureValue>", b"<SignatureValue>AA==</SignatureValue><SignatureValue>"),
    "HMAC": (b"xmldsig-more#rsa-sha256", b"xmldsig-more#hmac-sha256"),
    "SHA-1": (b"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", b"http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
    "XPath": (
        b"<DigestMethod",
        b'<Transforms><Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><XPath>1</XPath></Transform></Transforms><DigestMethod',
    ),
    "XSLT": (
        b"<DigestMethod",
        b'<Transforms><Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/></Transforms><DigestMethod',
    ),
    "C14N with prefixes": (
        b'<CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315">',
        b'<CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"><x/>',
    ),
    "reference without URI": (b'<Reference URI="#data">', b"<Reference>"),
    "XPointer": (b'URI="#data"', b"URI=\"#xpointer(id('data'))\""),
    "reference elsewhere": (b'URI="#data"', b'URI="http://127.0.0.1:9/data"'),
    "foreign element": (b"<SignatureValue>", b"<x/><SignatureValue>"),
    "no certificate": (b"X509Certificate>", b"X509CRL>"),
}


@pytest.mark.parametrize(("old", "new"), TAMPERED.values(), ids=TAMPERED)
def test_a_tampered_signature_never_passes(old: bytes, new: bytes) -> None:
    tampered = RECORD.replace(old, new) if old == b"X509Certificate>" else changed(RECORD, old, new)
    report = verify_record(tampered)
    assert only(report).indication is not Indication.TOTAL_PASSED
    assert report.indication is not Indication.TOTAL_PASSED


DATA = re.compile(rb'<DU_LIEU_HOC_BA Id="data">.*</DU_LIEU_HOC_BA>', re.DOTALL)
SIGNATURE = re.compile(rb"<Signature .*</Signature>", re.DOTALL)


def forged(document: bytes) -> bytes:
    """The data with other marks."""
    found = DATA.search(document)
    assert found
    return changed(found[0], b"DEMO", b"FORGED")


def original(document: bytes) -> bytes:
    found = DATA.search(document)
    assert found
    return found[0]


def moved_into_an_object(document: bytes) -> bytes:
    hidden = b"<Object>" + original(document).replace(b"<DU_LIEU_HOC_BA ", b'<DU_LIEU_HOC_BA xmlns="" ') + b"</Object></Signature>"
    return DATA.sub(forged(document).replace(b'Id="data"', b'Id="data2"'), document).replace(b"</Signature>", hidden)


def moved_beside(document: bytes) -> bytes:
    return DATA.sub(forged(document).replace(b'Id="data"', b'Id="data2"') + b"<CU>" + original(document) + b"</CU>", document)


def twice_with_the_forged_first(document: bytes) -> bytes:
    return DATA.sub(forged(document) + b"<CU>" + original(document) + b"</CU>", document)


def twice_with_the_forged_last(document: bytes) -> bytes:
    return DATA.sub(b"<CU>" + original(document) + b"</CU>" + forged(document), document)


def twice_under_another_name_of_id(document: bytes) -> bytes:
    return DATA.sub(forged(document).replace(b'Id="data"', b'ID="data"') + b"<CU>" + original(document) + b"</CU>", document)


def twice_under_xml_id(document: bytes) -> bytes:
    return DATA.sub(forged(document).replace(b'Id="data"', b'xml:id="data"') + b"<CU>" + original(document) + b"</CU>", document)


def twice_by_character_reference(document: bytes) -> bytes:
    return DATA.sub(forged(document).replace(b'Id="data"', b'Id="d&#97;ta"') + b"<CU>" + original(document) + b"</CU>", document)


def wrapped_whole(document: bytes) -> bytes:
    start, end = document.index(b"<HOC_BA>"), document.rindex(b"</HOC_BA>") + len(b"</HOC_BA>")
    return document[:start] + b"<HOC_BA>" + forged(document).replace(b'Id="data"', b"") + document[start:end] + b"</HOC_BA>"


def in_another_slot(document: bytes) -> bytes:
    found = SIGNATURE.search(document)
    assert found
    return (
        SIGNATURE.sub(b"", document)
        .replace(b"<KY_PHAT_HANH/>", b"<KY_PHAT_HANH>" + found[0] + b"</KY_PHAT_HANH>")
        .replace(b"<GVCN/>", b"<GVCN>" + found[0] + b"</GVCN>")
    )


def in_no_slot(document: bytes) -> bytes:
    found = SIGNATURE.search(document)
    assert found
    return SIGNATURE.sub(b"", document).replace(b"</HOC_BA>", found[0] + b"</HOC_BA>")


def twice_in_the_slot(document: bytes) -> bytes:
    found = SIGNATURE.search(document)
    assert found
    return SIGNATURE.sub(found[0] + found[0], document)


def with_an_unsigned_time(document: bytes) -> bytes:
    """A second signing time beside the one that is signed, and the reference's Id on neither."""
    return changed(document, b'-time" Target', b'-other" Target')


WRAPPED: tuple[Callable[[bytes], bytes], ...] = (
    moved_into_an_object,
    moved_beside,
    twice_with_the_forged_first,
    twice_with_the_forged_last,
    twice_under_another_name_of_id,
    twice_under_xml_id,
    twice_by_character_reference,
    wrapped_whole,
    in_another_slot,
    in_no_slot,
    twice_in_the_slot,
    with_an_unsigned_time,
)


@pytest.mark.parametrize("wrap", WRAPPED, ids=lambda wrap: wrap.__name__)
def test_a_wrapped_signature_never_passes(wrap: Callable[[bytes], bytes]) -> None:
    wrapped = wrap(RECORD)
    report = verify_record(wrapped)
    assert wrapped != RECORD
    assert report.indication is not Indication.TOTAL_PASSED
    if wrap is not in_another_slot:  # there the seal's slot asks for the same data: it is the homeroom teacher's that is wrong
        assert not any(each.references_right for each in report.slots)
    assert verify(wrapped).indication is not Indication.TOTAL_PASSED


def test_an_enveloped_signature_around_which_something_stands_does_not_pass() -> None:
    assert verify(b"<x>" + PARTS + xmls.enveloped(PARTS) + b"</x>").indication is Indication.TOTAL_FAILED


def test_an_unsigned_object_in_a_signature_keeps_the_document_from_passing() -> None:
    report = verify(changed(xmls.enveloped(PARTS), b"</ds:Signature>", b"<ds:Object>unsigned</ds:Object></ds:Signature>"))
    assert report.indication is Indication.INDETERMINATE


def test_unsigned_xades_properties_are_not_believed() -> None:
    plain = xmls.in_slot(xmls.record(), SLOT)
    properties = re.search(rb"<xades:QualifyingProperties.*</xades:QualifyingProperties>", STAMPED)
    identity = re.search(rb'<Signature Id="([^"]*)"|<Signature xmlns="[^"]*" Id="([^"]*)"', plain)
    assert properties
    assert identity
    added = re.sub(rb'Target="[^"]*"', b'Target="#' + (identity[1] or identity[2]) + b'"', properties[0], count=1)
    added = b'<Object xmlns:ds="http://www.w3.org/2000/09/xmldsig#">' + added + b"</Object></Signature>"
    assert verdict(only(verify_record(changed(plain, b"</Signature>", added)))) == FORMAT


def test_a_comment_put_into_signed_text_is_told() -> None:
    found = only(verify(changed(ENVELOPED, b"DEMO", b"DE<!-- -->MO")))
    assert verdict(found) == PASSED
    assert any("comments" in each for each in found.problems)


def test_more_signatures_than_any_document_has_are_refused() -> None:
    signature = b'<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"/>'
    with pytest.raises(DocumentTooCostly):
        verify(b"<a>" + signature * (SIGNATURES_MAX + 1) + b"</a>")


def test_references_are_digested_up_to_a_bound() -> None:
    reference = re.search(rb"<ds:Reference [^>]*>.*?</ds:Reference>", ENVELOPED)
    assert reference
    large = ENVELOPED.replace(b"</HOC_BA>", b"<!-- " + b"x" * 9_000_000 + b" --></HOC_BA>")
    signature = re.search(rb"<ds:Signature .*</ds:Signature>", large)
    assert signature
    many = signature[0].replace(reference[0], reference[0].replace(b'URI=""', b'URI="#nothing"') * 99)
    with pytest.raises(DocumentTooCostly):
        verify(large.replace(signature[0], many * 2))


def test_a_moment_without_zone_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        verify(ENVELOPED, at=datetime(2026, 6, 1))  # noqa: DTZ001
