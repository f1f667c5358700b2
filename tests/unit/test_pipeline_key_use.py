"""Intent before the key, outcome after it, whatever the token or the journal does in between. The journal is the real one."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from signer.algorithms import SignatureAlgorithm
from signer.errors import (
    Cancelled,
    JournalUnavailable,
    QueueFull,
    SignatureInProgress,
    SignatureOutcomeUnknown,
    SignatureSettled,
    SignerError,
    TokenRefused,
    TokenRemoved,
    TokenSignatureWrong,
    TokenTimedOut,
)
from signer.journal import Journal
from signer.journal.model import Accounting, Intent, Outcome, OutcomeKind, SignatureState, Stored
from signer.model import Credential, KeptKey, SignatureKey
from signer.pipeline.key_use import KeyUse, use_key
from signer.pipeline.request import Request
from signer.tokens.jobs import TokenSignature

ALGORITHM = SignatureAlgorithm.RSA_PKCS1_SHA256
CREDENTIAL = Credential("gvcn", "token", b"\x01", "gvcn", "1", b"c", (), (ALGORITHM,))
Act = Callable[[], bytes]


def intent(name: str) -> Intent:
    return Intent(
        SignatureKey("1", "r", name), name.encode().ljust(32), "client", "gvcn", "1f", ALGORITHM, name.encode().ljust(32), "digest/b-b"
    )


def keys(*names: str) -> list[SignatureKey]:
    return [intent(name).key for name in names]


class ScriptedDoor:
    """A token that does, for each digest, what its script says next; without a script it signs. seen: what reached it."""

    lot_max = 8

    def __init__(self, **scripts: Iterable[SignerError | None]) -> None:
        self._scripts = {name: list(script) for name, script in scripts.items()}
        self.seen: list[str] = []
        self.give_up_s = math.inf
        self.on_submit: Callable[[], None] = lambda: None

    def submit(
        self,
        *,
        key_id: bytes,  # noqa: ARG002
        algorithm: SignatureAlgorithm,  # noqa: ARG002
        digests: Sequence[bytes],
        line: str,
        check: Callable[[], None],
        kept: KeptKey | None = None,  # noqa: ARG002
        give_up_s: float = math.inf,
    ) -> asyncio.Future[list[TokenSignature | SignerError]]:
        assert line == "1"
        self.give_up_s = give_up_s
        check()
        results: asyncio.Future[list[TokenSignature | SignerError]] = asyncio.get_running_loop().create_future()
        results.set_result([self._act(digest) for digest in digests])
        return results

    def _act(self, digest: bytes) -> TokenSignature | SignerError:
        name = digest.rstrip().decode()
        self.seen.append(name)
        self.on_submit()
        script = self._scripts.get(name, [])
        return (script.pop(0) if script else None) or TokenSignature(b"signature of " + digest, 0.1, 0.2)


class FailingLedger:
    """The journal, whose calls of one name fail from the n-th on, or once."""

    def __init__(self, journal: Journal, method: str, *, after: int, count: int = 1000) -> None:
        self._journal = journal
        self._method = method
        self._strikes = range(after, after + count)
        self._calls = 0

    def _strike(self, method: str) -> None:
        if method == self._method:
            self._calls += 1
            if self._calls - 1 in self._strikes:
                raise JournalUnavailable("the disk is full")

    async def look_up(self, wanted: Sequence[SignatureKey]) -> dict[SignatureKey, Stored]:
        return await self._journal.look_up(wanted)

    async def intend(self, intents: Sequence[Intent]) -> list[int]:
        self._strike("intend")
        return await self._journal.intend(intents)

    async def settle(self, outcomes: Sequence[Outcome]) -> None:
        self._strike("settle")
        await self._journal.settle(outcomes)


@pytest_asyncio.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    made = Journal(f"sqlite:///{tmp_path / 'journal.db'}")
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def request_() -> Request:
    clock_s = asyncio.get_running_loop().time
    return Request("client", "1", "r", clock_s() + 60, clock_s)


async def counts(journal: Journal) -> Accounting:
    found = await journal.accounting()
    assert found.balanced
    return found


async def states(journal: Journal, *names: str) -> list[SignatureState]:
    found = await journal.look_up(keys(*names))
    return [found[key].state for key in keys(*names)]


async def test_every_digest_is_intended_before_the_token_sees_it(journal: Journal, request_: Request) -> None:
    door = ScriptedDoor()
    used = await use_key(journal, door, CREDENTIAL, request_, [intent("a"), intent("b")])
    assert all(isinstance(one, KeyUse) for one in used)
    assert [one.attempt for one in used if isinstance(one, KeyUse)] == [1, 1]
    assert (await counts(journal)).open == 2, "the outcome belongs to the caller"


async def test_an_intent_that_cannot_be_written_keeps_the_token_unused(journal: Journal, request_: Request) -> None:
    door = ScriptedDoor()
    with pytest.raises(JournalUnavailable):
        await use_key(FailingLedger(journal, "intend", after=0), door, CREDENTIAL, request_, [intent("a")])
    assert door.seen == []
    assert await journal.look_up(keys("a")) == {}


@pytest.mark.parametrize("error", [TokenRefused("no"), TokenSignatureWrong("garbage"), QueueFull("full", retry_after_s=1.0)])
async def test_what_is_certain_is_settled_as_failed_and_not_tried_again(error: SignerError, journal: Journal, request_: Request) -> None:
    door = ScriptedDoor(a=[error])
    (result,) = await use_key(journal, door, CREDENTIAL, request_, [intent("a")])
    assert result is error
    assert door.seen == ["a"]
    assert await states(journal, "a") == [SignatureState.FAILED]


@pytest.mark.parametrize("error", [SignatureOutcomeUnknown("died"), TokenTimedOut("hung"), TokenRemoved("pulled")])
async def test_what_a_dying_worker_held_is_tried_again_as_another_attempt(error: SignerError, journal: Journal, request_: Request) -> None:
    door = ScriptedDoor(a=[error])
    (used,) = await use_key(journal, door, CREDENTIAL, request_, [intent("a")])
    assert isinstance(used, KeyUse)
    assert used.attempt == 2
    found = await counts(journal)
    is_unknown = not isinstance(error, TokenRemoved)
    assert (found.intents, found.unknown, found.failed, found.open) == (2, int(is_unknown), int(not is_unknown), 1)


async def test_a_token_that_goes_on_failing_is_waited_for_until_there_is_just_time_to_say_so(journal: Journal) -> None:
    clock_s = asyncio.get_running_loop().time
    request = Request("client", "1", "r", clock_s() + 1.0, clock_s)
    door = ScriptedDoor(a=[TokenRemoved("pulled") for _ in range(1000)])
    (result,) = await use_key(journal, door, CREDENTIAL, request, [intent("a")])
    assert isinstance(result, TokenRemoved)
    assert request.deadline_s - 0.2 == pytest.approx(door.give_up_s, abs=0.15)
    found = await counts(journal)
    assert 2 < found.intents == found.failed == len(door.seen) < 10, "attempts come with growing pauses"


async def test_attempts_with_an_unknown_outcome_are_bounded_and_each_is_accounted_for(journal: Journal, request_: Request) -> None:
    door = ScriptedDoor(a=[SignatureOutcomeUnknown("died") for _ in range(20)])
    (result,) = await use_key(journal, door, CREDENTIAL, request_, [intent("a")])
    assert isinstance(result, SignatureOutcomeUnknown)
    found = await counts(journal)
    assert found.intents == found.unknown == len(door.seen) == 4


async def test_only_what_failed_is_tried_again(journal: Journal, request_: Request) -> None:
    door = ScriptedDoor(b=[SignatureOutcomeUnknown("died")], c=[TokenRefused("no")])
    used = await use_key(journal, door, CREDENTIAL, request_, [intent(name) for name in "abc"])
    assert [one.attempt if isinstance(one, KeyUse) else one.reason.value for one in used] == [1, 2, "TOKEN_REFUSED"]
    assert door.seen == ["a", "b", "c", "b"]


async def test_a_caller_that_went_away_gets_no_second_attempt(journal: Journal, request_: Request) -> None:
    door = ScriptedDoor(a=[SignatureOutcomeUnknown("died")])
    door.on_submit = request_.cancel
    (result,) = await use_key(journal, door, CREDENTIAL, request_, [intent("a")])
    assert isinstance(result, SignatureOutcomeUnknown)
    assert door.seen == ["a"]


async def test_a_caller_that_went_away_before_its_turn_uses_no_key(journal: Journal, request_: Request) -> None:
    request_.cancel()
    door = ScriptedDoor()
    (result,) = await use_key(journal, door, CREDENTIAL, request_, [intent("a")])
    assert isinstance(result, Cancelled)
    assert door.seen == []
    assert await states(journal, "a") == [SignatureState.FAILED]


@pytest.mark.parametrize(("method", "after"), [("intend", 1), ("settle", 0)])
async def test_a_journal_that_fails_between_attempts_does_not_strand_what_was_signed(
    method: str, after: int, journal: Journal, request_: Request
) -> None:
    """One digest is signed, another's worker died, then the disk is full: the first one's outcome still belongs to the caller."""
    ledger = FailingLedger(journal, method, after=after)
    door = ScriptedDoor(b=[SignatureOutcomeUnknown("died")])
    signed, lost = await use_key(ledger, door, CREDENTIAL, request_, [intent("a"), intent("b")])
    assert isinstance(signed, KeyUse)
    assert isinstance(lost, SignerError)
    await journal.settle([Outcome(intent("a").key, signed.attempt, OutcomeKind.RELEASED, b"m", b"s" * 32)])
    assert (await states(journal, "a")) == [SignatureState.RELEASED]


async def test_ids_that_another_daemon_works_on_are_refused_when_the_time_is_up(journal: Journal, request_: Request) -> None:
    await use_key(journal, ScriptedDoor(), CREDENTIAL, request_, [intent("a")])
    door = ScriptedDoor()
    request_.deadline_s = request_.clock_s() + 1.0
    with pytest.raises(SignatureInProgress):
        await use_key(journal, door, CREDENTIAL, request_, [intent("a")])
    assert door.seen == []


async def test_ids_that_another_daemon_works_on_are_waited_for(journal: Journal, request_: Request) -> None:
    (first,) = await use_key(journal, ScriptedDoor(), CREDENTIAL, request_, [intent("a")])
    door = ScriptedDoor()
    waiting = asyncio.create_task(use_key(journal, door, CREDENTIAL, request_, [intent("a"), intent("b")]))
    await asyncio.sleep(0.05)
    assert isinstance(first, KeyUse)
    await journal.settle([Outcome(intent("a").key, first.attempt, OutcomeKind.RELEASED, b"m", b"s" * 32)])
    with pytest.raises(SignatureSettled):
        await waiting
    assert door.seen == []
