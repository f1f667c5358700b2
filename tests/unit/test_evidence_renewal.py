from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.algorithms import DigestAlgorithm
from signer.errors import DocumentDamaged, InvalidArgument, VerificationFailed
from signer.formats.evidence import (
    Coverage,
    EvidenceRecord,
    Proof,
    build_groups,
    evidence_record,
    hash_tree_digests,
    read_evidence_record,
    renewed_by_hash_tree,
    renewed_by_timestamp,
    timestamp_digests,
    verify,
)
from signer.timestamp.archived import ArchiveJudge
from tests.support import pki, rfc4998
from tests.support.stamping import stamp

SHA256, SHA512 = DigestAlgorithm.SHA256, DigestAlgorithm.SHA512
DOCUMENTS = [b"document %d" % number for number in range(5)]
YEAR = timedelta(days=365)
FIRST = datetime(2025, 5, 30, tzinfo=UTC)


def digest(document: bytes, algorithm: DigestAlgorithm = SHA256) -> bytes:
    return hashlib.new(algorithm.value, document).digest()


def digests(*documents: bytes) -> dict[DigestAlgorithm, list[bytes]]:
    return {algorithm: [digest(document, algorithm) for document in documents] for algorithm in DigestAlgorithm}


@cache
def root() -> pki.Issued:
    ends = datetime(2060, 1, 1, tzinfo=UTC)
    return pki.issue("Root dài hạn (DEMO)", pki.rsa_key(120), is_ca=True, not_after=ends)


@cache
def tsa(year: int) -> pki.Issued:
    """A timestamp authority whose certificate is valid for two years from the first of January on."""
    begins, ends = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 2, 1, 1, tzinfo=UTC)
    usages = (ExtendedKeyUsageOID.TIME_STAMPING,)
    return pki.issue(f"TSA {year} (DEMO)", pki.rsa_key(121), root(), usages=usages, not_before=begins, not_after=ends)


def stamped(digest_: bytes, algorithm: DigestAlgorithm, at: datetime, authority: pki.Issued | None = None) -> bytes:
    return stamp(digest_, algorithm, at, authority or tsa(at.year))


@cache
def fresh() -> tuple[EvidenceRecord, ...]:
    """Of a class of five, stamped in May 2025; the last one of all five together."""
    tree = build_groups([*([digest(document)] for document in DOCUMENTS), [digest(document) for document in DOCUMENTS]], SHA256)
    timestamp = stamped(tree.root, SHA256, FIRST)
    return tuple(evidence_record(timestamp, tree.reduced(number), SHA256) for number in range(len(DOCUMENTS) + 1))


@cache
def judge() -> ArchiveJudge:
    return ArchiveJudge([root().der])


def proof(record: EvidenceRecord, *documents: bytes, at: datetime) -> Proof:
    return verify(read_evidence_record(record.encoded()), digests(*documents), judge(), at)


def by_timestamp(records: tuple[EvidenceRecord, ...], at: datetime) -> tuple[EvidenceRecord, ...]:
    """All of one class: they share their timestamps."""
    tree = build_groups([timestamp_digests(records[0])], records[0].last.algorithm)
    timestamp = stamped(tree.root, tree.algorithm, at)
    return tuple(renewed_by_timestamp(record, timestamp, tree.reduced(0)) for record in records)


def by_hash_tree(records: tuple[EvidenceRecord, ...], at: datetime, algorithm: DigestAlgorithm = SHA512) -> tuple[EvidenceRecord, ...]:
    """documents: one for each record, and all for the last."""
    subjects = [*([document] for document in DOCUMENTS), DOCUMENTS]
    groups = [
        hash_tree_digests(record, [digest(document, algorithm) for document in documents], algorithm)
        for record, documents in zip(records, subjects, strict=True)
    ]
    tree = build_groups(groups, algorithm)
    timestamp = stamped(tree.root, algorithm, at)
    return tuple(renewed_by_hash_tree(record, timestamp, tree.reduced(number), algorithm) for number, record in enumerate(records))


def test_one_new_timestamp_renews_a_whole_class() -> None:
    renewed = by_timestamp(fresh(), FIRST + YEAR)
    for number, document in enumerate(DOCUMENTS):
        found = proof(renewed[number], document, at=FIRST + 2 * YEAR)
        assert (found.proven_time, found.renew_before) == (FIRST, datetime(2028, 1, 1, tzinfo=UTC))
        assert [one.gen_time for one in rfc4998.stamps_that_prove(renewed[number].encoded(), [document])] == [FIRST, FIRST + YEAR]
    assert proof(renewed[-1], *DOCUMENTS, at=FIRST + 2 * YEAR).proven_time == FIRST
    with pytest.raises(VerificationFailed, match="not renewed in time"):
        proof(fresh()[0], DOCUMENTS[0], at=FIRST + 2 * YEAR)


