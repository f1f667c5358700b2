"""Outside time-stamping authorities as the path's Timestamper: each answer was verified in full by `timestamp.client`."""

from __future__ import annotations

from signer.algorithms import DigestAlgorithm
from signer.pipeline.doors import Stamp
from signer.timestamp.client import TimestampClient


class OutsideTimestamper:
    """Stamps with what other authorities give. Their failures are the client's TimestampUnavailable and TimestampInvalid."""

    def __init__(self, client: TimestampClient) -> None:
        self._client = client

    @property
    def timestamp_bytes_max(self) -> int:
        """The longest timestamp that any of them may give."""
        return self._client.timestamp_bytes_max

    async def stamp(self, imprint: bytes, digest_algorithm: DigestAlgorithm, deadline_s: float) -> Stamp:
        """A verified timestamp from the first authority that gives one."""
        verified = await self._client.stamp(imprint, digest_algorithm, deadline_s)
        return Stamp(verified.encoded, verified.tst_info.gen_time)
