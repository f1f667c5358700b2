"""A holder decides on the page, step by step, on a real journal of either database, with a clock of the test's own."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client import CollectorRegistry
from sqlalchemy import select, update

from signer.access import totp
from signer.access.appliance_keys import ApplianceKeys
from signer.access.factor_rules import FactorPolicy
from signer.control.activation import Activations
from signer.control.authorizing import Authorizing, Times, Wanted
from signer.control.challenges import Challenges
from signer.control.factors import FactorRules, Factors, pin_context, seed_context
from signer.control.passkeys import Attestation, Authenticators
from signer.control.pins import Pins
from signer.errors import (
    AuthorizationExpired,
    AuthorizationInvalid,
    AuthorizationNotFound,
    AuthorizationRequired,
    AuthorizationSpent,
    DocumentNotAuthorized,
    FactorsRefused,
    InvalidArgument,
    JournalDamaged,
    QuotaExceeded,
    RoleRefused,
)
from signer.formats.entry_list import digest_of_entries
from signer.formats.merkle import inclusion_proof, leaf_hash, root_of_entries
from signer.journal import Journal
from signer.journal.authorizations import AuthorizationStore
from signer.journal.factors import FactorStore, set_factors
from signer.journal.jobs import Change
from signer.model import Role
from signer.people.authorization import (
    AuthorizationState,
    AuthorizationTarget,
    ListBinding,
    ListProof,
    Presentation,
    PresentedItem,
    SignableList,
)
from signer.people.factor import Factor, KeptFactors, PinFactor, TotpFactor, TryLimits, WebAuthnFactor
from signer.people.person import Assignment, Person, Right, Scope
from signer.secrets import Secret
from signer.store.activation_tables import signing_authorization
from signer.telemetry.metrics import Metrics
from tests.support.merkle import Leaves
from tests.support.stores import Store
from tests.support.waiting import until_true

START = datetime(2026, 5, 28, 8, tzinfo=UTC)
SEED = b"12345678901234567890"
ORIGIN = "https://ky.so.example"
ENTRIES = tuple(hashlib.sha256(b"%d" % number).digest() for number in range(3))
FOLDED = {ListBinding.DIGEST: digest_of_entries(ENTRIES), ListBinding.ROOT: root_of_entries(ENTRIES)}


class Clock:
    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def go(self, **span: float) -> None:
        self.at += timedelta(**span)


class People:
    """Who there is: Lan, homeroom teacher of one school."""

    async def find(self, person_id: str) -> Person | None:
        return Person(person_id, "Lan", disabled=person_id == "gone") if person_id in {"lan", "gone", "hoa"} else None

    async def held(self, person_id: str, at: datetime) -> list[Right]:  # noqa: ARG002  # as Rights
        assignment = Assignment("a", person_id, Role.HOMEROOM_TEACHER, Scope("79000001", 2025, "12A1"))
        return [Right(person_id, Role.HOMEROOM_TEACHER, assignment)] if person_id == "lan" else []

    async def require(self, *_arguments: Any) -> Right:
        raise AssertionError("nobody asks")


@dataclass(slots=True)
class Room:
    clock: Clock
    factors: Factors
    authorizing: Authorizing
    activations: Activations
    journal: Journal

    def given(self, pin: str = "271828") -> list[Factor]:
        """What Lan's app shows now; each call a step later."""
        self.clock.go(seconds=30)
        return [PinFactor(Secret(pin)), TotpFactor(Secret(totp.code_at(SEED, totp.step_at(self.clock.at))))]


@asynccontextmanager
async def room(store: Store, policy: FactorPolicy | None = None) -> AsyncIterator[Room]:
    clock, keys, pins = Clock(), ApplianceKeys([b"s" * 43]), Pins(1)
    journal = Journal(store.url, clock=clock.now)
    await journal.start()
    limits = TryLimits(tries_max=3)
    metrics = Metrics.on(CollectorRegistry())
    factors = Factors(
        FactorStore(journal, limits),
        People(),
        keys=keys,
        pins=pins,
        challenges=Challenges(keys, clock.now, time.monotonic),
        authenticators=Authenticators(ORIGIN),
        rules=FactorRules(policy or FactorPolicy(), limits, 0.0),
        metrics=metrics,
        utc_now=clock.now,
    )
    for person_id in ("lan", "gone"):
        kept = KeptFactors(
            person_id, keys.seal(await pins.hash(Secret("271828")), pin_context(person_id)), keys.seal(SEED, seed_context(person_id)), 0
        )
        await journal.run(_Also(kept))
    authorizations = AuthorizationStore(journal)
    times = Times(timedelta(minutes=5), timedelta(hours=1))
    authorizing = Authorizing(authorizations, factors, People(), keys=keys, times=times, utc_now=clock.now)
    try:
        yield Room(clock, factors, authorizing, Activations(authorizations, keys, metrics), journal)
    finally:
        pins.close()
        await journal.stop()