def test_classes_with_different_timestamps_are_renewed_by_one() -> None:
    others = tuple(evidence_record(stamped(digest(DOCUMENTS[number]), SHA256, FIRST), (), SHA256) for number in range(3))
    records = (*others, *fresh())
    tree = build_groups([timestamp_digests(record) for record in records], SHA256)
    timestamp = stamped(tree.root, SHA256, FIRST + YEAR)
    for number, record in enumerate(records[:-1]):
        renewed = renewed_by_timestamp(record, timestamp, tree.reduced(number))
        document = DOCUMENTS[number if number < 3 else number - 3]
        assert proof(renewed, document, at=FIRST + 2 * YEAR).proven_time == FIRST
        assert len(rfc4998.stamps_that_prove(renewed.encoded(), [document])) == 2
        with pytest.raises(InvalidArgument, match="last timestamp"):
            renewed_by_timestamp(record, timestamp, tree.reduced(3 if number < 2 else 0))  # not its sibling's, which is the same


def test_a_new_hash_tree_with_another_digest_renews_a_whole_class() -> None:
    renewed = by_hash_tree(fresh(), FIRST + YEAR)
    for number, document in enumerate(DOCUMENTS):
        found = proof(renewed[number], document, at=FIRST + 2 * YEAR)
        assert (found.proven_time, [len(chain) for chain in found.timestamps]) == (FIRST, [1, 1])
        assert renewed[number].algorithms == (SHA256, SHA512)
        assert [one.digest for one in rfc4998.stamps_that_prove(renewed[number].encoded(), [document])] == ["sha256", "sha512"]
        with pytest.raises(VerificationFailed, match="chain 1 does not cover"):
            proof(renewed[number], b"forged", at=FIRST + 2 * YEAR)
    whole = renewed[-1]
    assert proof(whole, *DOCUMENTS, at=FIRST + 2 * YEAR).proven_time == FIRST
    assert len(rfc4998.stamps_that_prove(whole.encoded(), DOCUMENTS)) == 2
    assert Coverage.of(whole).unmatched([digests(document) for document in DOCUMENTS[1:]]) == 1


def test_decades_of_renewals_stand_and_openssl_accepts_every_timestamp(tmp_path: Path) -> None:
    records, at = fresh(), FIRST
    for renew in (by_timestamp, by_hash_tree, by_timestamp, by_timestamp, by_hash_tree, by_timestamp):
        at += YEAR
        records = renew(records, at)
    found = proof(records[2], DOCUMENTS[2], at=at)
    assert [len(chain) for chain in found.timestamps] == [2, 3, 2]
    stamps = rfc4998.stamps_that_prove(records[2].encoded(), [DOCUMENTS[2]])
    assert len(stamps) == 7
    assert all(rfc4998.openssl_accepts(one, root().pem, tmp_path) for one in stamps)
    assert proof(records[-1], *DOCUMENTS, at=at).proven_time == FIRST


def test_a_renewal_begins_with_the_very_bytes_that_it_renews() -> None:
    before = fresh()[1]
    for renewed in (by_timestamp(fresh(), FIRST + YEAR)[1], by_hash_tree(fresh(), FIRST + YEAR)[1]):
        assert renewed.chains[0][0].encoded == before.chains[0][0].encoded
        again = read_evidence_record(renewed.encoded())
        assert again.encoded() == renewed.encoded()


def test_a_gap_in_renewals_is_not_bridged() -> None:
    late = by_timestamp(fresh(), datetime(2027, 1, 2, tzinfo=UTC))
    with pytest.raises(VerificationFailed, match="not renewed while it was valid") as refused:
        proof(late[0], DOCUMENTS[0], at=datetime(2027, 6, 1, tzinfo=UTC))
    assert refused.value.metadata["check"] == "order"


def swapped(records: tuple[EvidenceRecord, ...]) -> EvidenceRecord:
    first, second = records[0].chains[0]
    return replace(records[0], chains=((second, first),))


