"""What a worker has received: the same bytes in the same order, however they came and are taken, in a buffer that stays small."""

from __future__ import annotations

from io import BytesIO
from itertools import cycle

from hypothesis import given
from hypothesis import strategies as st

from signer.workers import inbox
from signer.workers.inbox import Inbox

_MIB = 1 << 20


class Stream:
    """Gives its bytes in pieces of these sizes, over and over."""

    def __init__(self, content: bytes, pieces: list[int]) -> None:
        self._content = BytesIO(content)
        self._pieces = cycle(pieces)

    def receive_into(self, room: memoryview) -> int:
        return self._content.readinto(room[: next(self._pieces)])


@given(
    st.lists(st.integers(0, 700_000), max_size=12),
    st.lists(st.integers(1, 600_000), min_size=1, max_size=5),
)
def test_bytes_are_taken_as_they_came(counts: list[int], pieces: list[int]) -> None:
    content = b"".join(number.to_bytes(4) for number in range(sum(counts) // 4 + 1))[: sum(counts)]
    stream, found = Stream(content, pieces), Inbox()
    taken = [found.take(count, stream.receive_into) for count in counts]
    assert [None if part is None else len(part) for part in taken] == counts
    assert b"".join(part or b"" for part in taken) == content
    assert found.take(1, stream.receive_into) is None, "the stream has ended"
    assert not len(found)


def test_what_was_taken_stays_when_more_comes() -> None:
    stream, found = Stream(b"a" * 100 + b"b" * 100, [100]), Inbox()
    first = found.take(100, stream.receive_into)
    assert found.take(100, stream.receive_into) == b"b" * 100
    assert first == b"a" * 100


def test_a_stream_that_ends_in_between_gives_nothing() -> None:
    assert Inbox().take(5, Stream(b"four", [3]).receive_into) is None


def test_the_room_of_one_large_document_is_given_back() -> None:
    stream, found = Stream(bytes(20 * _MIB + 10), [_MIB]), Inbox()
    assert len(found.take(20 * _MIB, stream.receive_into) or b"") == 20 * _MIB
    assert found.take(10, stream.receive_into) == bytes(10)
    assert found.room_bytes <= inbox.ROOM_BYTES_MAX
