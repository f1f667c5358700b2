"""Where a new timestamp comes from: a door, and the way through it that needs no daemon, TSAs named by URL (RFC 3161 §3.4)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, Protocol

import click
import structlog
from prometheus_client import CollectorRegistry
from pydantic import TypeAdapter, ValidationError

from signer.algorithms import DigestAlgorithm
from signer.cli.output import note
from signer.telemetry.metrics import Metrics
from signer.timestamp.client import TimestampClient
from signer.timestamp.settings import TsaSettings

_TIMESTAMP_BYTES_MAX = 65_536


class Stamper(Protocol):
    """Gives timestamps that were verified in full."""

    def stamp(self, imprint: bytes, algorithm: DigestAlgorithm) -> bytes:
        """A TimeStampToken, DER; raises TimestampUnavailable or TimestampInvalid."""


@dataclass(frozen=True, slots=True)
class HttpStamper:
    """Asks TSAs over HTTP, one after the other until an answer stands. timeout_s: for each of them."""

    servers: tuple[TsaSettings, ...]
    timeout_s: float

    @classmethod
    def of(cls, urls: Sequence[str], trust: Sequence[Path], policies: Sequence[str], timeout_s: float) -> HttpStamper:
        """trust: PEM files of the CAs whose timestamps are believed. policies: dotted OIDs, empty for any. UsageError for what can't be."""
        reader = TypeAdapter(TsaSettings)
        fields = {
            "ca_files": tuple(trust),
            "policy_oids": tuple(policies),
            "timeout_s": timeout_s,
            "timestamp_bytes_max": _TIMESTAMP_BYTES_MAX,
        }
        try:
            servers = [reader.validate_python({"name": f"tsa-{number}", "url": url, **fields}) for number, url in enumerate(urls, 1)]
        except ValidationError as wrong:
            raise click.UsageError("; ".join(f"{found['loc'][-1]}: {found['msg']}" for found in wrong.errors())) from wrong
        return cls(tuple(servers), timeout_s)

    def stamp(self, imprint: bytes, algorithm: DigestAlgorithm) -> bytes:
        """See Stamper. A TSA that lied is told of, also when another one did not."""
        with _events_to_people():
            return asyncio.run(self._stamp(imprint, algorithm))

    async def _stamp(self, imprint: bytes, algorithm: DigestAlgorithm) -> bytes:
        async with TimestampClient(self.servers, Metrics.on(CollectorRegistry()), lambda: datetime.now(UTC)) as client:
            deadline_s = asyncio.get_running_loop().time() + self.timeout_s * (len(self.servers) + 1)
            return (await client.stamp(imprint, algorithm, deadline_s)).encoded


@contextmanager
def _events_to_people() -> Iterator[None]:
    """What the client would log, of some severity, as notes on standard error."""
    before = structlog.get_config()
    structlog.configure(
        processors=[_tell], wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING), cache_logger_on_first_use=False
    )
    try:
        yield
    finally:
        structlog.configure(**before)


def _tell(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> NoReturn:
    note(": ".join(str(event[key]) for key in ("tsa", "event", "message", "state") if key in event))
    raise structlog.DropEvent
