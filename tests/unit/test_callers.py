"""From certificates to clients."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from signer.access.callers import Caller, CallerTable
from signer.access.settings import ClientSettings
from signer.demo.tls_pki import TlsPki
from signer.errors import CallerUnknown, SchoolNotFound
from signer.people.client import Client, ClientCertificate, ClientKind, Window

PKI = TlsPki.create()
SCHOOL = PKI.client("school").certificate
RENEWED = PKI.client("school").certificate
OTHER = PKI.client("other").certificate
NOW = datetime(2026, 5, 29, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)


def pem(certificate: object) -> bytes:
    return certificate.public_bytes(Encoding.PEM)  # type: ignore[attr-defined,no-any-return]


def identified(table: CallerTable, certificate: object, now: datetime = NOW) -> Caller:
    return table.identify(pem(certificate), now)


def sha256(certificate: object) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()  # type: ignore[attr-defined,no-any-return]


def test_a_client_is_known_by_its_common_name() -> None:
    table = CallerTable([ClientSettings("a", common_name="school", schools=("1",))])
    caller = identified(table, SCHOOL)
    assert (caller.client_id, caller.schools, caller.is_operator) == ("a", frozenset({"1"}), False)
    assert identified(table, RENEWED).client_id == "a", "a renewed certificate of the same name is the same client"


@pytest.mark.parametrize("name", ["School", "school ", "", "schoo", "school2"])
def test_names_are_compared_exactly(name: str) -> None:
    with pytest.raises(CallerUnknown):
        identified(CallerTable([ClientSettings("a", common_name=name, certificate_sha256=(sha256(OTHER),))]), SCHOOL)


def test_a_client_is_known_by_its_certificate_alone() -> None:
    table = CallerTable([ClientSettings("a", certificate_sha256=(sha256(SCHOOL),), operator=True)])
    assert identified(table, SCHOOL).is_operator
    with pytest.raises(CallerUnknown):
        identified(table, RENEWED)


def test_a_fingerprint_may_be_written_as_openssl_prints_it() -> None:
    printed = ":".join(sha256(SCHOOL)[at : at + 2] for at in range(0, 64, 2)).upper()
    assert identified(CallerTable([ClientSettings("a", certificate_sha256=(printed,))]), SCHOOL).client_id == "a"


def test_name_and_certificate_together_must_both_match() -> None:
    both = CallerTable([ClientSettings("a", common_name="school", certificate_sha256=(sha256(SCHOOL), sha256(RENEWED)))])
    assert identified(both, SCHOOL).client_id == "a"
    wrong_name = CallerTable([ClientSettings("a", common_name="other", certificate_sha256=(sha256(SCHOOL),))])
    with pytest.raises(CallerUnknown) as caught:
        identified(wrong_name, SCHOOL)
    assert caught.value.metadata["certificateSha256"] == sha256(SCHOOL)


def test_a_client_without_name_and_certificate_is_nobody() -> None:
    """Configuration refuses such an entry; if one came in all the same, it must not match everybody."""
    with pytest.raises(CallerUnknown):
        identified(CallerTable([ClientSettings("a")]), SCHOOL)


@pytest.mark.parametrize("raw", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_nobody(raw: bytes) -> None:
    with pytest.raises(CallerUnknown):
        CallerTable([ClientSettings("a", common_name="school")]).identify(raw, NOW)


def test_many_certificates_are_told_apart_however_often_they_come() -> None:
    table = CallerTable([ClientSettings("a", common_name="school"), ClientSettings("b", common_name="other")])
    for _ in range(3):
        assert [identified(table, one).client_id for one in (SCHOOL, OTHER, RENEWED)] == ["a", "b", "a"]


def test_a_caller_speaks_for_its_schools_only_and_others_look_as_if_they_did_not_exist() -> None:
    caller = identified(CallerTable([ClientSettings("a", common_name="school", schools=("1", "2"))]), SCHOOL)
    caller.require_school("1")
    messages = []
    for school in ("3", "no-such"):
        with pytest.raises(SchoolNotFound) as caught:
            caller.require_school(school)
        messages.append(caught.value.message.replace(repr(school), "…"))
    assert messages[0] == messages[1]


def kept(*certificates: object, **changes: object) -> Client:
    """A client that operators keep."""
    some = tuple(each if isinstance(each, ClientCertificate) else ClientCertificate(sha256(each)) for each in certificates)
    client = Client("k", ClientKind.SCHOOL_SOFTWARE, "", frozenset({"1"}), some, etag="1")
    return replace(client, **changes)  # type: ignore[arg-type]


def refused(table: CallerTable, certificate: object, now: datetime = NOW) -> str:
    with pytest.raises(CallerUnknown) as caught:
        identified(table, certificate, now)
    return caught.value.message


def test_a_kept_client_is_known_by_any_of_its_certificates_and_before_the_configuration() -> None:
    table = CallerTable([ClientSettings("a", common_name="school", schools=("1",))])
    assert identified(table, SCHOOL).client_id == "a"
    table.put(kept(SCHOOL, OTHER))
    assert [identified(table, each).client_id for each in (SCHOOL, OTHER, RENEWED)] == ["k", "k", "a"]


def test_a_revoked_certificate_is_nobodys_whatever_the_configuration_says() -> None:
    table = CallerTable([ClientSettings("a", common_name="school")])
    table.put(kept(ClientCertificate(sha256(SCHOOL), revoked=True), OTHER))
    assert "revoked" in refused(table, SCHOOL)
    assert identified(table, OTHER).client_id == "k", "its other certificate goes on"


def test_a_change_holds_from_the_next_call_on_also_for_a_certificate_that_was_known() -> None:
    table = CallerTable()
    table.put(kept(SCHOOL))
    assert identified(table, SCHOOL).schools == {"1"}
    table.put(kept(SCHOOL, school_ids=frozenset({"2"})))
    assert identified(table, SCHOOL).schools == {"2"}
    table.put(kept(SCHOOL, disabled=True))
    assert "disabled" in refused(table, SCHOOL)
    table.put(kept(RENEWED))
    assert "of no client" in refused(table, SCHOOL), "a certificate that was taken out is a stranger's"


def test_certificates_overlap_while_they_are_rotated() -> None:
    table = CallerTable()
    old = ClientCertificate(sha256(SCHOOL), Window(None, NOW + HOUR))
    new = ClientCertificate(sha256(RENEWED), Window(NOW - HOUR, None))
    table.put(kept(old, new))
    for when in (NOW, NOW + HOUR - timedelta(microseconds=1)):
        assert [identified(table, each, when).client_id for each in (SCHOOL, RENEWED)] == ["k", "k"]
    assert "not accepted at this time" in refused(table, SCHOOL, NOW + HOUR), "half open: the end is outside"
    assert "not accepted at this time" in refused(table, RENEWED, NOW - 2 * HOUR)


def test_a_disabled_school_is_closed_to_its_clients_and_looks_foreign_to_others() -> None:
    table = CallerTable([ClientSettings("a", common_name="school", schools=("1", "2")), ClientSettings("b", common_name="other")])
    table.close_schools(frozenset({"1"}))
    caller = identified(table, SCHOOL)
    caller.require_school("2")
    with pytest.raises(SchoolNotFound, match="disabled"):
        caller.require_school("1")
    with pytest.raises(SchoolNotFound) as foreign:
        identified(table, OTHER).require_school("1")
    assert "disabled" not in foreign.value.message
    table.close_schools(frozenset())
    identified(table, SCHOOL).require_school("1")


@pytest.mark.parametrize("kind", ClientKind)
def test_only_operators_and_auditors_that_name_no_school_see_all(kind: ClientKind) -> None:
    table = CallerTable()
    for schools in (frozenset[str](), frozenset({"1"})):
        table.put(kept(SCHOOL, kind=kind, school_ids=schools))
        caller = identified(table, SCHOOL)
        assert caller.sees_all == (kind in {ClientKind.OPERATOR, ClientKind.AUDITOR} and not schools)
        assert caller.is_operator == (kind is ClientKind.OPERATOR)


def test_an_operator_of_the_configuration_whose_schools_are_all_closed_does_not_see_all_for_that() -> None:
    table = CallerTable([ClientSettings("a", common_name="school", schools=("1",), operator=True)])
    table.close_schools(frozenset({"1"}))
    with pytest.raises(SchoolNotFound):
        identified(table, SCHOOL).require_school("2")
