from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Self

from signer.algorithms import DigestAlgorithm
from signer.errors import TimestampInvalid, TimestampUnavailable
from signer.telemetry.metrics import Metrics
from signer.timestamp.client.failure import AskFailed, Failure
from signer.timestamp.client.tsa import Tsa
from signer.timestamp.settings import TsaSettings
from signer.timestamp.verify import VerifiedTimestamp


class TimestampClient:
    """The configured outside authorities, in order of preference. `start` and `close` inside the event loop that uses it."""

    def __init__(self, servers: Sequence[TsaSettings], metrics: Metrics, utc_now: Callable[[], datetime]) -> None:
        """Reads every CA and TLS file; ConfigError names what can't be used."""
        self.authorities = tuple(Tsa(settings, metrics, utc_now) for settings in servers)
        self.timestamp_bytes_max = max((settings.timestamp_bytes_max for settings in servers), default=0)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def start(self) -> None:
        """Makes it ready; connects to nobody yet."""
        for authority in self.authorities:
            authority.start()

    async def close(self) -> None:
        """Closes all connections."""
        await asyncio.gather(*(authority.close() for authority in self.authorities))

    async def stamp(self, imprint: bytes, digest_algorithm: DigestAlgorithm, deadline_s: float) -> VerifiedTimestamp:
        """A verified timestamp from the first authority that gives one; as `stamp_named`, under any policy that is accepted of them."""
        _name, verified = await self.stamp_named(imprint, digest_algorithm, deadline_s)
        return verified

    async def stamp_named(
        self, imprint: bytes, digest_algorithm: DigestAlgorithm, deadline_s: float, policy_oid: str = ""
    ) -> tuple[str, VerifiedTimestamp]:
        """A verified timestamp and the name of the authority that gave it; each is asked at most once. deadline_s: on the loop's clock.

        policy_oid: the timestamp must be under this one, and only authorities configured with it are asked; empty: their own choice.
        Raises TimestampUnavailable, whose `retry_after_s` is when the first of them may be asked again; TimestampInvalid when those that
        answered all lied and nobody was merely out of reach.
        """
        failures: list[tuple[str, AskFailed]] = []
        for authority in self.authorities:
            if policy_oid and policy_oid not in authority.policies:
                continue
            try:
                return authority.name, await authority.ask(imprint, digest_algorithm, deadline_s, policy_oid)
            except AskFailed as failed:
                failures.append((authority.name, failed))
        raise self._nobody(failures)

    def _nobody(self, failures: Sequence[tuple[str, AskFailed]]) -> TimestampUnavailable | TimestampInvalid:
        now_s = asyncio.get_running_loop().time()
        retry_after_s: float | None = None
        with contextlib.suppress(ValueError):
            retry_after_s = min(authority.health.wait_s(now_s) for authority in self.authorities)
        said = "; ".join(f"{name}: {failed.text}" for name, failed in failures) or "none is configured"
        if failures and all(failed.failure is Failure.LIED for _, failed in failures):
            checks = ",".join(dict.fromkeys(failed.check for _, failed in failures))
            return TimestampInvalid(f"every timestamp authority lied: {said}", retry_after_s=retry_after_s, check=checks)
        return TimestampUnavailable(f"no timestamp authority could stamp: {said}", retry_after_s=retry_after_s)