class _Also(Change):
    __slots__ = ("kept",)

    def __init__(self, kept: KeptFactors) -> None:
        super().__init__(asyncio.get_running_loop())
        self.kept = kept

    def apply(self, connection: Any, ledger: Any) -> None:
        set_factors(self.kept)(connection, ledger)


ITEMS = tuple(PresentedItem(f"d{number}", entry, f"Pupil {number}") for number, entry in enumerate(ENTRIES))
TARGET = AuthorizationTarget(
    "79000001",
    "lans-key",
    SignableList(ListBinding.DIGEST, FOLDED[ListBinding.DIGEST], 3, source_documents=True),
    Presentation("12A1", "THPT", Role.HOMEROOM_TEACHER, items=ITEMS),
    plan_sha256=b"p" * 32,
    role=Role.HOMEROOM_TEACHER,
)
ASKED = replace(TARGET, list=SignableList(ListBinding.DIGEST, b"", 0, source_documents=True), presentation=Presentation())


def wanted(**changes: Any) -> Wanted:
    fields: dict[str, Any] = {"target": TARGET, "client_id": "school", "person_id": "lan", "holder": "lan"}
    return Wanted(**(fields | changes))


async def test_what_is_asked_is_shown_decided_once_and_spent_once(store: Store) -> None:
    async with room(store) as at:
        asked = await at.authorizing.request(wanted(), "r1", timedelta())
        [shown] = await at.authorizing.waiting("lan")
        assert (shown.id, shown.target.presentation.items) == (asked.id, ITEMS)
        assert await at.authorizing.sad("school", asked.id) == b""
        await at.authorizing.grant("lan", [asked.id], at.given())
        assert await at.authorizing.waiting("lan") == []
        with pytest.raises(AuthorizationExpired):
            await at.authorizing.grant("lan", [asked.id], at.given())
        assert await at.authorizing.sad("other-software", asked.id) == b""
        sad = await at.authorizing.sad("school", asked.id)
        held = await at.activations.present(sad, ENTRIES, ASKED, "school", "sign-1")
        held.require(ENTRIES[0], "d0")
        with pytest.raises(DocumentNotAuthorized):
            held.require(b"x" * 32, "dx")
        with pytest.raises(AuthorizationSpent):
            await at.activations.present(sad, ENTRIES, ASKED, "school", "sign-2")
        at.clock.go(hours=9)
        await at.activations.present(sad, ENTRIES, ASKED, "school", "sign-1")
        [done] = await at.authorizing.decided("lan", after="", limit=10)
        assert (done.state, done.spent_by) == (AuthorizationState.SPENT, "sign-1")
    assert b"Pupil 0" not in store.content()


async def test_what_is_refused_late_or_another_persons_is_never_granted(store: Store) -> None:
    async with room(store) as at:
        one, two, three = [(await at.authorizing.request(wanted(), f"r{number}", timedelta())).id for number in range(3)]
        with pytest.raises(AuthorizationNotFound):
            await at.authorizing.grant("hoa", [one], at.given())
        await at.authorizing.reject("lan", [one])
        with pytest.raises(AuthorizationExpired):
            await at.authorizing.grant("lan", [one, two], at.given())
        assert (await at.authorizing.find("79000001", two)).state is AuthorizationState.PENDING, "all or none"
        await at.authorizing.revoke("school", "79000001", two, "wrong class")
        at.clock.go(hours=2)
        states = [(await at.authorizing.find("79000001", each)).state for each in (one, two, three)]
        assert states == [AuthorizationState.REJECTED, AuthorizationState.REVOKED, AuthorizationState.EXPIRED]
        with pytest.raises(AuthorizationExpired):
            await at.authorizing.grant("lan", [three], at.given())
        with pytest.raises(AuthorizationNotFound):
            await at.authorizing.find("79000002", one)


async def test_a_sad_that_waited_too_long_is_over(store: Store) -> None:
    async with room(store) as at:
        sad, given = await at.authorizing.authorize(wanted(lifetime=timedelta(days=1)), at.given())
        assert given.lifetime == timedelta(minutes=5), "never longer than configured"
        at.clock.go(minutes=5)
        with pytest.raises(AuthorizationExpired):
            await at.activations.present(sad, ENTRIES, ASKED, "school", "sign")
        with pytest.raises(AuthorizationRequired):
            await at.activations.present(b"", ENTRIES, ASKED, "school", "sign")


