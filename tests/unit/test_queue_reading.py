"""A batch is read ahead of whoever signs it: in order, each portion once, and no further than there is room."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from signer.errors import JournalUnavailable
from signer.queue.model import Portion, QueuedDocument
from signer.server.queued.reading import ReadAhead

_MIB = 1024 * 1024


class _Rows:
    """Portions of one document each. reads: after which one was asked."""

    def __init__(self, count: int, size_bytes: int, *, breaks_after: int | None = None) -> None:
        self.reads: list[int] = []
        content = bytes(size_bytes)
        self._portions = [Portion(number, (QueuedDocument(number, f"d{number}", b"", content),)) for number in range(count)]
        self._breaks_after = breaks_after

    async def read(self, after: int, bytes_wanted: int) -> Sequence[Portion]:
        self.reads.append(after)
        if self._breaks_after is not None and after >= self._breaks_after:
            raise JournalUnavailable("the disk is gone", retry_after_s=1.0)
        found: list[Portion] = []
        for portion in self._portions[after + 1 :]:
            found.append(portion)
            if sum(each.size_bytes for each in found) >= bytes_wanted:
                break
        return found


async def _all(ahead: ReadAhead) -> list[int]:
    numbers = []
    while (portion := await ahead.next()) is not None:
        numbers.append(portion.number)
    return numbers


@pytest.mark.parametrize("size_bytes", [1, _MIB // 3, 5 * _MIB])
async def test_every_portion_comes_once_and_in_order_whatever_its_size(size_bytes: int) -> None:
    ahead = ReadAhead(_Rows(40, size_bytes).read)
    assert await _all(ahead) == list(range(40))
    await ahead.close()


async def test_no_more_is_read_than_there_is_room_for_until_somebody_takes_it() -> None:
    rows = _Rows(40, _MIB)
    ahead = ReadAhead(rows.read)
    assert (await ahead.next()) is not None
    for _ in range(100):
        await asyncio.sleep(0)
    assert rows.reads == [-1, 0, 1]
    assert await _all(ahead) == list(range(1, 40))
    await ahead.close()


async def test_what_could_be_read_is_given_before_the_failure_is_told() -> None:
    ahead = ReadAhead(_Rows(9, _MIB, breaks_after=0).read)
    first = await ahead.next()
    assert first is not None
    assert first.number == 0
    with pytest.raises(JournalUnavailable):
        await ahead.next()
    await ahead.close()
