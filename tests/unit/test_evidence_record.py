"""Records as others read them, and what ours refuses. The verifier written a second time is tests/support/rfc4998.py."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from signer.algorithms import DigestAlgorithm
from signer.errors import DocumentDamaged, DocumentUnsupported, InvalidArgument, SignerError, VerificationFailed
from signer.formats import der
from signer.formats.evidence import (
    Coverage,
    Proof,
    build,
    build_groups,
    check_timestamps,
    evidence_record,
    evidence_records,
    read_evidence_record,
    verify,
)
from signer.timestamp.archived import ArchiveJudge
from tests.support import pki, rfc4998
from tests.support.stamping import NOW, stamp

SHA256 = DigestAlgorithm.SHA256


def content(number: int) -> bytes:
    return b"document %d" % number


def digests(*contents: bytes, algorithm: DigestAlgorithm = SHA256) -> dict[DigestAlgorithm, list[bytes]]:
    return {algorithm: [hashlib.new(algorithm.value, one).digest() for one in contents]}


@cache
def class_of(count: int, algorithm: DigestAlgorithm = SHA256) -> tuple[bytes, ...]:
    """The records of a class, encoded; the last is of all its documents together."""
    each = [digests(content(number), algorithm=algorithm)[algorithm] for number in range(count)]
    tree = build_groups([*each, [one for (one,) in each]], algorithm)
    return tuple(evidence_records(stamp(tree.root, algorithm), tree))


@cache
def judge() -> ArchiveJudge:
    return ArchiveJudge([pki.root().der])


def proof(encoded: bytes, *contents: bytes, at: datetime = NOW, algorithm: DigestAlgorithm = SHA256) -> Proof:
    return verify(read_evidence_record(encoded), digests(*contents, algorithm=algorithm), judge(), at)


@pytest.mark.parametrize("count", [1, 2, 3, 35, 1_000, 10_000])
def test_every_document_is_proved_by_its_own_record_alone(count: int) -> None:
    records = class_of(count)
    step = max(1, count // 50)
    for number in range(0, count, step):
        found = proof(records[number], content(number))
        assert found.proven_time == NOW
        assert rfc4998.stamps_that_prove(records[number], [content(number)])[0].gen_time == NOW
        with pytest.raises(VerificationFailed, match="does not cover"):
            proof(records[number], content(number) + b" ")
        with pytest.raises(rfc4998.NotProved):
            rfc4998.stamps_that_prove(records[number], [content(number) + b" "])


@pytest.mark.parametrize("algorithm", DigestAlgorithm)
def test_openssl_accepts_the_timestamp_for_the_root_that_a_stranger_computes(tmp_path: Path, algorithm: DigestAlgorithm) -> None:
    encoded = class_of(35, algorithm)[7]
    assert proof(encoded, content(7), algorithm=algorithm).proven_time == NOW
    (found,) = rfc4998.stamps_that_prove(encoded, [content(7)])
    assert found.digest == algorithm.value
    assert rfc4998.openssl_accepts(found, pki.root().pem, tmp_path)
    assert not rfc4998.openssl_accepts(found, pki.issue("Kẻ lạ", pki.rsa_key(5), is_ca=True).pem, tmp_path)


def test_the_class_record_is_about_just_its_documents() -> None:
    everything = [content(number) for number in range(35)]
    whole = class_of(35)[-1]
    assert proof(whole, *everything).proven_time == NOW
    assert len(rfc4998.stamps_that_prove(whole, everything)) == 1
    coverage = Coverage.of(read_evidence_record(whole))
    assert coverage.unmatched([digests(one) for one in everything]) == 0
    assert coverage.unmatched([digests(one) for one in everything[2:]]) == 2
    with pytest.raises(VerificationFailed):
        coverage.check(digests(*everything, b"another"))


def test_a_group_is_proved_with_all_its_members_and_with_no_other() -> None:
    tree = build_groups([digests(b"pdf", b"signature")[SHA256], digests(b"other")[SHA256]], SHA256)
    encoded = next(evidence_records(stamp(tree.root, SHA256), tree))
    assert proof(encoded, b"pdf", b"signature").proven_time == NOW
    assert Coverage.of(read_evidence_record(encoded)).unmatched([digests(b"pdf")]) == 1
    with pytest.raises(VerificationFailed):
        proof(encoded, b"pdf", b"other")
    assert len(rfc4998.stamps_that_prove(encoded, [b"signature", b"pdf"])) == 1


def test_a_record_that_was_read_is_written_as_it_came() -> None:
    for encoded in class_of(35):
        assert read_evidence_record(encoded).encoded() == encoded


def test_what_others_may_leave_out_or_add_is_read_and_kept() -> None:
    timestamp = stamp(digests(b"document")[SHA256][0], SHA256)
    attribute = der.sequence(der.oid("1.2.3"), der.set_of(der.NULL))
    fields = (
        der.integer(1),
        der.sequence(der.sequence(der.oid("2.16.840.1.101.3.4.2.1"))),
        der.tlv(0xA0, attribute),
        der.sequence(der.sequence(der.sequence(der.tlv(0xA1, attribute), timestamp))),
    )
    record = read_evidence_record(der.sequence(*fields))
    assert verify(record, digests(b"document"), judge(), NOW).proven_time == NOW
    assert record.crypto_infos == fields[2]
    assert record.last.encoded in record.encoded()
    single = der.sequence(der.octet_string(digests(b"document")[SHA256][0]))
    alone = der.sequence(*fields[:2], der.sequence(der.sequence(der.sequence(der.tlv(0xA2, single), timestamp))))
    assert verify(read_evidence_record(alone), digests(b"document"), judge(), NOW).proven_time == NOW


def test_a_digest_that_was_not_given_is_asked_for() -> None:
    with pytest.raises(InvalidArgument, match="sha256"):
        proof(class_of(3)[0], b"", algorithm=DigestAlgorithm.SHA512)


def record_of(
    *,
    version: bytes = der.integer(1),
    algorithms: bytes | None = None,
    more: bytes = b"",
    lists: bytes | None = None,
    named: bytes = b"",
    timestamp: bytes | None = None,
    chains: bytes | None = None,
) -> bytes:
    """A record of two documents with one thing of it changed."""
    pair = tuple(sorted(digests(content(0), content(1))[SHA256]))
    tree = der.sequence(*map(der.octet_string, pair)) if lists is None else lists
    token = stamp(build(pair, SHA256).root, SHA256) if timestamp is None else timestamp
    declared = der.sequence(der.sequence(der.oid("2.16.840.1.101.3.4.2.1"), der.NULL)) if algorithms is None else algorithms
    one = der.sequence(der.sequence(der.sequence(named, der.tlv(0xA2, tree), token)))
    return der.sequence(version, declared, more, one if chains is None else chains)


HASH = der.octet_string(bytes(32))
SHA512_IDENTIFIER = der.sequence(der.oid("2.16.840.1.101.3.4.2.3"))
DAMAGED: dict[str, tuple[Callable[[], bytes], type[SignerError]]] = {
    "empty": (lambda: b"", DocumentDamaged),
    "text": (lambda: b"not a record at all", DocumentDamaged),
    "cut": (lambda: class_of(3)[0][:-1], DocumentDamaged),
    "more behind": (lambda: class_of(3)[0] + b"\0", DocumentDamaged),
    "version": (lambda: record_of(version=der.integer(2)), DocumentUnsupported),
    "encrypted": (lambda: record_of(more=der.tlv(0xA1, b"")), DocumentUnsupported),
    "SHA-1": (lambda: record_of(algorithms=der.sequence(der.sequence(der.oid("1.3.14.3.2.26")))), DocumentUnsupported),
    "no algorithms": (lambda: record_of(algorithms=der.sequence()), DocumentDamaged),
    "another algorithm declared": (lambda: record_of(algorithms=der.sequence(SHA512_IDENTIFIER)), DocumentDamaged),
    "another algorithm than the timestamp's": (lambda: record_of(named=der.implicit(0, SHA512_IDENTIFIER)), DocumentDamaged),
    "no chain": (lambda: record_of(chains=der.sequence()), DocumentDamaged),
    "an empty chain": (lambda: record_of(chains=der.sequence(der.sequence())), DocumentDamaged),
    "an empty timestamp": (lambda: record_of(chains=der.sequence(der.sequence(der.sequence()))), DocumentDamaged),
    "no timestamp": (lambda: record_of(timestamp=der.sequence(der.oid("1.2.3"))), DocumentDamaged),
    "an empty tree": (lambda: record_of(lists=b""), DocumentDamaged),
    "an empty list": (lambda: record_of(lists=der.sequence()), DocumentDamaged),
    "a set": (lambda: record_of(lists=der.tlv(der.SET, HASH + HASH)), DocumentDamaged),
    "an integer": (lambda: record_of(lists=der.sequence(HASH, der.integer(7))), DocumentDamaged),
    # What sizes alone would not tell: two hashes as one string, and shorter hashes with a stranger that makes up for them.
    "two hashes in one": (lambda: record_of(lists=der.sequence(der.octet_string(bytes(64)))), DocumentDamaged),
    "shorter hashes and a filler": (
        lambda: record_of(lists=der.sequence(*[der.octet_string(bytes(30))] * 2, b"\x05\x02ab")),
        DocumentDamaged,
    ),
    "65 lists": (lambda: record_of(lists=der.sequence(HASH) * 65), DocumentDamaged),
}


@pytest.mark.parametrize(("make", "error"), DAMAGED.values(), ids=DAMAGED)
def test_what_is_no_record_is_refused_by_a_typed_error(make: Callable[[], bytes], error: type[SignerError]) -> None:
    assert proof(record_of(), content(0)).proven_time == NOW
    with pytest.raises(error):
        read_evidence_record(make())


LIES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a tree of other hashes": (lambda: record_of(lists=der.sequence(der.octet_string(digests(content(0))[SHA256][0]), HASH)), "hash-tree"),
    "a further list": (
        lambda: record_of(lists=der.sequence(*map(der.octet_string, digests(content(0), content(1))[SHA256])) + der.sequence(HASH)),
        "hash-tree",
    ),
    "a timestamp of nobody": (lambda: stranger_record(), "timestamp"),  # noqa: PLW0108  # defined below
}


def stranger_record() -> bytes:
    root = pki.issue("Root của kẻ lạ", pki.rsa_key(110), is_ca=True)
    tsa = pki.issue("TSA lạ", pki.rsa_key(111), root, usages=(ExtendedKeyUsageOID.TIME_STAMPING,))
    tree = build(digests(content(0), content(1))[SHA256], SHA256)
    return evidence_record(stamp(tree.root, SHA256, tsa=tsa), tree.reduced(0), SHA256).encoded()


@pytest.mark.parametrize(("make", "check"), LIES.values(), ids=LIES)
def test_each_lie_is_refused_by_its_name(make: Callable[[], bytes], check: str) -> None:
    with pytest.raises(VerificationFailed) as refused:
        proof(make(), content(0))
    assert refused.value.metadata["check"] == check


def test_a_proof_ends_with_the_first_certificate_on_the_way_to_the_root() -> None:
    encoded = class_of(3)[0]
    assert proof(encoded, content(0)).renew_before == pki.NOT_AFTER
    assert proof(encoded, content(0), at=pki.NOT_AFTER).timestamps[0][0].authority.startswith("CN=TSA (DEMO)")
    with pytest.raises(VerificationFailed, match="not renewed in time") as refused:
        proof(encoded, content(0), at=pki.NOT_AFTER + timedelta(seconds=1))
    assert refused.value.metadata["check"] == "expired"
    short = pki.issue("CA ngắn hạn (DEMO)", pki.authority().key, pki.root(), is_ca=True, not_after=datetime(2028, 1, 1, tzinfo=UTC))
    shorter = ArchiveJudge([pki.root().der, short.der])
    assert check_timestamps(read_evidence_record(encoded), shorter, NOW).renew_before == pki.NOT_AFTER


def test_a_timestamp_of_the_future_proves_nothing_yet() -> None:
    with pytest.raises(VerificationFailed, match="later than the moment"):
        proof(class_of(3)[0], content(0), at=NOW - timedelta(minutes=6))


WHOLE = class_of(35)[7]
TREE_START = WHOLE.index(b"\xa2\x81") + 3
TREE_END = WHOLE.index(read_evidence_record(WHOLE).last.timestamp)


@settings(max_examples=120, deadline=None)
@given(st.integers(TREE_START, TREE_END - 1), st.integers(0, 7))
def test_any_flipped_bit_of_the_hash_tree_fails(position: int, bit: int) -> None:
    changed = bytearray(WHOLE)
    changed[position] ^= 1 << bit
    with pytest.raises((DocumentDamaged, DocumentUnsupported, VerificationFailed)):
        proof(bytes(changed), content(7))
    with pytest.raises((rfc4998.NotProved, ValueError, TypeError, KeyError)):
        rfc4998.stamps_that_prove(bytes(changed), [content(7)])


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 7))
def test_any_flipped_bit_anywhere_fails_or_says_the_same(position: int, bit: int) -> None:
    changed = bytearray(WHOLE)
    changed[position] ^= 1 << bit
    try:
        found = proof(bytes(changed), content(7))
    except (DocumentDamaged, DocumentUnsupported, VerificationFailed):
        return
    # Of a timestamp, version numbers, spare certificates and algorithm parameters are not signed.
    assert position >= TREE_END
    assert found.proven_time == NOW


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=64).filter(lambda tail: tail))
def test_any_other_content_fails(other: bytes) -> None:
    with pytest.raises(VerificationFailed):
        proof(WHOLE, content(7) + other)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_typed_error(data: bytes) -> None:
    with pytest.raises((DocumentDamaged, DocumentUnsupported)):
        read_evidence_record(data)
