from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from signer.algorithms import DigestAlgorithm
from signer.errors import CertificateExpired, CertificateNotYetValid, SignerError, TimestampError
from signer.timestamp.template import TimestampTemplate
from signer.timestamp.tsp import PkiFailure, RequestRefused, TimestampRequest, granted, parse_request, rejected

ALL_DIGESTS = frozenset(DigestAlgorithm)


@dataclass(frozen=True, slots=True)
class IssuedTimestamp:
    """A timestamp of ours. encoded: TimeStampToken, DER."""

    encoded: bytes
    gen_time: datetime
    serial: int


@dataclass(frozen=True, slots=True)
class Authority:
    """The built-in time-stamping authority (RFC 3161 §2.1), holding nothing but its template and three doors.

    sign: makes a signature of a digest by the template's algorithm, with the authority's key; it is told the serial number it is for.
    serials: a number no timestamp had before, durably, on any replica. clock: the time, aware; it raises ClockUntrusted when it can't
    vouch for it to the template's accuracy (EN 319 421 §7.7.2). accepted_digests: what imprints may be made with.

    Timestamps may be made concurrently. A serial number whose signature fails is lost, never used again. Nothing comes between a number
    and its time: where `clock` never gives a time twice, their orders are the same.
    """

    template: TimestampTemplate
    sign: Callable[[bytes, int], Awaitable[bytes]]
    serials: Callable[[], Awaitable[int]]
    clock: Callable[[], datetime]
    accepted_digests: frozenset[DigestAlgorithm] = ALL_DIGESTS

    async def stamp(self, imprint: bytes, digest_algorithm: DigestAlgorithm, nonce: int | None = None) -> bytes:
        """A TimeStampToken over an imprint, DER, certificates embedded. Raises as `issue` does."""
        return (await self.issue(TimestampRequest(imprint, digest_algorithm, nonce, with_certificates=True))).encoded

    async def answer(self, request: bytes) -> bytes:
        """The TimeStampResp to a TimeStampReq, both DER: for any bytes and any failure that has a name, an answer of the protocol."""
        return (await answer(request, self.issue)).encoded

    async def issue(self, asked: TimestampRequest) -> IssuedTimestamp:
        """A timestamp as it was asked for.

        Raises RequestRefused for a digest or a policy that is not served; CertificateNotYetValid or CertificateExpired when the
        authority's certificate does not cover now; and what the doors raise. The key is used last.
        """
        self._check_acceptable(asked)
        template = self.template
        serial = await self.serials()
        gen_time = template.gen_time(self.clock())
        if gen_time < template.not_before:
            raise CertificateNotYetValid(f"the authority's certificate is valid from {template.not_before.isoformat()}")
        if gen_time > template.not_after:
            raise CertificateExpired(f"the authority's certificate expired at {template.not_after.isoformat()}")
        tst_info = template.tst_info(asked.imprint, asked.digest_algorithm, serial, gen_time, asked.nonce)
        attributes = template.signed_attributes(tst_info)
        signature = await self.sign(hashlib.new(template.algorithm.digest.value, attributes).digest(), serial)
        encoded = template.assemble(tst_info, attributes, signature, with_certificates=asked.with_certificates)
        return IssuedTimestamp(encoded, gen_time, serial)

    def _check_acceptable(self, asked: TimestampRequest) -> None:
        if asked.digest_algorithm not in self.accepted_digests:
            raise RequestRefused(PkiFailure.BAD_ALGORITHM, f"digest algorithm {asked.digest_algorithm.value} is not accepted")
        if asked.policy_oid not in (None, self.template.policy_oid):
            raise RequestRefused(PkiFailure.UNACCEPTED_POLICY, f"only the policy {self.template.policy_oid} is served")


@dataclass(frozen=True, slots=True)
class Answer:
    """A TimeStampResp, DER, and why it grants nothing. error: what kept us from stamping, when it was no fault of the request."""

    encoded: bytes
    failure: PkiFailure | None = None
    error: SignerError | None = None


async def answer(request: bytes, issue: Callable[[TimestampRequest], Awaitable[IssuedTimestamp]]) -> Answer:
    """The answer of the protocol to any bytes, whatever becomes of them. issue: as `Authority.issue`."""
    try:
        return Answer(granted((await issue(parse_request(request))).encoded))
    except RequestRefused as refused:
        return Answer(rejected(refused.failure, refused.text), refused.failure)
    except SignerError as error:
        if isinstance(error, TimestampError):
            failure, text = PkiFailure.TIME_NOT_AVAILABLE, "the time source can't be trusted now"
        else:
            failure, text = PkiFailure.SYSTEM_FAILURE, f"no timestamp can be made now: {error.reason.value}"
        return Answer(rejected(failure, text), failure, error)
