from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.algorithms import DigestAlgorithm
from signer.errors import InternalError
from signer.formats.pades.update import PreparedUpdate, check, digests, splice

ORIGINAL = b"%PDF-1.7\nthe original\n%%EOF\n"
DIGITS = 64


def made(byte_range: str | None = None, *, hole: bytes = b"0" * DIGITS, key: bytes = b"/Contents ") -> PreparedUpdate:
    before = b"9 0 obj\n<<\n" + key + b"<"
    after = b"startxref\n30\n%%EOF\n"
    start = len(ORIGINAL) + len(before) - 1
    end = start + DIGITS + 2
    room = 60
    tail_length = len(b"\n/ByteRange ") + room + len(b"\n>>\nendobj\n" + after)
    value = byte_range or f"[0 {start} {end} {tail_length}]"
    update = before + hole + b">" + b"\n/ByteRange " + value.encode().ljust(room) + b"\n>>\nendobj\n" + after
    return PreparedUpdate(update, len(before), DIGITS)


def test_a_well_made_update_passes() -> None:
    check(len(ORIGINAL), made())


@pytest.mark.parametrize(
    "byte_range",
    ["[0 1 2 3]", "[0 38 104 91]", "[1 38 104 90]", "[0 38 104]", "[0 38 104 90 0]", "[0 -38 104 90]", "[0 3e1 104 90]"],
)
def test_a_byte_range_that_leaves_anything_out_is_refused(byte_range: str) -> None:
    with pytest.raises(InternalError, match="ByteRange"):
        check(len(ORIGINAL), made(byte_range))


def test_the_byte_range_belongs_to_one_length_of_the_original() -> None:
    with pytest.raises(InternalError, match="cover"):
        check(len(ORIGINAL) + 1, made())


def test_a_byte_range_elsewhere_does_not_count() -> None:
    honest = made()
    moved = honest.update.replace(b"/ByteRange", b"/X 0 /ByteRange")
    with pytest.raises(InternalError, match="right after"):
        check(len(ORIGINAL), replace(honest, update=moved))


def test_a_hole_that_holds_something_is_refused() -> None:
    with pytest.raises(InternalError, match="not empty"):
        check(len(ORIGINAL), made(hole=b"0" * (DIGITS - 1) + b"1"))


def test_a_hole_that_is_not_contents_is_refused() -> None:
    with pytest.raises(InternalError, match="/Contents"):
        check(len(ORIGINAL), made(key=b"/Content_ "))


@pytest.mark.parametrize(("offset", "digits"), [(0, DIGITS), (-1, DIGITS), (20, 0), (20, 63), (20, 100_000), (20, -2)])
def test_a_hole_outside_of_the_update_is_refused(offset: int, digits: int) -> None:
    with pytest.raises(InternalError, match="outside"):
        check(len(ORIGINAL), PreparedUpdate(made().update, offset, digits))


@given(st.binary(max_size=300), st.integers(-5, 300), st.integers(-5, 300), st.integers(0, 300))
def test_whatever_a_worker_sends_is_checked_without_surprise(update: bytes, offset: int, digits: int, length: int) -> None:
    with pytest.raises(InternalError):
        check(length, PreparedUpdate(update, offset, digits))


@pytest.mark.parametrize("algorithm", list(DigestAlgorithm))
def test_digests_cover_all_but_the_hole_with_its_brackets(algorithm: DigestAlgorithm) -> None:
    prepared = made()
    found = digests(ORIGINAL, prepared, algorithm)
    whole = ORIGINAL + prepared.update
    start = len(ORIGINAL) + prepared.contents_offset - 1
    assert found.source_sha256 == hashlib.sha256(ORIGINAL).digest()
    assert found.byte_range_digest == hashlib.new(algorithm.value, whole[:start] + whole[start + DIGITS + 2 :]).digest()


@given(st.binary(min_size=1, max_size=DIGITS // 2))
def test_a_spliced_cms_is_padded_and_changes_nothing_else(cms: bytes) -> None:
    prepared = made()
    update = splice(prepared, cms)
    hole = update[prepared.contents_offset : prepared.contents_end]
    assert bytes.fromhex(hole.decode()) == cms.ljust(DIGITS // 2, b"\x00")
    assert update[: prepared.contents_offset] == prepared.update[: prepared.contents_offset]
    assert update[prepared.contents_end :] == prepared.update[prepared.contents_end :]


def test_a_cms_larger_than_its_room_is_refused() -> None:
    with pytest.raises(InternalError, match="33 bytes does not fit the 32"):
        splice(made(), bytes(33))
