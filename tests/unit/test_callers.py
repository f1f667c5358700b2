"""From certificates to clients."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from signer.access.callers import CallerTable
from signer.access.settings import ClientSettings
from signer.demo.tls_pki import TlsPki
from signer.errors import CallerUnknown, SchoolNotFound

PKI = TlsPki.create()
SCHOOL = PKI.client("school").certificate
RENEWED = PKI.client("school").certificate
OTHER = PKI.client("other").certificate


def pem(certificate: object) -> bytes:
    return certificate.public_bytes(Encoding.PEM)  # type: ignore[attr-defined,no-any-return]


def sha256(certificate: object) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()  # type: ignore[attr-defined,no-any-return]


def test_a_client_is_known_by_its_common_name() -> None:
    table = CallerTable([ClientSettings("a", common_name="school", schools=("1",))])
    caller = table.identify(pem(SCHOOL))
    assert (caller.client_id, caller.schools, caller.is_operator) == ("a", frozenset({"1"}), False)
    assert table.identify(pem(RENEWED)).client_id == "a", "a renewed certificate of the same name is the same client"


@pytest.mark.parametrize("name", ["School", "school ", "", "schoo", "school2"])
def test_names_are_compared_exactly(name: str) -> None:
    with pytest.raises(CallerUnknown):
        CallerTable([ClientSettings("a", common_name=name, certificate_sha256=(sha256(OTHER),))]).identify(pem(SCHOOL))


def test_a_client_is_known_by_its_certificate_alone() -> None:
    table = CallerTable([ClientSettings("a", certificate_sha256=(sha256(SCHOOL),), operator=True)])
    assert table.identify(pem(SCHOOL)).is_operator
    with pytest.raises(CallerUnknown):
        table.identify(pem(RENEWED))


def test_a_fingerprint_may_be_written_as_openssl_prints_it() -> None:
    printed = ":".join(sha256(SCHOOL)[at : at + 2] for at in range(0, 64, 2)).upper()
    assert CallerTable([ClientSettings("a", certificate_sha256=(printed,))]).identify(pem(SCHOOL)).client_id == "a"


def test_name_and_certificate_together_must_both_match() -> None:
    both = CallerTable([ClientSettings("a", common_name="school", certificate_sha256=(sha256(SCHOOL), sha256(RENEWED)))])
    assert both.identify(pem(SCHOOL)).client_id == "a"
    wrong_name = CallerTable([ClientSettings("a", common_name="other", certificate_sha256=(sha256(SCHOOL),))])
    with pytest.raises(CallerUnknown) as caught:
        wrong_name.identify(pem(SCHOOL))
    assert caught.value.metadata["certificateSha256"] == sha256(SCHOOL)


def test_a_client_without_name_and_certificate_is_nobody() -> None:
    """Configuration refuses such an entry; if one came in all the same, it must not match everybody."""
    with pytest.raises(CallerUnknown):
        CallerTable([ClientSettings("a")]).identify(pem(SCHOOL))


@pytest.mark.parametrize("raw", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_nobody(raw: bytes) -> None:
    with pytest.raises(CallerUnknown):
        CallerTable([ClientSettings("a", common_name="school")]).identify(raw)


def test_many_certificates_are_told_apart_however_often_they_come() -> None:
    table = CallerTable([ClientSettings("a", common_name="school"), ClientSettings("b", common_name="other")])
    for _ in range(3):
        assert [table.identify(pem(one)).client_id for one in (SCHOOL, OTHER, RENEWED)] == ["a", "b", "a"]


def test_a_caller_speaks_for_its_schools_only_and_others_look_as_if_they_did_not_exist() -> None:
    caller = CallerTable([ClientSettings("a", common_name="school", schools=("1", "2"))]).identify(pem(SCHOOL))
    caller.require_school("1")
    messages = []
    for school in ("3", "no-such"):
        with pytest.raises(SchoolNotFound) as caught:
            caller.require_school(school)
        messages.append(caught.value.message.replace(repr(school), "…"))
    assert messages[0] == messages[1]
