"""Signed, timestamped and archived in one request: levels B-LT and B-LTA of SignDocument and BatchSignDocuments."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from signer.errors import CertificateRevoked, CertificateStatusUnavailable, InvalidArgument
from signer.v1 import common_pb2, plan_pb2
from tests.support import judges, long_term, pdfs, pki
from tests.support.archive import Archive
from tests.support.calls import fresh_id, intents, plan, refused, sign_batch, sign_document

B_LT, LTA = common_pb2.LEVEL_B_LT, common_pb2.LEVEL_B_LTA
PASSED = "AdESPassed.OK"
LATER = timedelta(days=365 * 6)
CLASS = 4


@pytest.fixture(scope="module")
def cards() -> dict[str, bytes]:
    return {f"pupil-{number}": pdfs.report_card(number) for number in range(CLASS)}


def key_uses(archive_world: Archive, request_id: str) -> list[str]:
    """Intents of a request: one a document, however often it is repeated."""
    return sorted(intents(archive_world.world.folder / "journal.db", request_id))


def test_a_class_is_signed_and_archived_in_one_request(
    archive_channel: grpc.Channel, archive_world: Archive, cards: dict[str, bytes]
) -> None:
    request_id = fresh_id()
    signed = sign_batch(archive_channel, cards, plan=plan("gvcn", LTA, field_name="GVCN"), request_id=request_id)
    assert signed.reasons() == {}
    for result in signed.results:
        content = signed.contents[result.index]
        assert content.startswith(cards[result.document_id])
        assert long_term.valid_now(content, pki.root().der) == [True, True]
        assert long_term.judged(content, pki.root().der, datetime.now(UTC) + LATER) == [PASSED]
        assert (result.info.level, result.info.credential_id) == (LTA, "gvcn")
        assert result.info.signed_sha256 == hashlib.sha256(content).digest()
    again = sign_batch(archive_channel, cards, plan=plan("gvcn", LTA, field_name="GVCN"), request_id=request_id)
    assert again.signed() == signed.signed()
    assert all(result.replayed for result in again.results)
    assert key_uses(archive_world, request_id) == sorted(cards)


def test_signers_follow_one_another_each_at_the_highest_level(archive_channel: grpc.Channel, cards: dict[str, bytes]) -> None:
    document = cards["pupil-0"]
    for label in ("gvcn", "cbql", "seal"):
        document = sign_document(archive_channel, document, plan=plan(label, LTA, field_name=label)).content
    assert long_term.judged(document, pki.root().der) == [PASSED] * 3
    assert long_term.valid_now(document, pki.root().der) == [True] * 6


def test_one_document_at_b_lt_has_its_validation_data(archive_channel: grpc.Channel, cards: dict[str, bytes]) -> None:
    signed = sign_document(archive_channel, cards["pupil-1"], plan=plan("gvcn", B_LT))
    assert long_term.valid_now(signed.content, pki.root().der) == [True]
    assert len(judges.signatures(signed.content)) == 1


@pytest.mark.parametrize("trouble", ["revoked", "silent"])
def test_no_key_is_used_for_a_certificate_that_is_revoked_or_unknown(
    archive_channel: grpc.Channel, archive_world: Archive, cards: dict[str, bytes], trouble: str
) -> None:
    if trouble == "revoked":
        archive_world.serve(archive_world.leaves["cbql"])
    else:
        archive_world.silence()
    request_id = fresh_id()
    with refused(CertificateRevoked if trouble == "revoked" else CertificateStatusUnavailable):
        sign_document(archive_channel, cards["pupil-2"], plan=plan("cbql", LTA), request_id=request_id)
    assert key_uses(archive_world, request_id) == []
    archive_world.serve()


def test_a_level_missed_after_the_signature_is_reached_by_a_repeat_without_another_key_use(
    archive_channel: grpc.Channel, archive_world: Archive, cards: dict[str, bytes]
) -> None:
    """The authority's certificate is looked up after the key was used: revoked for a moment, by mistake."""
    request_id = fresh_id()
    archive_world.serve(archive_world.leaves["tsa"])
    failed = sign_batch(archive_channel, cards, plan=plan("gvcn", LTA), request_id=request_id)
    assert set(failed.reasons().values()) == {"CERTIFICATE_REVOKED"}
    assert all("signed and kept" in result.status.message for result in failed.results)
    archive_world.serve()
    completed = sign_batch(archive_channel, cards, plan=plan("gvcn", LTA), request_id=request_id)
    assert completed.reasons() == {}
    assert key_uses(archive_world, request_id) == sorted(cards)
    for content in completed.contents.values():
        assert long_term.judged(content, pki.root().der) == [PASSED]
    assert sign_batch(archive_channel, cards, plan=plan("gvcn", LTA), request_id=request_id).signed() == completed.signed()


def test_stored_outcomes_need_no_ca(archive_channel: grpc.Channel, archive_world: Archive, cards: dict[str, bytes]) -> None:
    request_id = fresh_id()
    signed = sign_batch(archive_channel, cards, plan=plan("gvcn", B_LT), request_id=request_id)
    archive_world.silence()
    again = sign_batch(archive_channel, cards, plan=plan("gvcn", B_LT), request_id=request_id)
    assert again.signed() == signed.signed()


def test_what_needs_its_document_cannot_be_parked(archive_channel: grpc.Channel, cards: dict[str, bytes]) -> None:
    shortage = plan_pb2.TIMESTAMP_SHORTAGE_PARK
    with refused(InvalidArgument, field="plan.timestamp_shortage"):
        sign_document(archive_channel, cards["pupil-3"], plan=plan("gvcn", LTA, timestamp_shortage=shortage))
