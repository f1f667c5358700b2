"""Any bytes at the authority's HTTP door: an answer of the protocol, a status, or the connection's end; and the door is still there.

SIGNER_FUZZ_EXAMPLES: examples a test, for long runs.
"""

from __future__ import annotations

import asyncio
import os

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from signer.errors import TimestampInvalid
from signer.formats.cms.reader import read_signed_data
from signer.timestamp.authority import answer
from signer.timestamp.tsp import parse_request, parse_response
from signer.timestamp.tst_info import read_tst_info
from tests.support.stamping import authority
from tests.support.timestamp_http import QUERY, asked, line, opened, post

EXAMPLES = int(os.environ.get("SIGNER_FUZZ_EXAMPLES", "100"))
fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
AUTHORITY = authority()


@st.composite
def mutated(draw: st.DrawFn, seed: bytes) -> bytes:
    """The seed with bytes overwritten, put in, cut out."""
    made = bytearray(seed)
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, len(made)))
        match draw(st.sampled_from(["set", "set", "insert", "cut", "end"])):
            case "set":
                made[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "insert":
                made[at:at] = draw(st.binary(max_size=8))
            case "cut":
                del made[at : at + draw(st.integers(1, 8))]
            case "end":
                del made[at:]
    return bytes(made)


@fuzz
@given(mutated(QUERY) | st.binary(max_size=200))
@example(QUERY)
def test_any_request_is_granted_as_it_was_asked_or_refused_by_a_known_failure(request: bytes) -> None:
    answered = asyncio.run(answer(request, AUTHORITY.issue))
    assert answered.error is None
    if answered.failure is not None:
        with pytest.raises(TimestampInvalid, match=r"^status: rejection"):
            parse_response(answered.encoded)
        return
    wanted = parse_request(request)
    granted = parse_response(answered.encoded)
    given_info = read_tst_info(read_signed_data(granted).content or b"")
    assert (given_info.imprint, given_info.digest_algorithm, given_info.nonce) == (wanted.imprint, wanted.digest_algorithm, wanted.nonce)


@settings(fuzz, max_examples=max(20, EXAMPLES // 5))
@given(st.lists(mutated(post()) | st.binary(max_size=400), min_size=1, max_size=3))
def test_any_bytes_on_a_connection_leave_the_door_as_it_was(pieces: list[bytes]) -> None:
    async def meet() -> None:
        async with opened(idle_s=0.2) as here:
            async with line(here.port) as one:
                for piece in pieces:
                    one.send(piece)
                    await asyncio.sleep(0)
                said = await one.ended()
            assert all(part.startswith(b" 200") or part[:2] in {b" 4", b" 1"} for part in said.split(b"HTTP/1.1")[1:])
            assert (await asked(here.port, post())).failure == ""
            assert here.counted("http-500") == 0

    asyncio.run(meet())
