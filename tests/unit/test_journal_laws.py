"""The journal against a model of a few lines, on both databases: any sequence of calls, refusals, lock-outs and restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from signer.algorithms import SignatureAlgorithm
from signer.errors import InternalError, JournalUnavailable, RequestIdReused, SignatureInProgress, SignatureSettled, SignerError
from signer.journal import Intent, Journal, Outcome, OutcomeKind, SignatureState, verify_chain
from signer.model import SignatureKey
from signer.store import open_engine
from tests.support.stores import Store

T = TypeVar("T")
documents = st.sampled_from(["pupil-1", "pupil-2", "pupil-3"])
contents = st.sampled_from([b"content"] * 5 + [b"other content"])
STATE_AFTER = {
    OutcomeKind.RELEASED: SignatureState.RELEASED,
    OutcomeKind.PARKED: SignatureState.PARKED,
    OutcomeKind.FAILED: SignatureState.FAILED,
    OutcomeKind.UNKNOWN: SignatureState.INTENDED,
}


@dataclass
class Expected:
    """What the journal should hold of one key."""

    fingerprint: bytes
    state: SignatureState = SignatureState.INTENDED
    attempts: int = 0
    under_way: bool = False
    stranded: bool = False
    material: bytes = b""
    releases: int = field(default=0)


class JournalLaws(RuleBasedStateMachine):
    store: ClassVar[Store]

    @initialize()
    def open(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.store.empty()
        self.expected: dict[str, Expected] = {}
        self.serials: set[int] = set()
        self.start()

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(call)

    def start(self) -> None:
        self.journal = Journal(self.store.url, busy_timeout_s=self.store.busy_timeout_s)
        self.run(self.journal.start())

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.run(self.journal.stop())
            self.loop.close()

    def attempt(self, call: Coroutine[Any, Any, T], expected: type[SignerError] | None) -> T | None:
        if expected is None:
            return self.run(call)
        with pytest.raises(expected):
            self.run(call)
        return None

    def key(self, document: str) -> SignatureKey:
        return SignatureKey("school", "class", document)

    def why_not_intend(self, document: str, fingerprint: bytes) -> type[SignerError] | None:
        known = self.expected.get(document)
        if known is None:
            return None
        if known.fingerprint != fingerprint:
            return RequestIdReused
        if known.state in {SignatureState.RELEASED, SignatureState.PARKED}:
            return SignatureSettled
        return SignatureInProgress if known.under_way and not known.stranded else None

    @rule(document=documents, content=contents)
    def intend(self, document: str, content: bytes) -> None:
        fingerprint = sha256(content).digest()
        refusal = self.why_not_intend(document, fingerprint)
        intent = Intent(self.key(document), fingerprint, "c", "k", "5a", SignatureAlgorithm.ECDSA_SHA256, fingerprint, "digest")
        granted = self.attempt(self.journal.intend([intent]), refusal)
        if granted is not None:
            known = self.expected.setdefault(document, Expected(fingerprint))
            known.attempts += 1
            known.state, known.under_way, known.stranded = SignatureState.INTENDED, True, False
            assert granted == [known.attempts]

    @rule(document=documents, kind=st.sampled_from(OutcomeKind), behind=st.integers(0, 1), material=st.binary(max_size=64))
    def settle(self, document: str, kind: OutcomeKind, behind: int, material: bytes) -> None:
        known = self.expected.get(document)
        attempt = (known.attempts if known else 1) - behind
        refusal: type[SignerError] | None = None
        if known is None:
            refusal = InternalError
        elif behind or not (known.under_way or (known.state is SignatureState.PARKED and kind is OutcomeKind.RELEASED)):
            refusal = SignatureSettled
        if kind not in {OutcomeKind.RELEASED, OutcomeKind.PARKED}:
            material = b""
        settled = Outcome(self.key(document), attempt, kind, material, sha256(b"signature").digest())
        try:
            self.attempt(self.journal.settle([settled]), refusal)
        except SignatureSettled:
            assert known is not None
            assert known.stranded, "it was given up without a reason"
            known.under_way = known.stranded = False
            return
        if known is not None and refusal is None:
            known.state, known.under_way, known.stranded, known.material = STATE_AFTER[kind], False, False, material
            known.releases += kind is OutcomeKind.RELEASED

    @rule(document=documents)
    def settle_while_nothing_can_be_written(self, document: str) -> None:
        known = self.expected.get(document)
        with self.store.locked():
            outcome = Outcome(self.key(document), known.attempts if known else 1, OutcomeKind.FAILED)
            self.attempt(self.journal.settle([outcome]), JournalUnavailable)
        if known is not None and known.under_way:
            known.stranded = True

    @rule()
    def restart(self) -> None:
        self.run(self.journal.stop())
        self.start()
        for known in self.expected.values():
            known.under_way = known.stranded = False

    @rule(count=st.integers(1, 5))
    def reserve(self, count: int) -> None:
        serials = set(self.run(self.journal.reserve_serials(count)))
        assert len(serials) == count
        assert not serials & self.serials
        self.serials |= serials

    @invariant()
    def the_journal_holds_what_the_model_holds(self) -> None:
        if not hasattr(self, "journal"):
            return
        stored = self.run(self.journal.look_up([self.key(document) for document in ("pupil-1", "pupil-2", "pupil-3")]))
        held = {key.document_id: (each.fingerprint, each.state, each.attempts) for key, each in stored.items()}
        assert held == {document: (known.fingerprint, known.state, known.attempts) for document, known in self.expected.items()}
        for key, each in stored.items():
            known = self.expected[key.document_id]
            assert known.releases <= 1
            if not known.under_way:
                assert each.material == known.material

    @invariant()
    def every_intent_is_accounted_for_in_an_unbroken_chain(self) -> None:
        if not hasattr(self, "journal"):
            return
        counts = self.run(self.journal.accounting())
        assert counts.balanced
        assert counts.intents == sum(known.attempts for known in self.expected.values())
        assert counts.released == sum(known.releases for known in self.expected.values())
        under_way = [known for known in self.expected.values() if known.under_way]
        assert sum(not known.stranded for known in under_way) <= counts.open <= len(under_way), (
            "what is stranded is given up at some moment"
        )
        with open_engine(self.store.url, must_exist=True).connect() as connection:
            verify_chain(connection)


def test_the_journal_does_what_the_model_does(store: Store) -> None:
    class OnThisStore(JournalLaws):
        pass

    OnThisStore.store = store
    laws = settings(
        max_examples=max(4, store.examples // 8),
        stateful_step_count=15,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        derandomize=True,
    )
    run_state_machine_as_test(OnThisStore, settings=laws)
