"""Thirty-two bytes fix a whole list: its entries, their order, their number, and by which of two ways they stand for it."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.formats.entry_list import digest_of_entries, is_of
from signer.formats.merkle import root_of_entries
from signer.people.authorization import ListBinding, SignableList

BINDINGS = {ListBinding.DIGEST: digest_of_entries, ListBinding.ROOT: root_of_entries}
lists = st.integers(32, 64).flatmap(lambda size: st.lists(st.binary(min_size=size, max_size=size), min_size=1, max_size=12, unique=True))


def listed(binding: ListBinding, entries: list[bytes]) -> SignableList:
    return SignableList(binding, BINDINGS[binding](entries), len(entries), source_documents=True)


def test_the_digest_is_what_the_contract_says() -> None:
    entries = [hashlib.sha384(b"%d" % number).digest() for number in range(3)]
    written = b"signer.v1.SignableDigest" + bytes([0, 0, 0, 0, 48, 0, 0, 0, 0, 0, 0, 0, 3]) + entries[0] + entries[1] + entries[2]
    assert digest_of_entries(entries) == hashlib.sha256(written).digest()


@pytest.mark.parametrize("binding", ListBinding)
@given(entries=lists, data=st.data())
def test_another_list_is_not_the_list(binding: ListBinding, entries: list[bytes], data: st.DataObject) -> None:
    """One swapped, dropped, added, changed: each is another list; and so is the same one read by the other binding."""
    signable = listed(binding, entries)
    assert is_of(signable, entries)
    at, to = data.draw(st.integers(0, len(entries) - 1)), data.draw(st.integers(0, len(entries) - 1))
    swapped = entries.copy()
    swapped[at], swapped[to] = swapped[to], swapped[at]
    changed = entries.copy()
    changed[at] = bytes([changed[at][0] ^ 1]) + changed[at][1:]
    others = [entries[:at] + entries[at + 1 :], [*entries, entries[at]], changed, [], *([swapped] if at != to else [])]
    assert not any(is_of(signable, other) for other in others)
    assert not is_of(replace(signable, count=len(entries) + 1), entries)
    [other_binding] = set(ListBinding) - {binding}
    assert not is_of(replace(signable, binding=other_binding), entries)


@pytest.mark.parametrize("binding", ListBinding)
@given(entries=lists)
def test_the_same_bytes_cut_elsewhere_are_another_list(binding: ListBinding, entries: list[bytes]) -> None:
    signable, whole, size = listed(binding, entries), b"".join(entries), len(entries[0])
    for cut in range(1, len(entries) + 1):
        if len(whole) % cut == 0 and len(whole) // cut != size:
            other = [whole[at : at + len(whole) // cut] for at in range(0, len(whole), len(whole) // cut)]
            assert not is_of(signable, other)
    if len(entries) > 1:
        assert not is_of(signable, [entries[0], entries[1] + entries[-1][:1], *entries[2:]])
        assert not is_of(signable, [entries[0], *entries[1:-1], entries[-1][:-1]])


@given(lists)
def test_no_list_has_a_digest_that_is_its_root(entries: list[bytes]) -> None:
    assert digest_of_entries(entries) != root_of_entries(entries)
