"""Timestamps for imprints that callers bring: from the outside authorities where some are configured, else from the built-in one.

What is asked for is given or refused: another policy than the caller's is never stamped under, and an authority whose policies the
configuration does not name is not asked for one, because its refusals would count against it and keep signatures from their timestamps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from signer.algorithms import DigestAlgorithm
from signer.errors import InvalidArgument, SignerError
from signer.formats.cms.strip import without_certificates
from signer.pipeline.request import Request
from signer.pipeline.stamping import answer_by_s
from signer.pipeline.timestamping import BuiltInTimestamper
from signer.timestamp.client import TimestampClient
from signer.timestamp.settings import TimestampSettings
from signer.timestamp.tsp import RequestRefused, TimestampRequest

BUILT_IN_NAME = "built-in"
"""What the built-in authority is called, which has no name in the configuration."""
_AT_ONCE = 64
"""As a batch's window: signatures that wait for their timestamp have their turn beside a large call."""


@dataclass(frozen=True, slots=True)
class GivenTimestamp:
    """timestamp: TimeStampToken, DER. authority_name: whose it is."""

    timestamp: bytes
    gen_time: datetime
    serial: int
    authority_name: str


class ImprintStamper(Protocol):
    """Whoever gives timestamps as they are asked for."""

    @property
    def timestamp_bytes_max(self) -> int:
        """The longest timestamp to expect."""

    def require_acceptable(self, digest_algorithm: DigestAlgorithm, policy_oid: str) -> None:
        """InvalidArgument for a digest or a policy that nobody here serves. policy_oid: dotted; empty for any."""

    async def give(self, asked: TimestampRequest, deadline_s: float, client_id: str) -> GivenTimestamp:
        """A verified timestamp, or why there is none. deadline_s: on the loop's clock; nobody waits longer."""


class BuiltInStamps:
    """From the built-in authority."""

    def __init__(self, timestamper: BuiltInTimestamper, settings: TimestampSettings) -> None:
        self._timestamper = timestamper
        self._settings = settings

    @property
    def timestamp_bytes_max(self) -> int:
        """As the template has it."""
        return self._timestamper.timestamp_bytes_max

    def require_acceptable(self, digest_algorithm: DigestAlgorithm, policy_oid: str) -> None:
        """By `[timestamp]`."""
        if digest_algorithm not in self._settings.digest_algorithms:
            accepted = ", ".join(algorithm.value for algorithm in self._settings.digest_algorithms)
            raise InvalidArgument(f"imprints of {digest_algorithm.value} are not accepted, only of {accepted}", field="digest_algorithm")
        _require_policy(policy_oid, {self._settings.policy_oid})

    async def give(self, asked: TimestampRequest, deadline_s: float, client_id: str) -> GivenTimestamp:
        """Signed by the authority's own key."""
        try:
            issued = await self._timestamper.stamp_request(asked, deadline_s, client_id)
        except RequestRefused as refused:
            raise InvalidArgument(f"the built-in authority refused: {refused.text}") from refused
        return GivenTimestamp(issued.encoded, issued.gen_time, issued.serial, BUILT_IN_NAME)


class OutsideStamps:
    """From other authorities, each answer verified in full, for which their certificates are always asked for."""

    def __init__(self, client: TimestampClient) -> None:
        self._client = client

    @property
    def timestamp_bytes_max(self) -> int:
        """As they are configured."""
        return self._client.timestamp_bytes_max

    def require_acceptable(self, digest_algorithm: DigestAlgorithm, policy_oid: str) -> None:  # noqa: ARG002 - theirs to refuse
        """By `[[stamping.servers]]`."""
        _require_policy(policy_oid, {policy for authority in self._client.authorities for policy in authority.policies})

    async def give(self, asked: TimestampRequest, deadline_s: float, client_id: str) -> GivenTimestamp:  # noqa: ARG002 - they are not told
        """Without certificates it is the same timestamp, from which they were taken after it was verified."""
        name, verified = await self._client.stamp_named(asked.imprint, asked.digest_algorithm, deadline_s, asked.policy_oid or "")
        timestamp = verified.encoded if asked.with_certificates else without_certificates(verified.encoded)
        return GivenTimestamp(timestamp, verified.tst_info.gen_time, verified.tst_info.serial_number, name)


def _require_policy(policy_oid: str, served: set[str]) -> None:
    if policy_oid and policy_oid not in served:
        known = ", ".join(sorted(served)) or "none is configured"
        raise InvalidArgument(f"no authority here is configured for the policy {policy_oid} (known: {known})", field="policy_oid")


async def stamp_imprints(
    stamper: ImprintStamper, request: Request, wanted: Sequence[TimestampRequest]
) -> list[GivenTimestamp | SignerError]:
    """A timestamp over each imprint, or why there is none, in order; they are made concurrently, until the request's deadline.

    They count against the quotas as signatures do. Raises what stops all of them before any was asked for.
    """
    request.check()
    turns, deadline_s = asyncio.Semaphore(_AT_ONCE), answer_by_s(request)

    async def one(asked: TimestampRequest) -> GivenTimestamp | SignerError:
        async with turns:
            try:
                request.check()
                return await stamper.give(asked, deadline_s, request.client_id)
            except SignerError as error:
                return error

    granted, refusal = await request.allowance.admit(len(wanted))
    given: list[GivenTimestamp | SignerError] = list(await asyncio.gather(*map(one, wanted[:granted])))
    if failed := sum(isinstance(each, SignerError) for each in given):
        request.allowance.give_back(failed)
    if refusal is not None:
        given += [refusal.copy() for _ in wanted[granted:]]
    return given
