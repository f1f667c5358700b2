"""Whether it is the person: `people.doors.FactorCheck`, and what people do with their own factors.

    1  what was given is of the kinds that are enough, by what the caller said alone
    2  a try is counted before anything is looked at; a person who must wait, is locked or does not exist goes on as if nothing were
    3  every factor is looked at, whatever came of the one before
    4  what works once is taken, right or wrong as the whole was; a right try takes its count back
    5  a refusal comes after a fixed time

An answer therefore tells nobody whether the person exists, is locked, or which factor was wrong. One try a person is looked at at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final
from weakref import WeakValueDictionary

from signer.access import totp
from signer.access.appliance_keys import ApplianceKeys
from signer.access.factor_rules import FactorPolicy, require_pin
from signer.control.challenges import Challenge, Challenges
from signer.control.passkeys import Attestation, Authenticators
from signer.control.pins import Pins
from signer.errors import FactorsRefused, InvalidArgument
from signer.journal.factors import Begun, Ended, FactorStore
from signer.model import Role
from signer.people.doors import Rights
from signer.people.factor import KINDS, Factor, FactorKind, KeptFactors, Passkey, PinFactor, TotpFactor, TryLimits, WebAuthnFactor
from signer.secrets import Secret
from signer.store.times import microseconds
from signer.telemetry.metrics import Metrics

_ISSUER: Final = "signer"
_NEW_PASSKEY: Final = sha256(b"signer new passkey").digest()


@dataclass(frozen=True, slots=True)
class FactorRules:
    """policy: which are enough. limits: how wrong tries are answered. refusal_s: how long a refusal takes at least."""

    policy: FactorPolicy
    limits: TryLimits
    refusal_s: float


@dataclass(slots=True)
class _Look:
    """What looking at a try has shown."""

    right: bool = True
    totp_step: int | None = None
    challenge_id: str = ""
    challenge_expires_us: int = 0
    passkey: Passkey | None = None


class Factors:
    """All of it. Owned by the event loop. people: who is disabled."""

    def __init__(
        self,
        store: FactorStore,
        people: Rights,
        *,
        keys: ApplianceKeys,
        pins: Pins,
        challenges: Challenges,
        authenticators: Authenticators,
        rules: FactorRules,
        metrics: Metrics,
        utc_now: Callable[[], datetime],
    ) -> None:
        self.store = store
        self._people = people
        self._keys = keys
        self._pins = pins
        self._challenges = challenges
        self._authenticators = authenticators
        self._rules = rules
        self._metrics = metrics
        self._utc_now = utc_now
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def require(
        self, person_id: str, factors: Sequence[Factor], role: Role | None = None, purpose: bytes = b"", *, may: bool = True
    ) -> frozenset[FactorKind]:
        """`FactorCheck.require`. may: False refuses whatever is given, as if it were wrong."""
        kinds = self.require_enough(factors, role)  # 1
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        turn = self._turns.setdefault(person_id, asyncio.Lock())
        async with turn:
            begun = await self.store.begin(person_id)  # 2
            person = await self._people.find(person_id)
            look = await self._look(begun, person_id, factors, purpose)  # 3
            may_pass = may and begun.may_try and person is not None and not person.disabled
            good = await self.store.end(self._ended(begun, person_id, look, right=look.right and may_pass))  # 4
        if good:
            return kinds
        self._metrics.factor_refusals.inc()
        await asyncio.sleep(began_s + self._rules.refusal_s - loop.time())  # 5
        raise FactorsRefused(
            "the person or the factors are wrong, were used before, or may not be tried yet; wait, then try again",
            retry_after_s=self._rules.limits.delay_s(begun.wrong),
        )

    def require_enough(self, factors: Sequence[Factor], role: Role | None) -> frozenset[FactorKind]:
        """The kinds given; InvalidArgument when they are not enough for the role, however right they are."""
        kinds = _kinds(factors)
        self._rules.policy.require_enough(kinds, role)
        return kinds

    async def challenge(self, person_id: str, purpose: bytes, *, is_known: bool = False) -> Challenge:
        """For a WebAuthn assertion bound to the purpose; also for unknown people. QuotaExceeded when there were too many.

        is_known: it is the person who asks.
        """
        self._authenticators.require_served()
        minted = self._challenges.mint(person_id, purpose, is_known=is_known)
        known = [passkey.id for passkey in await self.store.passkeys_of(person_id)] or [self._challenges.pretend_id(person_id)]
        return Challenge(minted.id, self._authenticators.assertion_options(minted.challenge, known), minted.expires)

    async def prepared(self, person_id: str, pin: Secret, totp_seed: bytes, code: Secret) -> KeptFactors:
        """First factors, ready to be written with `journal.factors.set_factors`.

        InvalidArgument for a PIN that the rules refuse, or a code that is not the seed's: the person's app does not have it.
        """
        require_pin(pin.reveal())
        step = totp.accepted_step(totp_seed, code.reveal(), self._utc_now(), 0)
        if step is None:
            raise InvalidArgument(
                "the code is not the app's present one: let it read the picture again, and see to its clock", field="totp"
            )
        return KeptFactors(person_id, await self._sealed_pin(person_id, pin), self._keys.seal(totp_seed, seed_context(person_id)), step)

    async def change_pin(self, person_id: str, factors: Sequence[Factor], pin: Secret) -> None:
        """Sets another PIN, by the present factors. InvalidArgument for one that the rules refuse."""
        require_pin(pin.reveal())
        await self.require(person_id, factors)
        await self.store.change_pin(person_id, await self._sealed_pin(person_id, pin))

    async def passkeys(self, person_id: str) -> Sequence[Passkey]:
        """All of the person's."""
        return await self.store.passkeys_of(person_id)

    async def begin_passkey(self, person_id: str) -> Challenge:
        """For a new passkey of a person who is known by now."""
        self._authenticators.require_served()
        minted = self._challenges.mint(person_id, _NEW_PASSKEY, is_known=True)
        person = await self._people.find(person_id)
        known = [passkey.id for passkey in await self.store.passkeys_of(person_id)]
        name = person.display_name if person else ""
        return Challenge(minted.id, self._authenticators.registration_options(minted.challenge, person_id, name, known), minted.expires)

    async def add_passkey(self, person_id: str, factors: Sequence[Factor], attestation: Attestation) -> None:
        """Believes a new passkey, by the present factors.

        InvalidArgument for an attestation that does not answer the challenge; IdTaken for one that is registered already.
        """
        await self.require(person_id, factors)
        minted = self._challenges.find(attestation.challenge_id, person_id, _NEW_PASSKEY)
        if minted is None:
            raise InvalidArgument("the challenge is over; begin again", field="attestation")
        await self.store.add_passkey(self._authenticators.registered(attestation, minted.challenge, person_id, self._utc_now()))

    async def remove_passkey(self, person_id: str, factors: Sequence[Factor], passkey_id: bytes) -> None:
        """Forgets one, by the present factors; unknown ones are no error."""
        await self.require(person_id, factors)
        await self.store.remove_passkey(person_id, passkey_id)

    async def unlock(self, client_id: str, person_id: str, approval_id: str) -> None:
        """Lets a person try again. Whoever calls has seen to the approval."""
        await self.store.unlock(person_id, {"client": client_id, "approval": approval_id})

    async def _look(self, begun: Begun, person_id: str, factors: Sequence[Factor], purpose: bytes) -> _Look:
        look = _Look()
        kept = begun.factors or KeptFactors(person_id)
        for factor in factors:
            match factor:
                case PinFactor(pin):
                    right = await self._pins.is_right(pin, self._opened(kept.pin, pin_context(person_id)))
                case TotpFactor(code):
                    seed = self._opened(kept.totp_seed, seed_context(person_id)) or totp.new_seed()
                    look.totp_step = totp.accepted_step(seed, code.reveal(), self._utc_now(), kept.totp_step)
                    right = look.totp_step is not None
                case WebAuthnFactor():
                    right = await self._assert(look, factor, begun.passkeys, person_id, purpose)
            look.right = look.right and right
        return look

    async def _assert(self, look: _Look, factor: WebAuthnFactor, passkeys: Sequence[Passkey], person_id: str, purpose: bytes) -> bool:
        minted = self._challenges.find(factor.challenge_id, person_id, purpose)
        passkey = next((each for each in passkeys if each.id == factor.authenticator_credential_id), None)
        if minted is None or passkey is None:
            return False
        look.challenge_id, look.challenge_expires_us = minted.id, microseconds(minted.expires)
        count = await asyncio.to_thread(self._authenticators.asserted, factor, minted.challenge, passkey)
        if count is None:
            return False
        look.passkey = Passkey(passkey.id, person_id, passkey.public_key, count, passkey.created, passkey.label)
        return True

    def _ended(self, begun: Begun, person_id: str, look: _Look, *, right: bool) -> Ended:
        return Ended(person_id, right, begun.may_try, look.totp_step, look.challenge_id, look.challenge_expires_us, look.passkey)

    async def _sealed_pin(self, person_id: str, pin: Secret) -> bytes:
        return self._keys.seal(await self._pins.hash(pin), pin_context(person_id))

    def _opened(self, sealed: bytes, context: str) -> bytes:
        return self._keys.open(sealed, context) if sealed else b""


def _kinds(factors: Sequence[Factor]) -> frozenset[FactorKind]:
    kinds = [KINDS[type(factor)] for factor in factors]
    if len(set(kinds)) < len(kinds):
        raise InvalidArgument("give each kind of factor once", field="factors")
    return frozenset(kinds)


def pin_context(person_id: str) -> str:
    """What a person's PIN is sealed for."""
    return f"pin of {person_id}"


def seed_context(person_id: str) -> str:
    """What a person's TOTP seed is sealed for."""
    return f"totp seed of {person_id}"
