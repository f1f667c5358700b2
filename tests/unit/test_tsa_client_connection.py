"""A connection to an authority: any bytes become one answer, one failure, or a wait for more; and turns, of which none is lost."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.timestamp.client.connection import HEAD_BYTES_MAX, Answer, Broken, Connection, TooLong
from signer.timestamp.client.turns import Turns

BODY_BYTES_MAX = 100
BODIES = st.binary(max_size=BODY_BYTES_MAX)


class Wire(asyncio.Transport):
    """Takes what is written; `is_cut` once it was aborted."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_cut = False

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def abort(self) -> None:
        self.is_cut = True


@dataclass
class Heard:
    """What a listener was told."""

    told: list[Answer | Broken | TooLong] = field(default_factory=list)

    def answered(self, answer: Answer) -> None:
        self.told.append(answer)

    def failed(self, error: Broken | TooLong) -> None:
        self.told.append(error)


@dataclass
class Line:
    """A connection that was asked once. free, lost: how often it said so."""

    heard: Heard = field(default_factory=Heard)
    wire: Wire = field(default_factory=Wire)
    free: int = 0
    lost: int = 0

    def __post_init__(self) -> None:
        self.connection = Connection(BODY_BYTES_MAX, self._freed, self._lost)
        self.connection.connection_made(self.wire)
        self.connection.ask(b"request", self.heard)

    def _freed(self, _connection: Connection) -> None:
        self.free += 1

    def _lost(self, _connection: Connection) -> None:
        self.lost += 1

    def feed(self, data: bytes, cuts: list[int] | None = None) -> None:
        """In pieces, as long as the connection is open."""
        places = [0, *sorted(cut % (len(data) + 1) for cut in cuts or ()), len(data)]
        for start, end in pairwise(places):
            if start < end and not self.wire.is_cut:
                self.connection.data_received(data[start:end])

    @property
    def only(self) -> Answer | Broken | TooLong:
        (told,) = self.heard.told
        return told


def with_length(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def in_chunks(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


@given(BODIES, st.lists(st.integers(0, 1000), max_size=6), st.integers(1, 40), st.booleans(), st.integers(0, 2))
def test_an_answer_is_the_same_however_it_is_framed_and_cut(body: bytes, cuts: list[int], size: int, chunked: bool, interim: int) -> None:
    line = Line()
    line.feed(b"HTTP/1.1 100 Continue\r\n\r\n" * interim + (in_chunks(body, size) if chunked else with_length(body)), cuts)
    assert line.only == Answer(200, body)
    assert (line.free, line.wire.is_cut) == (1, False)
    line.connection.ask(b"again", line.heard)
    line.feed(with_length(b"second", "429 Too Many", "Retry-After: 7"), cuts)
    assert line.heard.told[1:] == [Answer(429, b"second", "7")]


@given(BODIES, st.lists(st.integers(0, 1000), max_size=6))
def test_where_no_length_was_said_the_end_of_the_connection_is_the_end_of_the_answer(body: bytes, cuts: list[int]) -> None:
    line = Line()
    line.feed(b"HTTP/1.1 200 OK\r\n\r\n" + body, cuts)
    assert not line.heard.told
    line.connection.connection_lost(None)
    assert line.only == Answer(200, body)
    assert (line.free, line.lost) == (0, 1)


@given(st.lists(st.binary(max_size=60), max_size=8), st.booleans())
def test_any_bytes_are_one_answer_one_failure_or_a_wait_for_more(pieces: list[bytes], begins_well: bool) -> None:
    line = Line()
    for piece in ([b"HTTP/1.1 200 OK\r\n"] if begins_well else []) + pieces:
        line.feed(piece)
    assert len(line.heard.told) <= 1
    line.connection.connection_lost(None)
    assert len(line.heard.told) == 1


@given(BODIES, st.binary(min_size=1, max_size=40), st.booleans())
def test_bytes_that_nobody_asked_for_end_the_connection_and_are_no_answer(body: bytes, excess: bytes, together: bool) -> None:
    line = Line()
    if together:
        line.feed(with_length(body) + excess)
    else:
        line.feed(with_length(body))
        line.connection.data_received(excess)
    assert line.only == Answer(200, body)
    assert line.wire.is_cut


def test_a_second_answer_behind_the_first_is_never_taken_for_the_next_ones() -> None:
    line = Line()
    line.feed(with_length(b"first") + with_length(b"second"))
    assert line.only == Answer(200, b"first")
    assert (line.free, line.wire.is_cut) == (0, True)


@pytest.mark.parametrize(
    "answer",
    [
        with_length(b"x" * (BODY_BYTES_MAX + 1)),
        in_chunks(b"x" * (BODY_BYTES_MAX + 1), 7),
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (BODY_BYTES_MAX + 1),
    ],
    ids=["length", "chunks", "until it ends"],
)
def test_a_body_beyond_the_longest_is_not_waited_for(answer: bytes) -> None:
    line = Line()
    line.feed(answer)
    assert isinstance(line.only, TooLong)
    assert line.wire.is_cut


def test_headers_without_an_end_are_not_waited_for() -> None:
    line = Line()
    line.feed(b"HTTP/1.1 200 OK\r\n")
    for _ in range(HEAD_BYTES_MAX // 1000 + 2):
        line.feed(b"X: " + b"y" * 1000 + b"\r\n")
    assert isinstance(line.only, Broken)
    assert line.wire.is_cut


@pytest.mark.parametrize("answer", [with_length(b"", "200 OK", "Connection: close"), b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"])
def test_a_connection_that_is_to_be_closed_is_not_kept(answer: bytes) -> None:
    line = Line()
    line.feed(answer)
    assert line.only == Answer(200, b"")
    assert (line.free, line.wire.is_cut) == (0, True)


def test_only_a_kept_connection_that_said_nothing_may_have_been_closed_as_idle() -> None:
    fresh = Line()
    fresh.connection.connection_lost(None)
    begun = Line()
    begun.feed(with_length(b""))
    begun.connection.ask(b"again", begun.heard)
    begun.feed(b"HTTP")
    begun.connection.connection_lost(None)
    kept = Line()
    kept.feed(with_length(b""))
    kept.connection.ask(b"again", kept.heard)
    kept.connection.connection_lost(ConnectionResetError())
    assert [told.was_silent for line in (fresh, begun, kept) for told in line.heard.told if isinstance(told, Broken)] == [
        False,
        False,
        True,
    ]


@dataclass(eq=False)
class Turn:
    """wants_it: whether it still has a use for its turn."""

    begun: list[Turn]
    wants_it: bool = True

    def begin(self) -> bool:
        if self.wants_it:
            self.begun.append(self)
        return self.wants_it


@given(st.integers(1, 4), st.lists(st.sampled_from(["take", "give up", "pass on"]), max_size=60))
def test_turns_go_in_order_to_as_many_as_agreed_and_none_is_lost(at_once: int, steps: list[str]) -> None:
    turns, begun, ended = Turns(at_once), list[Turn](), 0
    waiting: deque[Turn] = deque()
    for step in steps:
        if step == "take":
            waiting.append(Turn(begun))
            turns.take(waiting[-1])
        elif step == "give up" and waiting:
            waiting.pop().wants_it = False
        elif step == "pass on" and ended < len(begun):
            ended += 1
            turns.pass_on()
        while waiting and waiting[0] in begun:
            waiting.popleft()
        assert len(begun) - ended <= at_once
        assert not waiting or len(begun) - ended == at_once, "nobody waits beside a free turn"
