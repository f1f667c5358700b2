from __future__ import annotations

import hashlib
import math
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signer.algorithms import DigestAlgorithm
from signer.errors import DocumentDamaged, InvalidArgument
from signer.formats.evidence import HashTree, Reduced, build, build_groups, evidence_record, evidence_records, root_of
from tests.support.stamping import stamp

SHA256 = DigestAlgorithm.SHA256
SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 35, 1_000, 10_000]
FRAME_BYTES = 4
"""Of one more list in a reduced tree: the headers of PartialHashtree and OCTET STRING."""


def digest(content: bytes, algorithm: DigestAlgorithm = SHA256) -> bytes:
    return hashlib.new(algorithm.value, content).digest()


@cache
def documents(count: int) -> list[bytes]:
    return [digest(b"document %d" % number) for number in range(count)]


def leads_to(reduced: Reduced, own: bytes, algorithm: DigestAlgorithm = SHA256) -> bytes:
    """RFC 4998 §4.3, written again."""
    if not reduced:
        return own
    assert own in reduced[0]
    carried: list[bytes] = []
    for hashes in reduced:
        carried = [digest(b"".join(sorted([*hashes, *carried])), algorithm)]
    return carried[0]


@pytest.mark.parametrize("count", SIZES)
def test_every_document_of_a_class_leads_to_the_one_root(count: int) -> None:
    tree = build(documents(count), SHA256)
    assert {leads_to(tree.reduced(number), own) for number, own in enumerate(documents(count))} == {tree.root}


@pytest.mark.parametrize("count", SIZES)
def test_a_proof_has_no_more_lists_than_the_tree_has_levels(count: int) -> None:
    tree = build(documents(count), SHA256)
    levels = math.ceil(math.log2(count))
    assert max(len(tree.reduced(number)) for number in range(count)) == levels
    assert max(sum(map(len, tree.reduced(number))) for number in range(count)) == (levels + 1 if count > 1 else 0)


@pytest.mark.parametrize("count", [2, 35, 1_000, 10_000])
def test_a_records_size_is_that_of_its_hashes_and_a_fixed_part(count: int) -> None:
    tree = build(documents(count), SHA256)
    timestamp = stamp(tree.root, SHA256)
    largest = max(map(len, evidence_records(timestamp, tree)))
    levels = math.ceil(math.log2(count))
    fixed = 100 + len(timestamp)
    assert largest <= (32 + FRAME_BYTES) * levels + fixed
    assert largest <= 32 * levels + fixed + FRAME_BYTES * 20, "for all classes of up to a million"


@pytest.mark.parametrize("algorithm", DigestAlgorithm)
def test_each_digest_algorithm_builds_its_own_tree(algorithm: DigestAlgorithm) -> None:
    leaves = [digest(b"%d" % number, algorithm) for number in range(6)]
    tree = build(leaves, algorithm)
    assert len(tree.root) == algorithm.size_bytes
    assert {leads_to(tree.reduced(number), own, algorithm) for number, own in enumerate(leaves)} == {tree.root}


def test_the_rfcs_own_example_comes_out() -> None:
    # §4.2: d1, the group d2a d2b d2c, d3 — h123 = H(sorted(H(sorted(h1, h2abc)), h3)), reduced for d1 and for the group.
    h1, h2a, h2b, h2c, h3 = documents(5)
    group = digest(b"".join(sorted([h2a, h2b, h2c])))
    h12 = digest(b"".join(sorted([h1, group])))
    tree = build_groups([[h1], [h2a, h2b, h2c], [h3]], SHA256)
    assert tree.root == digest(b"".join(sorted([h12, h3])))
    assert tree.reduced(0) == (tuple(sorted([h1, group])), (h3,))
    assert tree.reduced(1) == (tuple(sorted([h2a, h2b, h2c])), (h1,), (h3,))
    assert tree.reduced(2) == (tuple(sorted([h3, h12])),)


