"""`SignerClient.validation` against the real daemon."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from signer.client import SignerClient
from signer.errors import CredentialNotFound, DocumentUnsupported, InvalidArgument
from tests.e2e.test_client_batches import client_of
from tests.support import cms, pdfs, pki
from tests.support.archive import Archive
from tests.support.daemon import SCHOOL, Running

CARD = pdfs.report_card(pages=1, compress=False)
CONTENT = b"content"


@pytest.fixture(scope="module")
def client(archive_cas: Archive, archive_daemon: Running) -> Iterator[SignerClient]:
    with client_of(archive_cas.world, archive_daemon.port) as made:
        yield made


def test_a_document_is_judged_with_a_sentence_for_people(client: SignerClient, archive_world: Archive) -> None:
    signed = pdfs.signed(CARD, signer=archive_world.issue(), chain=(archive_world.authority,))
    verdict = client.validation.validate(signed, offline=True)
    [signature] = verdict.signatures
    assert (verdict.passed, signature.indication, signature.level, signature.later_changes) == (True, "TOTAL_PASSED", "B_B", "NONE")
    assert (signature.signer.split(",")[0], signature.revocation, signature.proven_time) == ("CN=Teacher (DEMO)", "UNKNOWN", None)
    assert signature.claimed_time is not None
    assert verdict.summary_vi.startswith("Tài liệu hợp lệ: 1 chữ ký")
    soon = datetime.now(UTC) + timedelta(days=30)
    expiring = pdfs.signed(CARD, signer=archive_world.issue(not_after=soon), chain=(archive_world.authority,))
    late = client.validation.validate(expiring, offline=True, at=soon + timedelta(days=1))
    assert (late.passed, late.signatures[0].sub_indication) == (False, "OUT_OF_BOUNDS_NO_POE")


def test_many_documents_of_any_size_have_a_verdict_each_in_their_order(client: SignerClient) -> None:
    large = cms.signed(bytes(6_000_000), pki.issue("Stranger", pki.rsa_key(1)), attached=True)
    documents = [("unsigned", CARD), ("junk", b"junk"), ("large", large)]
    found = list(client.validation.validate_all(documents, offline=True))
    assert [each.document_id for each in found] == ["unsigned", "junk", "large"]
    assert found[0].verdict is not None
    assert (found[0].verdict.indication, found[0].verdict.signatures) == ("", ())
    assert isinstance(found[1].error, DocumentUnsupported)
    assert found[2].verdict is not None
    assert found[2].verdict.indication == "INDETERMINATE"


def test_a_detached_signature_is_judged_with_its_content(client: SignerClient, archive_world: Archive) -> None:
    encoded = cms.signed(CONTENT, archive_world.issue(), chain=(archive_world.authority,))
    assert client.validation.validate(encoded, content=CONTENT, offline=True).passed
    assert client.validation.validate(encoded, content=b"other", offline=True).indication == "TOTAL_FAILED"


def test_certificates_are_checked_and_anchors_listed(client: SignerClient, archive_world: Archive) -> None:
    checked = client.validation.check_credential(SCHOOL, "seal")
    assert (checked.may_sign, checked.revocation, checked.source[:5]) == (True, "GOOD", "ocsp:")
    stranger = client.validation.check_certificate(pki.issue("Stranger", pki.rsa_key(1)).der)
    assert (stranger.may_sign, stranger.sub_indication) == (False, "NO_CERTIFICATE_CHAIN_FOUND")
    assert archive_world.authority.x509.subject.rfc4514_string() in [each.subject for each in client.validation.trust_anchors()]
    assert {each.purposes for each in client.validation.trust_anchors()} == {("SIGNING", "VALIDATION", "TIMESTAMP")}
    with pytest.raises(CredentialNotFound):
        client.validation.check_credential(SCHOOL, "nobody")
    with pytest.raises(InvalidArgument):
        client.validation.check_certificate(b"x")
