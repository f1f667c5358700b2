"""RFC 9162 §2.1: held against its own recursive definitions, written down here as they stand there."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.errors import InvalidArgument, VerificationFailed
from signer.formats.merkle import (
    EMPTY_ROOT,
    Range,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    require_consistent,
    require_included,
    root_of,
)
from tests.support.merkle import Leaves

SIZE_MAX = 70
DATA = [b"", b"\x00", b"\x10", b"\x20\x21", b"\x30\x31", b"@ABC", b"PQRSTUVW", b"`abcdefghijklmno"]
"""The leaves of Certificate Transparency's published test vectors."""
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
sizes = st.integers(1, SIZE_MAX)


def leaves(size: int) -> list[bytes]:
    return [leaf_hash(number.to_bytes(2)) for number in range(size)]


def below(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def mth(data: Sequence[bytes]) -> bytes:
    if not data:
        return sha256().digest()
    if len(data) == 1:
        return data[0]
    k = below(len(data))
    return sha256(b"\x01" + mth(data[:k]) + mth(data[k:])).digest()


def path(m: int, data: Sequence[bytes]) -> list[bytes]:
    if len(data) == 1:
        return []
    k = below(len(data))
    return [*path(m, data[:k]), mth(data[k:])] if m < k else [*path(m - k, data[k:]), mth(data[:k])]


def subproof(m: int, data: Sequence[bytes], *, is_known: bool) -> list[bytes]:
    if m == len(data):
        return [] if is_known else [mth(data)]
    k = below(len(data))
    if m <= k:
        return [*subproof(m, data[:k], is_known=is_known), mth(data[k:])]
    return [*subproof(m - k, data[k:], is_known=False), mth(data[:k])]


@pytest.mark.parametrize(("size", "root"), ROOTS.items())
def test_roots_are_those_of_the_published_vectors(size: int, root: str) -> None:
    assert root_of(leaf_hash(each) for each in DATA[:size]).hex() == root


@given(st.integers(0, SIZE_MAX))
def test_a_root_is_as_the_standard_defines_it_however_the_tree_is_made(size: int) -> None:
    grown = Range()
    for leaf in leaves(size):
        grown, _complete = grown.extended(leaf)
    assert root_of(leaves(size)) == grown.root == mth(leaves(size))
    assert len(grown.roots) == size.bit_count()
    assert root_of([]) == EMPTY_ROOT


@given(sizes)
def test_a_growing_range_tells_each_perfect_tree_once(size: int) -> None:
    grown = Range()
    told: dict[tuple[int, int], bytes] = {}
    for index, leaf in enumerate(leaves(size)):
        grown, complete = grown.extended(leaf)
        told |= {(height, index >> height): node for height, node in complete}
    source = Leaves(leaves(size))
    assert told == {(height, index): source.node(height, index) for height in range(1, 8) for index in range(size >> height)}


@given(sizes, st.data())
def test_an_inclusion_proof_is_the_standards_and_proves_its_leaf_alone(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(Leaves(leaves(size)), index, size)
    assert list(proof) == path(index, leaves(size))
    require_included(leaves(size)[index], index, size, proof, mth(leaves(size)))
    for wrong in (leaf_hash(b"other"), leaves(size + 1)[-1]):
        with pytest.raises(VerificationFailed):
            require_included(wrong, index, size, proof, mth(leaves(size)))
    for longer in ((*proof, EMPTY_ROOT), proof[:-1] if proof else (EMPTY_ROOT,)):
        with pytest.raises(VerificationFailed):
            require_included(leaves(size)[index], index, size, longer, mth(leaves(size)))


@given(sizes, st.data())
def test_a_consistency_proof_is_the_standards_and_fails_for_a_changed_past(size: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, size))
    proof = consistency_proof(Leaves(leaves(size)), first, size)
    assert list(proof) == subproof(first, leaves(size), is_known=True)
    older, newer = mth(leaves(size)[:first]), mth(leaves(size))
    require_consistent(first, older, size, newer, proof)
    changed = data.draw(st.integers(0, first - 1))
    rewritten = leaves(size)
    rewritten[changed] = leaf_hash(b"changed")
    with pytest.raises(VerificationFailed):
        require_consistent(first, older, size, mth(rewritten), consistency_proof(Leaves(rewritten), first, size))
    with pytest.raises(VerificationFailed):
        require_consistent(first, older, size, newer, (*proof, EMPTY_ROOT))


@given(sizes, st.integers(0, SIZE_MAX), st.lists(st.binary(min_size=32, max_size=32), max_size=9))
def test_no_made_up_proof_passes(size: int, index: int, made_up: list[bytes]) -> None:
    with pytest.raises(VerificationFailed):
        require_included(leaf_hash(b"never written"), index, size, made_up, mth(leaves(size)))
    with pytest.raises(VerificationFailed):
        require_consistent(index + 1, EMPTY_ROOT, index + 1 + size, mth(leaves(size)), made_up)


def test_what_the_tree_does_not_have_is_refused_by_name() -> None:
    source = Leaves(leaves(3))
    with pytest.raises(InvalidArgument):
        inclusion_proof(source, 3, 3)
    for first in (0, 4):
        with pytest.raises(InvalidArgument):
            consistency_proof(source, first, 3)