def borrowed(records: tuple[EvidenceRecord, ...]) -> EvidenceRecord:
    """A genuine ArchiveTimeStamp that covers another timestamp."""
    return replace(records[0], chains=((records[0].chains[0][0], records[0].chains[0][0]),))


def earlier(records: tuple[EvidenceRecord, ...]) -> EvidenceRecord:
    (digest_,) = timestamp_digests(records[0])
    return renewed_by_timestamp(records[0], stamped(digest_, SHA256, FIRST - timedelta(days=1)), ())


def without_the_first_chain(_: tuple[EvidenceRecord, ...]) -> EvidenceRecord:
    renewed = by_hash_tree(fresh(), FIRST + YEAR)[0]
    return replace(renewed, chains=renewed.chains[1:])


def first_chain_of_another(_: tuple[EvidenceRecord, ...]) -> EvidenceRecord:
    one, other = (by_hash_tree(fresh(), FIRST + YEAR)[number] for number in (0, 4))
    return replace(one, chains=(other.chains[0], one.chains[1]))


def first_chain_extended(_: tuple[EvidenceRecord, ...]) -> EvidenceRecord:
    """A timestamp slipped in behind a hash tree's back."""
    one = by_hash_tree(fresh(), FIRST + YEAR)[0]
    return replace(one, chains=(by_timestamp(fresh(), FIRST + timedelta(days=3))[0].chains[0], one.chains[1]))


def algorithm_changed_within_a_chain(records: tuple[EvidenceRecord, ...]) -> EvidenceRecord:
    timestamp = stamped(digest(records[0].last.timestamp, SHA512), SHA512, FIRST + YEAR)
    other = evidence_record(timestamp, (), SHA512)
    return replace(records[0], chains=((*records[0].chains[0], other.last),))


FORGERIES: dict[str, tuple[Callable[[tuple[EvidenceRecord, ...]], EvidenceRecord], str]] = {
    "swapped": (swapped, "coverage"),
    "borrowed": (borrowed, "renewal"),
    "earlier": (earlier, "order"),
    "without the first chain": (without_the_first_chain, "coverage"),
    "first chain of another": (first_chain_of_another, "coverage"),
    "first chain extended": (first_chain_extended, "coverage"),
}


@pytest.mark.parametrize(("forge", "check"), FORGERIES.values(), ids=FORGERIES)
def test_each_forged_history_is_refused_by_its_name(forge: Callable[[tuple[EvidenceRecord, ...]], EvidenceRecord], check: str) -> None:
    records = fresh() if forge is earlier else by_timestamp(fresh(), FIRST + YEAR)
    forged = forge(records)
    with pytest.raises(VerificationFailed) as refused:
        proof(forged, DOCUMENTS[0], at=FIRST + YEAR)
    assert refused.value.metadata["check"] == check
    with pytest.raises((rfc4998.NotProved, VerificationFailed)):
        rfc4998.stamps_that_prove(forged.encoded(), [DOCUMENTS[0]])


def test_a_chain_keeps_its_digest_algorithm() -> None:
    forged = algorithm_changed_within_a_chain(fresh())
    with pytest.raises(VerificationFailed, match="another digest algorithm"):
        verify(forged, digests(DOCUMENTS[0]), judge(), FIRST + YEAR)
    with pytest.raises(DocumentDamaged, match="digestAlgorithms does not name"):
        read_evidence_record(forged.encoded())


def test_a_record_of_a_time_when_its_authority_was_valid_is_judged_as_of_then() -> None:
    old = pki.issue("Root cũ (DEMO)", pki.rsa_key(122), is_ca=True, not_before=datetime(2010, 1, 1, tzinfo=UTC), not_after=FIRST)
    usages = (ExtendedKeyUsageOID.TIME_STAMPING,)
    begins, ends = datetime(2011, 1, 1, tzinfo=UTC), datetime(2013, 1, 1, tzinfo=UTC)
    authority = pki.issue("TSA 2011 (DEMO)", pki.rsa_key(121), old, usages=usages, not_before=begins, not_after=ends)
    at = datetime(2012, 5, 30, tzinfo=UTC)
    record = evidence_record(stamped(digest(DOCUMENTS[0]), SHA256, at, authority), (), SHA256)
    judge_of_old = ArchiveJudge([old.der])
    assert verify(record, digests(DOCUMENTS[0]), judge_of_old, at + timedelta(days=1)).renew_before == ends
    with pytest.raises(VerificationFailed, match="not renewed in time"):
        verify(record, digests(DOCUMENTS[0]), judge_of_old, FIRST)
