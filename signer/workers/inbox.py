"""What came over a stream and was not taken yet, in one buffer that is used over and over.

A frame of documents has half a megabyte: gathered from pieces and cut off what follows, each byte of it went through memory four times.
"""

from __future__ import annotations

from collections.abc import Callable

_ROOM_BYTES = 1 << 18
ROOM_BYTES_MAX = 4 << 20
"""More than that is given back as soon as it is not needed."""


class Inbox:
    """Bytes in the order they came."""

    def __init__(self) -> None:
        self._room = memoryview(bytearray(_ROOM_BYTES))
        self._start = self._end = 0

    def __len__(self) -> int:
        """How many have come and were not taken."""
        return self._end - self._start

    @property
    def room_bytes(self) -> int:
        """What the buffer holds, or could."""
        return len(self._room)

    def take(self, count: int, receive_into: Callable[[memoryview], int]) -> bytes | None:
        """The next `count` bytes; None when the stream ended before them.

        receive_into: waits for bytes, puts them at the beginning of what it is given and tells how many; 0 at the stream's end.
        """
        if not len(self):
            self._start = self._end = 0
        if self._start + count > len(self._room) or len(self._room) > ROOM_BYTES_MAX:
            self._make_room(count)
        while len(self) < count:
            received_bytes = receive_into(self._room[self._end :])
            if not received_bytes:
                return None
            self._end += received_bytes
        taken = bytes(self._room[self._start : self._start + count])
        self._start += count
        return taken

    def _make_room(self, count: int) -> None:
        """Moves what is there to the front, of another buffer if this one is too small or larger than one keeps."""
        left = self._room[self._start : self._end]
        if count > len(self._room) or len(self._room) > ROOM_BYTES_MAX:
            self._room = memoryview(bytearray(max(count, len(left), _ROOM_BYTES)))
        self._room[: len(left)] = left
        self._start, self._end = 0, len(left)
