"""Documents on their way: none lost, none in two streams, none held beyond the window."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.client import Document
from signer.client.supply import IN_FLIGHT_BYTES_MAX, Supply
from signer.errors import DuplicateDocumentId, InvalidArgument


def taken(supply: Supply, turn: int) -> list[str]:
    return [item.document.id for item in iter(lambda: supply.take(turn), None)]


def documents(*names: str) -> list[Document]:
    return [Document(name, name.encode()) for name in names]


def test_documents_come_in_their_order_and_once() -> None:
    supply = Supply(documents("a", "b", "c"))
    turn = supply.next_turn()
    assert taken(supply, turn) == ["a", "b", "c"]
    assert not supply.is_done
    for name in "abc":
        assert supply.settle(name) is not None
    assert supply.settle("a") is None
    assert supply.is_done


def test_what_a_broken_stream_had_sent_without_an_outcome_comes_first_in_the_next() -> None:
    supply = Supply(documents("a", "b", "c", "d"))
    turn = supply.next_turn()
    sent = [supply.take(turn), supply.take(turn), supply.take(turn)]
    assert all(sent)
    supply.settle("b")
    again = supply.next_turn()
    assert supply.take(turn) is None
    assert taken(supply, again) == ["a", "c", "d"]


def test_a_document_put_back_waits_for_the_next_turn() -> None:
    supply = Supply(documents("a", "b"))
    turn = supply.next_turn()
    assert supply.take(turn)
    item = supply.settle("a")
    assert item is not None
    supply.put_back(item)
    assert taken(supply, turn) == ["b"]
    supply.settle("b")
    assert not supply.is_done
    assert taken(supply, supply.next_turn()) == ["a"]


def test_a_file_is_read_again_when_it_is_sent_again() -> None:
    reads = 0

    def read() -> bytes:
        nonlocal reads
        reads += 1
        return b"x"

    supply = Supply([Document("a", read)])
    assert taken(supply, supply.next_turn()) == ["a"]
    assert taken(supply, supply.next_turn()) == ["a"]
    assert reads == 2


def test_duplicates_and_unreadable_files_are_outcomes_of_their_own() -> None:
    def unreadable() -> bytes:
        raise PermissionError(13, "Permission denied")

    supply = Supply([*documents("a"), Document("a", b"other"), Document("b", unreadable), *documents("c")])
    assert taken(supply, supply.next_turn()) == ["a", "c"]
    refused = supply.refused()
    assert [(result.document_id, type(result.error)) for result in refused] == [("a", DuplicateDocumentId), ("b", InvalidArgument)]
    assert supply.refused() == []


def test_an_error_of_the_documents_themselves_ends_them_and_is_kept() -> None:
    def broken() -> Iterator[Document]:
        yield from documents("a")
        raise LookupError

    supply = Supply(broken())
    assert taken(supply, supply.next_turn()) == ["a"]
    supply.settle("a")
    assert supply.is_done
    assert isinstance(supply.source_error, LookupError)


@pytest.mark.parametrize("how", ["settle", "end"])
def test_a_full_window_waits_until_there_is_room_or_the_turn_ends(how: str) -> None:
    large = IN_FLIGHT_BYTES_MAX // 2 + 1
    supply = Supply([Document("a", bytes(large)), Document("b", bytes(large))])
    turn = supply.next_turn()
    assert supply.take(turn)
    got: list[str | None] = []

    def take() -> None:
        item = supply.take(turn)
        got.append(item.document.id if item else None)

    waiting = threading.Thread(target=take)
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    supply.settle("a") if how == "settle" else supply.end_turn()
    waiting.join(5)
    assert got == (["b"] if how == "settle" else [None])
    assert not supply.is_done


def test_a_document_larger_than_the_window_goes_alone() -> None:
    supply = Supply([Document("a", bytes(IN_FLIGHT_BYTES_MAX + 1))])
    assert taken(supply, supply.next_turn()) == ["a"]


@given(st.data())
def test_however_streams_break_every_document_is_settled_exactly_once(data: st.DataObject) -> None:
    names = [f"d{number}" for number in range(data.draw(st.integers(0, 12)))]
    supply = Supply(documents(*names))
    settled: list[str] = []
    for _ in range(200):
        if supply.is_done:
            break
        turn = supply.next_turn()
        in_stream: list[str] = []
        for _ in range(data.draw(st.integers(1, 8))):
            item = supply.take(turn)
            if item is None:
                break
            in_stream.append(item.document.id)
        assert len(set(in_stream)) == len(in_stream)
        for name in data.draw(st.permutations(in_stream)):
            what = data.draw(st.sampled_from(["settle", "put back", "lose"]))
            if what == "lose":
                continue
            found = supply.settle(name)
            assert found is not None
            if what == "settle":
                settled.append(name)
            else:
                supply.put_back(found)
    assert len(settled) == len(set(settled))
    if supply.is_done:
        assert sorted(settled) == sorted(names)