def test_equal_files_share_one_leaf_and_are_each_proved() -> None:
    same, other = documents(2)
    tree = build([same, other, same, same], SHA256)
    assert tree.root == build([same, other], SHA256).root
    assert tree.reduced(0) == tree.reduced(2) == tree.reduced(3)
    assert build([same, same], SHA256).root == same
    assert build([same, same], SHA256).reduced(1) == ()


def test_a_group_that_is_also_an_inner_node_is_no_pair_of_itself() -> None:
    one, other = documents(2)
    tree = build_groups([[one], [other], [one, other]], SHA256)
    assert tree.root == digest(b"".join(sorted([one, other])))
    assert [tree.reduced(number) for number in range(3)] == [(tuple(sorted([one, other])),)] * 3


@pytest.mark.parametrize(
    "groups", [[], [[]], [[bytes(32)], []], [[bytes(31)]], [[bytes(32), bytes(48)]], [[bytes(64)]]], ids=lambda groups: repr(groups)[:30]
)
def test_nothing_and_digests_of_another_size_are_refused(groups: list[list[bytes]]) -> None:
    with pytest.raises(InvalidArgument):
        build_groups(groups, SHA256)


def test_a_timestamp_of_another_root_makes_no_record() -> None:
    tree, other = build(documents(3), SHA256), build(documents(4), SHA256)
    timestamp = stamp(other.root, SHA256)
    with pytest.raises(DocumentDamaged, match="another hash tree"):
        evidence_record(timestamp, tree.reduced(0), SHA256)
    with pytest.raises(DocumentDamaged, match="another hash tree"):
        next(evidence_records(timestamp, tree))
    with pytest.raises(DocumentDamaged, match="not a timestamp"):
        evidence_record(timestamp[:-1], other.reduced(0), SHA256)
    with pytest.raises(DocumentDamaged, match="sha256"):
        evidence_record(timestamp, (), DigestAlgorithm.SHA512)


_GROUPS = st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=4), min_size=1, max_size=40)


def tree_of(groups: list[list[int]]) -> HashTree:
    return build_groups([[documents(31)[number] for number in group] for group in groups], SHA256)


@settings(max_examples=80, deadline=None)
@given(_GROUPS)
def test_any_groups_equal_ones_included_lead_to_the_root_with_all_their_members(groups: list[list[int]]) -> None:
    tree = tree_of(groups)
    for number, group in enumerate(groups):
        reduced = tree.reduced(number)
        for member in group:
            assert leads_to(reduced, documents(31)[member]) == tree.root
        assert not reduced or root_of(reduced, SHA256) == tree.root
        assert all(list(hashes) == sorted(set(hashes)) for hashes in reduced), "ascending, none twice"
        assert not reduced or len(reduced[0]) > 1, "the one case on which readings of the RFC differ is never written"


@settings(max_examples=40, deadline=None)
@given(_GROUPS)
def test_all_records_at_once_are_the_records_one_by_one(groups: list[list[int]]) -> None:
    tree = tree_of(groups)
    timestamp = stamp(tree.root, SHA256)
    one_by_one = [evidence_record(timestamp, tree.reduced(number), SHA256).encoded() for number in range(len(groups))]
    assert list(evidence_records(timestamp, tree)) == one_by_one


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 40).flatmap(lambda count: st.tuples(st.just(count), st.integers(0, count - 1), st.integers(0, 10_000))))
def test_one_bit_of_a_proof_leads_elsewhere(which: tuple[int, int, int]) -> None:
    count, number, place = which
    tree = build(documents(40)[:count], SHA256)
    reduced = tree.reduced(number)
    if not reduced:
        return
    flat = [(one, two) for one, hashes in enumerate(reduced) for two in range(len(hashes))]
    one, two = flat[place % len(flat)]
    bit = place % 256
    changed = [list(hashes) for hashes in reduced]
    changed[one][two] = bytes(octet ^ (1 << bit % 8 if at == bit // 8 else 0) for at, octet in enumerate(changed[one][two]))
    assert root_of(tuple(map(tuple, changed)), SHA256) != tree.root
