"""A real signature at intervals, with a key of the appliance's own: the only proof that signing works is a signature.

It takes the whole path of a digest: intent, key, check, outcome. So it also tells a journal that can't be written, and costs two entries.
"""

from __future__ import annotations

import asyncio
import secrets

from signer.errors import SignerError
from signer.model import Level, Profile
from signer.pipeline.digests import NO_FIELD, IncomingDigest, sign_digests
from signer.pipeline.engine import Engine
from signer.pipeline.plan import make_ready
from signer.pipeline.request import Request
from signer.pipeline.stamp_key import APPLIANCE, APPLIANCES_OWN
from signer.telemetry.logs import get_logger

_log = get_logger(__name__)
_PATIENCE_S = 10.0
_RETRY_S = 2.0
_DIGEST_BYTES = 32


class Probe:
    """problem: why the last one failed; empty when it succeeded."""

    def __init__(self, engine: Engine, credential_id: str, interval_s: float) -> None:
        self.problem = "no probe signature was made yet"
        self._engine = engine
        self._credential_id = credential_id
        self._interval_s = interval_s

    async def run(self) -> None:
        """Signs at intervals, sooner after a failure, until cancelled."""
        while True:
            problem = await self._sign()
            if problem and problem != self.problem:
                _log.warning("probe signature failed", credential=self._credential_id, problem=problem)
            self.problem = problem
            await asyncio.sleep(min(self._interval_s, _RETRY_S) if problem else self._interval_s)

    async def _sign(self) -> str:
        clock_s = asyncio.get_running_loop().time
        request_id = f"probe/{self._engine.utc_now():%Y-%m-%dT%H:%M:%S.%f}"
        request = Request(APPLIANCE, APPLIANCES_OWN, request_id, clock_s() + _PATIENCE_S, clock_s)
        try:
            plan = await make_ready(
                self._engine,
                request,
                profile=Profile.DIGEST,
                level=Level.B_B,
                credential_id=self._credential_id,
                algorithm=None,
                placement=NO_FIELD,
            )
            wanted = [IncomingDigest("probe", secrets.token_bytes(_DIGEST_BYTES))]
            (result,) = await self._engine.start_task(sign_digests(self._engine, request, plan, wanted))
        except SignerError as error:
            result = error
        return f"the probe signature failed: {result.message}" if isinstance(result, SignerError) else ""
