"""The rooms of what holders allow, wired to one another, and what a request says of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from signer.access.factor_rules import FactorPolicy
from signer.config import Config
from signer.control.activation import Activations
from signer.control.authorizing import Authorizing, Times
from signer.control.challenges import Challenges
from signer.control.enrolment import OneTimeCodes
from signer.control.factors import FactorRules, Factors
from signer.control.first_factors import FirstFactors
from signer.control.passkeys import Authenticators
from signer.control.people import People
from signer.control.pins import Pins
from signer.control.secret_files import read_keys
from signer.control.settings import ActivationSettings
from signer.errors import InternalError, InvalidArgument
from signer.journal import Journal
from signer.journal.authorizations import AuthorizationStore
from signer.journal.factors import FactorStore
from signer.people.authorization import ListProof
from signer.people.factor import TryLimits
from signer.pipeline.allowing import activate
from signer.pipeline.engine import Engine
from signer.pipeline.plan import ReadyPlan
from signer.pipeline.request import Request
from signer.pipeline.seal_rule import in_person
from signer.telemetry.metrics import Metrics
from signer.v1 import signature_pb2

_HASH_BYTES: Final = 32
_ENTRY_BYTES_MAX: Final = 64
_PATH_MAX: Final = 40
_SAD_BYTES_MAX: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class ActivationRooms:
    """page_origin: of the page for people; empty where there is none."""

    factors: Factors
    first_factors: FirstFactors
    authorizing: Authorizing
    activations: Activations
    pins: Pins
    page_origin: str


def furnish_activation(
    config: Config, journal: Journal, metrics: Metrics, *, people: People, codes: OneTimeCodes, utc_now: Callable[[], datetime]
) -> ActivationRooms:
    """All of them. ConfigError where the appliance's own secrets can't be had."""
    settings = config.activation
    keys = read_keys(settings, config.journal.sqlite_file)
    origin = config.pages.origin if config.pages else ""
    limits = TryLimits(settings.tries_max, settings.delay_s_max)
    pins = Pins(settings.hashes_at_once)
    factors = Factors(
        FactorStore(journal, limits),
        people,
        keys=keys,
        pins=pins,
        challenges=Challenges(keys, utc_now, _clock_s),
        authenticators=Authenticators(origin),
        rules=FactorRules(_policy(settings), limits, settings.refusal_s),
        metrics=metrics,
        utc_now=utc_now,
    )
    store = AuthorizationStore(journal)
    times = Times(timedelta(seconds=settings.sad_s_max), timedelta(seconds=settings.decide_s_max))
    authorizing = Authorizing(store, factors, people, keys=keys, times=times, utc_now=utc_now)
    return ActivationRooms(factors, FirstFactors(codes, factors), authorizing, Activations(store, keys, metrics), pins, origin)


async def activated(engine: Engine, request: Request, plan: ReadyPlan, said: signature_pb2.Activation) -> ReadyPlan:
    """The plan with what its key's holder allows. A SAD that is refused refuses items, each for itself."""
    if engine.activation is None:
        raise InternalError("nobody looks at SADs")
    if len(said.sad) > _SAD_BYTES_MAX:
        raise InvalidArgument(f"activation.sad is longer than {_SAD_BYTES_MAX} bytes", field="activation.sad")
    given = entries(said.entries, "activation.entries", engine.multisign_max)
    return in_person(engine, await activate(engine.activation, request, plan, said.sad, given))


def entries(given: Sequence[bytes], field: str, count_max: int) -> tuple[bytes, ...]:
    """A list's entries: all of one length, each once; InvalidArgument otherwise."""
    if not given:
        return ()
    lengths = {len(entry) for entry in given}
    if len(given) > count_max:
        raise InvalidArgument(f"{field} has more than {count_max} entries", field=field)
    if len(lengths) > 1 or not _HASH_BYTES <= lengths.pop() <= _ENTRY_BYTES_MAX:
        raise InvalidArgument(f"{field} must be digests of {_HASH_BYTES} to {_ENTRY_BYTES_MAX} bytes, all of one length", field=field)
    if len(set(given)) < len(given):
        raise InvalidArgument(f"{field} has an entry twice", field=field)
    return tuple(given)


def list_proof(message: signature_pb2.ListProof, field: str) -> ListProof:
    """An inclusion proof."""
    if len(message.path) > _PATH_MAX or any(len(each) != _HASH_BYTES for each in message.path):
        raise InvalidArgument(f"{field}.path must be at most {_PATH_MAX} hashes of {_HASH_BYTES} bytes", field=field)
    return ListProof(message.index, tuple(message.path))


def _policy(settings: ActivationSettings) -> FactorPolicy:
    return FactorPolicy(frozenset(settings.pin_alone_roles), frozenset(settings.passkey_roles))


def _clock_s() -> float:
    return asyncio.get_running_loop().time()
