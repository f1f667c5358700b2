"""XML documents signed as the daemon signs them: records of the demo, and other XML."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import cache, partial

from signer.algorithms import DigestAlgorithm, SignatureAlgorithm
from signer.demo.ministry_xml import RecordLayout, render_xml
from signer.demo.pupils import generate_class
from signer.formats.xml.detached import examine_detached
from signer.formats.xml.examine import examine, examine_enveloping
from signer.formats.xml.names import ENVELOPED_SIGNATURE, Canonicalization
from signer.formats.xml.reading import read
from signer.formats.xml.search import Finder
from signer.formats.xml.template import XmlProfile, XmlTemplate
from signer.formats.xml.values import Examined
from signer.model import RecordSlot, SlotRequest, XmlReference
from signer.validation.trust import TrustAnchors
from signer.validation.xml import SlotExpectation
from tests.support import pdfs, pki

RSA = SignatureAlgorithm.RSA_PKCS1_SHA256
SIGNED_AT = datetime(2026, 5, 29, 22, 0, tzinfo=timezone(timedelta(hours=7)))
LATER = datetime(2026, 6, 1, tzinfo=UTC)
TRUST = TrustAnchors(signing=(pki.root().der,), timestamping=(pki.root().der,))
INCLUSIVE = Canonicalization.C14N_10.value
SLOTS = {
    RecordSlot.HOMEROOM_TEACHER: ("/HOC_BA/DANH_SACH_THONG_TIN_KY/GVCN", "#thongtinhocba", "/HOC_BA/DU_LIEU_HOC_BA/THONG_TIN_HOC_BA"),
    RecordSlot.PRINCIPAL: ("/HOC_BA/PHAT_HANH_HOC_BA/THONG_TIN_KY/CBQL", "#data", "/HOC_BA/DU_LIEU_HOC_BA"),
    RecordSlot.SEAL: ("/HOC_BA/PHAT_HANH_HOC_BA/KY_PHAT_HANH", "#data", "/HOC_BA/DU_LIEU_HOC_BA"),
}
"""Of the multi-level layout: place, URI and target."""


@dataclass(frozen=True)
class Signer:
    """Who signs, and with what."""

    issued: pki.Issued
    algorithm: SignatureAlgorithm = RSA
    chain: tuple[bytes, ...] = (pki.authority().der,)

    def sign(self, octets: bytes) -> bytes:
        """What a token answers."""
        return pki.sign(self.issued.key, self.algorithm, hashlib.new(self.algorithm.digest.value, octets).digest())

    def template(self, profile: XmlProfile) -> XmlTemplate:
        return XmlTemplate.build(self.issued.der, self.chain, self.algorithm, profile)


@cache
def signer(algorithm: SignatureAlgorithm = RSA, number: int = 0) -> Signer:
    """The same for the same number, all through a test run."""
    return Signer(pki.issue(f"Nguyễn Thị Hạnh {number}", pki.key_for(algorithm, number), pki.authority()), algorithm)


@cache
def record(number: int = 0) -> bytes:
    """A pupil's record in the multi-level layout, unsigned."""
    school_class = generate_class()
    return render_xml(school_class, school_class.pupils[number], RecordLayout.MULTI_LEVEL)


def slot_request(slot: RecordSlot, *, canonicalization: str = INCLUSIVE, transforms: tuple[str, ...] = ()) -> SlotRequest:
    place, uri, target = SLOTS[slot]
    return SlotRequest(place, (XmlReference(uri, target, DigestAlgorithm.SHA256, transforms),), canonicalization)


def expectation(slot: RecordSlot) -> SlotExpectation:
    return SlotExpectation(slot, slot_request(slot))


EXPECTATIONS = tuple(expectation(slot) for slot in SLOTS)
Stamp = Callable[[bytes], bytes]
"""From the bytes to cover to a TimeStampToken over them."""
STAMP: Stamp = partial(pdfs.timestamp_token, at=SIGNED_AT)


def complete(document: bytes, examined: Examined, by: Signer, profile: XmlProfile, stamp: Stamp | None = None) -> bytes:
    """The signed file. stamp: makes a timestamp, for B-T."""
    template = by.template(profile)
    prepared = template.prepare(document, examined, SIGNED_AT)
    signature = by.sign(prepared.to_be_signed)
    timestamp = None if stamp is None else stamp(prepared.stamped_bytes(signature))
    return template.additions(prepared, signature, timestamp).merge(document)


def in_slot(document: bytes, slot: RecordSlot, by: Signer | None = None, **request: object) -> bytes:
    """The record, signed in one slot by the Ministry's profile."""
    asked_for = slot_request(slot, **request)  # type: ignore[arg-type]
    return complete(document, examine(Finder(read(document)), asked_for), by or signer(), XmlProfile.MINISTRY)


def enveloped(
    document: bytes,
    by: Signer | None = None,
    *,
    place: str = "/*",
    uri: str = "",
    method: Canonicalization = Canonicalization.C14N_10,
    stamp: Stamp | None = None,
) -> bytes:
    """XAdES, the whole document or the element of an Id."""
    by = by or signer()
    transforms = (ENVELOPED_SIGNATURE, method.value)
    request = SlotRequest(place, (XmlReference(uri, "", by.algorithm.digest, transforms),), method.value)
    return complete(document, examine(Finder(read(document)), request, alone=False), by, XmlProfile.XADES, stamp)


def enveloping(
    document: bytes, by: Signer | None = None, *, method: Canonicalization = Canonicalization.C14N_10, stamp: Stamp | None = None
) -> bytes:
    """XAdES around the document."""
    by = by or signer()
    return complete(document, examine_enveloping(read(document), method.value, by.algorithm.digest), by, XmlProfile.XADES, stamp)


def detached(content: bytes, uri: str = "bang-diem.bin", by: Signer | None = None) -> bytes:
    """XAdES beside any bytes."""
    by = by or signer()
    return complete(content, examine_detached(content, uri, by.algorithm.digest, INCLUSIVE), by, XmlProfile.XADES)