async def test_a_role_that_the_person_has_not_is_refused_after_their_factors(store: Store) -> None:
    async with room(store) as at:
        for target in (replace(TARGET, role=Role.PRINCIPAL), replace(TARGET, school_id="79000002"), replace(TARGET, delegation_id="d")):
            with pytest.raises(FactorsRefused):
                await at.authorizing.authorize(wanted(target=target), at.given("wrong-pin"))
            at.clock.go(minutes=5)
            with pytest.raises(RoleRefused):
                await at.authorizing.authorize(wanted(target=target), at.given())
        with pytest.raises(InvalidArgument):
            await at.authorizing.authorize(wanted(target=replace(TARGET, role=None), holder=""), at.given())
        assert (await at.authorizing.authorize(wanted(holder=""), at.given()))[0], "an organisation's key, in a role"


async def test_lines_that_nobody_decided_about_do_not_stay(store: Store) -> None:
    async with room(store) as at:
        old = await at.authorizing.request(wanted(), "r1", timedelta(minutes=1))
        assert await at.authorizing.store.shown(old.id)
        at.clock.go(minutes=2)
        new = await at.authorizing.request(wanted(), "r2", timedelta())
        assert not await at.authorizing.store.shown(old.id)
        assert await at.authorizing.store.shown(new.id)


async def test_an_organisations_key_is_nobodys_without_a_role(store: Store) -> None:
    async with room(store) as at:
        nobodys = wanted(target=replace(TARGET, role=None), holder="", person_id="hoa")
        with pytest.raises(InvalidArgument):
            await at.authorizing.request(nobodys, "r1", timedelta())
        assert await at.authorizing.waiting("hoa") == []


async def test_a_row_that_was_changed_behind_us_is_believed_no_more(store: Store) -> None:
    async with room(store) as at:
        sad, one = await at.authorizing.authorize(wanted(), at.given())
        _other, two = await at.authorizing.authorize(wanted(target=replace(TARGET, plan_sha256=b"q" * 32)), at.given())
    row = signing_authorization.c
    stolen = select(row.target).where(row.authorization_id == two.id).scalar_subquery()
    store.tamper(update(signing_authorization).where(row.authorization_id == one.id).values(target=stolen))
    journal = Journal(store.url, clock=at.clock.now)
    await journal.start()
    try:
        activations = Activations(AuthorizationStore(journal), ApplianceKeys([b"s" * 43]), Metrics.on(CollectorRegistry()))
        with pytest.raises(JournalDamaged):
            await activations.present(sad, ENTRIES, ASKED, "school", "sign")
    finally:
        await journal.stop()


async def test_wrong_tries_lock_and_an_operator_unlocks(store: Store) -> None:
    async with room(store) as at:
        for _ in range(3):
            with pytest.raises(FactorsRefused):
                await at.factors.require("lan", at.given("wrong-pin"))
            at.clock.go(minutes=5)
        with pytest.raises(FactorsRefused):
            await at.factors.require("lan", at.given())
        at.clock.go(days=30)
        with pytest.raises(FactorsRefused):
            await at.factors.require("lan", at.given())
        await at.factors.unlock("operator", "lan", "approval-1")
        assert await at.factors.require("lan", at.given())


async def test_many_tries_at_once_are_as_many_tries(store: Store) -> None:
    async with room(store) as at:
        tries = [at.factors.require("lan", [PinFactor(Secret(f"guess-{number}")), TotpFactor(Secret("000000"))]) for number in range(20)]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        assert all(isinstance(outcome, FactorsRefused) for outcome in outcomes)
        at.clock.go(seconds=1)
        with pytest.raises(FactorsRefused) as caught:
            await at.factors.require("lan", at.given("wrong-pin"))
        assert caught.value.retry_after_s == 2.0, "of twenty at once one was looked at"


async def test_a_code_is_taken_by_success_and_by_failure(store: Store) -> None:
    async with room(store) as at:
        for pin in ("271828", "wrong-pin"):
            given = at.given(pin)
            if pin == "271828":
                assert await at.factors.require("lan", given)
            else:
                with pytest.raises(FactorsRefused):
                    await at.factors.require("lan", given)
            at.clock.go(seconds=2)
            with pytest.raises(FactorsRefused):
                await at.factors.require("lan", [PinFactor(Secret("271828")), given[1]])
            at.clock.go(minutes=5)


async def test_whoever_is_disabled_or_unknown_is_refused_like_anybody(store: Store) -> None:
    async with room(store) as at:
        for person_id in ("gone", "nobody"):
            with pytest.raises(FactorsRefused):
                await at.factors.require(person_id, at.given())


