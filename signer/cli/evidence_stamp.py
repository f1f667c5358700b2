"""Where a new timestamp comes from: a door, and the one way through it that needs no daemon, a TSA's URL (RFC 3161 §3.4)."""

from __future__ import annotations

import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPException, HTTPResponse
from typing import Protocol

from signer.algorithms import DigestAlgorithm
from signer.cli.output import note
from signer.errors import SignerError, TimestampInvalid, TimestampUnavailable
from signer.timestamp.tsp import TimestampRequest, build_request, parse_response
from signer.timestamp.verify import verify_timestamp

_WINDOW = timedelta(minutes=5)
_NONCE_BITS = 64
_ANSWER_BYTES_MAX = 1 << 18
_CHUNK_BYTES = 1 << 14


class Stamper(Protocol):
    """Gives timestamps that were verified in full."""

    def stamp(self, imprint: bytes, algorithm: DigestAlgorithm) -> bytes:
        """A TimeStampToken, DER; raises TimestampUnavailable or TimestampInvalid."""


@dataclass(frozen=True, slots=True)
class HttpStamper:
    """Asks TSAs over HTTP, one after the other until an answer stands.

    urls: http or https. trusted_roots: DER. policies: dotted OIDs that are accepted, empty for any. timeout_s: for each TSA.
    """

    urls: tuple[str, ...]
    trusted_roots: tuple[bytes, ...]
    policies: tuple[str, ...] = ()
    timeout_s: float = 15.0

    def stamp(self, imprint: bytes, algorithm: DigestAlgorithm) -> bytes:
        """See Stamper. What each TSA did wrong is told; the last one's error is raised."""
        failed: SignerError = TimestampUnavailable("no TSA is named")
        for url in self.urls:
            try:
                return self._ask(url, imprint, algorithm)
            except (TimestampUnavailable, TimestampInvalid) as error:
                note(f"{url}: {error.message}")
                failed = error
        raise failed

    def _ask(self, url: str, imprint: bytes, algorithm: DigestAlgorithm) -> bytes:
        nonce = secrets.randbits(_NONCE_BITS)
        asked = TimestampRequest(imprint, algorithm, nonce, self.policies[0] if self.policies else None, with_certificates=True)
        timestamp = parse_response(_post(url, build_request(asked), self.timeout_s))
        return verify_timestamp(
            timestamp,
            imprint=imprint,
            digest_algorithm=algorithm,
            nonce=nonce,
            policies=self.policies,
            trusted_roots=self.trusted_roots,
            now=datetime.now(UTC),
            window=_WINDOW,
        ).encoded


def _post(url: str, request: bytes, timeout_s: float) -> bytes:
    """The answer's body. No redirects, no other schemes, no more time and bytes than a TSA needs."""
    opener = urllib.request.OpenerDirector()
    for handler in _HANDLERS:
        opener.add_handler(handler())
    ends = time.monotonic() + timeout_s
    try:
        message = urllib.request.Request(url, request, {"Content-Type": "application/timestamp-query"}, method="POST")  # noqa: S310 - handlers
        answer = opener.open(message, timeout=timeout_s)
        if answer is None:
            raise TimestampUnavailable("not an http or https URL")
        with answer:
            return _read(answer, ends)
    except (OSError, ValueError, HTTPException) as error:
        raise TimestampUnavailable(f"no timestamp: {error}") from error


_HANDLERS: Iterable[type[urllib.request.BaseHandler]] = (
    urllib.request.HTTPHandler,
    urllib.request.HTTPSHandler,
    urllib.request.HTTPErrorProcessor,
    urllib.request.HTTPDefaultErrorHandler,
)


def _read(answer: HTTPResponse, ends: float) -> bytes:
    body = bytearray()
    while chunk := answer.read1(_CHUNK_BYTES):
        body += chunk
        if len(body) > _ANSWER_BYTES_MAX:
            raise TimestampUnavailable("the answer is far too long for a timestamp")
        if time.monotonic() > ends:
            raise TimestampUnavailable("the answer did not come in time")
    return bytes(body)
