"""Certificate requests: what is asked for is in them, whatever the words, and what an attribute can't hold is refused by name."""

from __future__ import annotations

import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from signer.algorithms import SignatureAlgorithm
from signer.errors import InvalidArgument
from signer.formats.certificate_request import Subject, assemble_request, encode_name, request_info
from tests.support import pki

words = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60).filter(lambda text: text.strip())


def _request(subject: Subject, algorithm: SignatureAlgorithm = SignatureAlgorithm.ECDSA_SHA256) -> bytes:
    key = pki.key_for(algorithm)
    info = request_info(encode_name(subject), key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    digest = hashlib.new(algorithm.digest.value, info).digest()
    return assemble_request(info, algorithm, pki.sign(key, algorithm, digest))


def made(subject: Subject, algorithm: SignatureAlgorithm) -> x509.CertificateSigningRequest:
    return x509.load_der_x509_csr(_request(subject, algorithm))


@pytest.mark.parametrize("algorithm", [each for each in SignatureAlgorithm if "pss" not in each.value])
def test_a_request_verifies_with_its_own_key(algorithm: SignatureAlgorithm) -> None:
    assert made(Subject("Nguyễn Thị Ánh"), algorithm).is_signature_valid


@settings(max_examples=50)
@given(words, st.lists(words, max_size=4))
def test_any_name_comes_out_as_it_went_in_and_in_order(name: str, units: list[str]) -> None:
    asked = made(Subject(name, organizational_units=units, user_id="MST:0100000000"), SignatureAlgorithm.ECDSA_SHA256).subject
    assert [each.value for each in asked.get_attributes_for_oid(NameOID.COMMON_NAME)] == [name]
    assert [each.value for each in asked.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)] == units
    assert [each.value for each in asked.get_attributes_for_oid(NameOID.COUNTRY_NAME)] == ["VN"]


def test_a_vietnamese_name_may_have_64_letters_however_many_bytes_they_take() -> None:
    name = "Ệ" * 64
    (common_name,) = x509.load_der_x509_csr(_request(Subject(name))).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert common_name.value == name


def test_a_name_is_encoded_as_an_independent_library_does_it() -> None:
    subject = Subject("Lê Ánh", "VN", "Hà Nội", "UBND", ("Sở", "TRƯỜNG"), "CCCD:001", "a@b.vn")
    values = [("VN", NameOID.COUNTRY_NAME), ("Hà Nội", NameOID.LOCALITY_NAME), ("UBND", NameOID.ORGANIZATION_NAME)]
    values += [(unit, NameOID.ORGANIZATIONAL_UNIT_NAME) for unit in ("Sở", "TRƯỜNG")]
    values += [("Lê Ánh", NameOID.COMMON_NAME), ("CCCD:001", NameOID.USER_ID), ("a@b.vn", NameOID.EMAIL_ADDRESS)]
    assert encode_name(subject) == x509.Name([x509.NameAttribute(oid, value) for value, oid in values]).public_bytes()


@pytest.mark.parametrize(
    "subject",
    [Subject(""), Subject("  "), Subject("a", country="VNM"), Subject("a", country="1-"), Subject("x" * 65), Subject("a", email="ế@x")],
)
def test_what_an_attribute_cannot_hold_is_refused(subject: Subject) -> None:
    with pytest.raises(InvalidArgument, match="subject"):
        encode_name(subject)