async def test_another_pin_takes_the_place_of_the_old_one(store: Store) -> None:
    async with room(store) as at:
        with pytest.raises(InvalidArgument):
            await at.factors.change_pin("lan", at.given(), Secret("123456"))
        await at.factors.change_pin("lan", at.given(), Secret("314159"))
        with pytest.raises(FactorsRefused):
            await at.factors.require("lan", at.given("271828"))
        at.clock.go(minutes=1)
        assert await at.factors.require("lan", at.given("314159"))


class Authenticator:
    """A platform authenticator, as browsers answer for it (W3C WebAuthn 6)."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id = b"authenticator-1"
        self.count = 0

    def data(self, *, attested: bool = False, verified: bool = True) -> bytes:
        self.count += 1
        flags = 0x01 | (0x04 if verified else 0) | (0x40 if attested else 0)
        data = hashlib.sha256(b"ky.so.example").digest() + bytes([flags]) + self.count.to_bytes(4)
        return data + bytes(16) + len(self.id).to_bytes(2) + self.id + self.cose() if attested else data

    def cose(self) -> bytes:
        numbers = self.key.public_key().public_numbers()
        return b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20" + numbers.x.to_bytes(32) + b"\x22\x58\x20" + numbers.y.to_bytes(32)

    def client_data(self, kind: str, options: str, origin: str = ORIGIN) -> bytes:
        return json.dumps({"type": f"webauthn.{kind}", "challenge": json.loads(options)["challenge"], "origin": origin}).encode()

    def attest(self, challenge: Any) -> Attestation:
        data = self.data(attested=True)
        made = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58" + bytes([len(data)]) + data
        return Attestation(challenge.id, "phone", self.client_data("create", challenge.options_json), made)

    def answer(self, challenge: Any, *, origin: str = ORIGIN, verified: bool = True) -> WebAuthnFactor:
        data, client_data = self.data(verified=verified), self.client_data("get", challenge.options_json, origin)
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        return WebAuthnFactor(challenge.id, self.id, data, client_data, signature)


async def test_a_passkey_allows_exactly_what_it_was_asked_about_once(store: Store) -> None:
    async with room(store, FactorPolicy(passkey_roles=frozenset({Role.HOMEROOM_TEACHER}))) as at:
        phone = Authenticator()
        await at.factors.add_passkey("lan", at.given(), phone.attest(await at.factors.begin_passkey("lan")))
        assert [passkey.label for passkey in await at.factors.passkeys("lan")] == ["phone"]
        with pytest.raises(InvalidArgument):
            await at.authorizing.authorize(wanted(), at.given())
        other = replace(TARGET, presentation=replace(TARGET.presentation, class_name="12A2"))
        challenge = await at.authorizing.challenge("lan", other)
        with pytest.raises(FactorsRefused):
            await at.authorizing.authorize(wanted(), [phone.answer(challenge)])
        for spoilt in ({"origin": "https://ky.so.example.evil"}, {"verified": False}):
            at.clock.go(minutes=3)
            with pytest.raises(FactorsRefused):
                await at.authorizing.authorize(wanted(), [phone.answer(await at.authorizing.challenge("lan", TARGET), **spoilt)])
            await at.factors.unlock("operator", "lan", "")
        answer = phone.answer(await at.authorizing.challenge("lan", TARGET))
        assert (await at.authorizing.authorize(wanted(), [answer]))[0]
        with pytest.raises(FactorsRefused):
            await at.authorizing.authorize(wanted(), [answer])
        at.clock.go(minutes=1)
        late = phone.answer(await at.authorizing.challenge("lan", TARGET))
        at.clock.go(minutes=6)
        with pytest.raises(FactorsRefused):
            await at.authorizing.authorize(wanted(), [late])


async def test_challenges_for_nobody_look_like_anybodys_and_are_bounded(store: Store) -> None:
    async with room(store) as at:
        first, second = [json.loads((await at.authorizing.challenge("nobody", TARGET)).options_json) for _ in range(2)]
        assert first["challenge"] != second["challenge"]
        assert first["allowCredentials"] == second["allowCredentials"]
        assert len(base64.urlsafe_b64decode(first["allowCredentials"][0]["id"] + "==")) == 32
        for _ in range(8):
            await at.authorizing.challenge("nobody", TARGET)
        with pytest.raises(QuotaExceeded):
            await at.authorizing.challenge("nobody", TARGET)


async def test_strangers_use_up_no_challenge_of_who_is_signed_in(store: Store) -> None:
    async with room(store) as at:
        for is_known in (False, True):
            for _ in range(10):
                await at.factors.challenge("lan", b"any purpose", is_known=is_known)
            with pytest.raises(QuotaExceeded):
                await at.factors.challenge("lan", b"any purpose", is_known=is_known)


async def test_the_page_grants_several_by_one_word_bound_to_just_these(store: Store) -> None:
    async with room(store) as at:
        phone = Authenticator()
        await at.factors.add_passkey("lan", at.given(), phone.attest(await at.factors.begin_passkey("lan")))
        ids = []
        for number in range(3):
            at.clock.go(seconds=1)
            ids.append((await at.authorizing.request(wanted(), f"r{number}", timedelta())).id)
        shown = await at.authorizing.waiting("lan")
        challenge = await at.factors.challenge("lan", at.authorizing.purpose(shown[:2]))
        with pytest.raises(FactorsRefused):
            await at.authorizing.grant("lan", ids, [phone.answer(challenge)])
        at.clock.go(minutes=1)
        challenge = await at.factors.challenge("lan", at.authorizing.purpose(shown[:2]))
        await at.authorizing.grant("lan", ids[1::-1], [phone.answer(challenge)])
        states = [(await at.authorizing.find("79000001", each)).state for each in ids]
        assert states == [AuthorizationState.GRANTED, AuthorizationState.GRANTED, AuthorizationState.PENDING]


async def test_whoever_watches_hears_of_the_decision(store: Store) -> None:
    async with room(store) as at:
        asked = await at.authorizing.request(wanted(), "r1", timedelta())

        seen: list[AuthorizationState] = []

        async def watch() -> None:
            async for found in at.authorizing.watch("79000001", asked.id, lambda: None):
                seen.append(found.state)  # noqa: PERF401  # looked at while it goes on

        watching = asyncio.create_task(watch())
        await until_true(lambda: seen, "what it is now")
        await at.authorizing.grant("lan", [asked.id], at.given())
        await asyncio.wait_for(watching, 60)
        assert seen == [AuthorizationState.PENDING, AuthorizationState.GRANTED]


def allowing(binding: ListBinding, folded: bytes) -> Wanted:
    """The list by 32 bytes alone: its entries are kept nowhere."""
    shown = replace(TARGET.presentation, items=())
    return wanted(target=replace(TARGET, list=replace(TARGET.list, binding=binding, sha256=folded), presentation=shown))


@pytest.mark.parametrize("binding", ListBinding)
async def test_a_list_is_the_whole_list_in_its_order(store: Store, binding: ListBinding) -> None:
    async with room(store) as at:
        sad, _given = await at.authorizing.authorize(allowing(binding, FOLDED[binding]), at.given())
        for entries in (ENTRIES[:2], ENTRIES[::-1], (ENTRIES[0], b"x" * 32, ENTRIES[2]), (*ENTRIES, b"x" * 32)):
            with pytest.raises(AuthorizationInvalid):
                await at.activations.present(sad, entries, ASKED, "school", "sign")
        held = await at.activations.present(sad, ENTRIES, ASKED, "school", "sign")
        held.require(ENTRIES[1], "d1")


@pytest.mark.parametrize("binding", ListBinding)
async def test_a_list_bound_one_way_is_never_read_as_bound_the_other_way(store: Store, binding: ListBinding) -> None:
    """The same 32 bytes, allowed as the other kind: neither the entries nor a proof that leads to them make it the list."""
    [other] = set(ListBinding) - {binding}
    proof = ListProof(0, inclusion_proof(Leaves([leaf_hash(entry) for entry in ENTRIES]), 0, 3))
    async with room(store) as at:
        sad, _given = await at.authorizing.authorize(allowing(other, FOLDED[binding]), at.given())
        with pytest.raises(AuthorizationInvalid):
            await at.activations.present(sad, ENTRIES, ASKED, "school", "sign")
        held = await at.activations.present(sad, (), ASKED, "school", "sign")
        with pytest.raises(DocumentNotAuthorized):
            held.require(ENTRIES[0], "d0", proof)


async def test_a_proof_is_for_a_root_alone(store: Store) -> None:
    proof = ListProof(0, inclusion_proof(Leaves([leaf_hash(entry) for entry in ENTRIES]), 0, 3))
    async with room(store) as at:
        for binding in ListBinding:
            sad, _given = await at.authorizing.authorize(allowing(binding, FOLDED[binding]), at.given())
            held = await at.activations.present(sad, (), ASKED, "school", "sign")
            if binding is ListBinding.ROOT:
                held.require(ENTRIES[0], "d0", proof)
            else:
                with pytest.raises(DocumentNotAuthorized):
                    held.require(ENTRIES[0], "d0", proof)
