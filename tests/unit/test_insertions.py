"""A signed file is its original with additions: what is kept of it brings it back, byte for byte."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.algorithms import DigestAlgorithm
from signer.errors import InternalError
from signer.formats.insertions import Additions, Insertion

DIGESTS = st.sampled_from(list(DigestAlgorithm))


@st.composite
def additions_to(draw: st.DrawFn) -> tuple[bytes, Additions]:
    original = draw(st.binary(max_size=40))
    offsets = sorted(draw(st.lists(st.integers(0, len(original)), max_size=3)))
    inserted = tuple(Insertion(offset, draw(st.binary(max_size=5))) for offset in offsets)
    return original, Additions(draw(st.binary(max_size=8)), inserted)


@given(additions_to())
def test_each_addition_stands_before_the_byte_it_names_and_nothing_else_changes(case: tuple[bytes, Additions]) -> None:
    original, additions = case
    wanted = b""
    for offset in range(len(original) + 1):
        wanted += b"".join(each.content for each in additions.inserted if each.offset == offset) + original[offset : offset + 1]
    assert additions.merge(original) == wanted + additions.appended


@given(additions_to(), DIGESTS, st.booleans())
def test_the_digest_is_the_merged_file_s_whether_or_not_the_original_was_hashed_before(
    case: tuple[bytes, Additions], algorithm: DigestAlgorithm, hashed_before: bool
) -> None:
    original, additions = case
    state = hashlib.new(algorithm.value, original) if hashed_before else None
    expected = hashlib.new(algorithm.value, additions.merge(original)).digest()
    assert additions.digest(original, algorithm, state) == expected
    assert additions.digest(original, algorithm, state) == expected, "the state is left as it is"


@given(st.binary(max_size=20), DIGESTS)
def test_a_detached_signature_holds_nothing_of_the_original(original: bytes, algorithm: DigestAlgorithm) -> None:
    alone = Additions(b"signature", is_alone=True)
    assert alone.merge(original) == b"signature"
    assert alone.digest(original, algorithm, hashlib.new(algorithm.value, original)) == hashlib.new(algorithm.value, b"signature").digest()


@pytest.mark.parametrize("offsets", [(3,), (2, 1), (-1,)])
def test_what_lies_outside_of_the_original_or_out_of_order_is_refused(offsets: tuple[int, ...]) -> None:
    with pytest.raises(InternalError):
        Additions(b"", tuple(Insertion(offset, b"x") for offset in offsets)).merge(b"ab")
