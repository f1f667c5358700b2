from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from signer.algorithms import SignatureAlgorithm
from signer.errors import SignerError
from signer.journal.model import Intent, Outcome, OutcomeKind
from signer.model import Credential, SignatureKey
from signer.people.client import SchoolTier
from signer.pipeline.engine import Engine
from signer.pipeline.key_use import KeyUse, use_key
from signer.pipeline.request import Request
from signer.telemetry.metrics import KeyClass

APPLIANCE = "signer"
"""Who asks for the timestamps of the appliance's own signatures."""
APPLIANCES_OWN = ""
"""The school of what belongs to none."""
_REQUEST_ID = "timestamp"
_PLAN = "rfc3161"
_PATIENCE_S = 30.0
_PORTION_MIN = 32
"""Two commits a portion: on a busy machine, where tokens seem slow, fewer to share them would cost more than the token gains."""


@dataclass(slots=True, eq=False)
class _Wanted:
    digest: bytes
    serial: int
    client_id: str
    deadline_s: float
    signature: asyncio.Future[bytes]


class StampKey:
    """The authority's key behind the journal. What a client asks for in one turn of the loop is journalled together, in portions.

    A portion is what a worker of the token has in its hands (`lot_max`), and no more: while one is journalled and its timestamps are put
    together, the worker signs the next. A large turn in one piece, or in a large piece and a small one, would come back so again, and the
    token would stand idle in between.

    Clients take turns at the token, as schools do: nobody outside keeps the appliance's own signatures from their timestamps. A key use
    that has begun is brought to its end within our own patience, also when nobody waits any more.
    """

    def __init__(self, engine: Engine, credential: Credential, certificate_serial: str, algorithm: SignatureAlgorithm) -> None:
        self.credential = credential
        self._engine = engine
        self._certificate_serial = certificate_serial
        self._algorithm = algorithm
        self._waiting: list[_Wanted] = []
        labels = {"class": KeyClass.TIMESTAMP_AUTHORITY.value, "tier": SchoolTier.UNKNOWN.value}
        self._made = engine.metrics.class_signatures.labels(**labels)

    async def sign(self, digest: bytes, serial: int, *, client_id: str, deadline_s: float) -> bytes:
        """The signature of a digest, for the timestamp of this serial number. Raises what keeps the key from being used."""
        loop = asyncio.get_running_loop()
        wanted = _Wanted(digest, serial, client_id, deadline_s, loop.create_future())
        self._waiting.append(wanted)
        if len(self._waiting) == 1:
            loop.call_soon(self._begin)
        return await wanted.signature

    def _begin(self) -> None:
        by_client: dict[str, list[_Wanted]] = {}
        for wanted in self._waiting:
            if not wanted.signature.done():
                by_client.setdefault(wanted.client_id, []).append(wanted)
        self._waiting = []
        portion = max(_PORTION_MIN, self._engine.keys[self.credential.token_name].lot_max)
        for together in by_client.values():
            for at in range(0, len(together), portion):
                self._engine.start_task(self._sign(together[at : at + portion]))

    async def _sign(self, together: Sequence[_Wanted]) -> None:
        try:
            results = await self._use(together)
        except SignerError as error:
            results = [error.copy() for _ in together]
        for wanted, result in zip(together, results, strict=True):
            if wanted.signature.done():
                continue
            if isinstance(result, SignerError):
                wanted.signature.set_exception(result)
            else:
                wanted.signature.set_result(result)

    async def _use(self, together: Sequence[_Wanted]) -> list[bytes | SignerError]:
        engine = self._engine
        clock_s = asyncio.get_running_loop().time
        deadline_s = min(clock_s() + _PATIENCE_S, max(wanted.deadline_s for wanted in together))
        client_id = together[0].client_id
        line = APPLIANCES_OWN if client_id == APPLIANCE else client_id
        request = Request(client_id, line, _REQUEST_ID, deadline_s, clock_s)
        intents = [self._intent(wanted) for wanted in together]
        uses = await use_key(engine.ledger, engine.keys[self.credential.token_name], self.credential, request, intents)
        outcomes = [
            Outcome(intent.key, used.attempt, OutcomeKind.RELEASED, b"", hashlib.sha256(used.signature.signature).digest())
            for intent, used in zip(intents, uses, strict=True)
            if isinstance(used, KeyUse)
        ]
        if outcomes:
            await engine.ledger.settle(outcomes)
            self._made.inc(len(outcomes))
        return [used.signature.signature if isinstance(used, KeyUse) else used for used in uses]

    def _intent(self, wanted: _Wanted) -> Intent:
        return Intent(
            key=SignatureKey(APPLIANCES_OWN, _REQUEST_ID, f"{wanted.serial:x}"),
            fingerprint=hashlib.sha256(wanted.digest).digest(),
            client_id=wanted.client_id,
            credential_id=self.credential.id,
            certificate_serial=self._certificate_serial,
            algorithm=self._algorithm,
            digest=wanted.digest,
            plan=_PLAN,
        )
