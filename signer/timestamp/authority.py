from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from signer.algorithms import DigestAlgorithm
from signer.errors import CertificateExpired, CertificateNotYetValid, SignerError, TimestampUnavailable
from signer.timestamp.template import TimestampTemplate
from signer.timestamp.tsp import PkiFailure, RequestRefused, TimestampRequest, granted, parse_request, rejected

ALL_DIGESTS = frozenset(DigestAlgorithm)


@dataclass(frozen=True, slots=True)
class Authority:
    """The built-in time-stamping authority (RFC 3161 §2.1), holding nothing but its template and three doors.

    sign: makes a signature of a digest by the template's algorithm, with the authority's key. serials: a number no timestamp had before,
    durably, on any replica. clock: the time, aware; it raises TimestampUnavailable when it can't vouch for it to the template's accuracy
    (EN 319 421 §7.7.2). accepted_digests: what imprints may be made with.

    Timestamps may be made concurrently. A serial number whose signature fails is lost, never used again.
    """

    template: TimestampTemplate
    sign: Callable[[bytes], Awaitable[bytes]]
    serials: Callable[[], Awaitable[int]]
    clock: Callable[[], datetime]
    accepted_digests: frozenset[DigestAlgorithm] = ALL_DIGESTS

    async def stamp(self, imprint: bytes, digest_algorithm: DigestAlgorithm, nonce: int | None = None) -> bytes:
        """A TimeStampToken over an imprint, DER, certificates embedded.

        Raises what the doors raise, and CertificateNotYetValid or CertificateExpired when the authority's certificate does not cover now.
        """
        return await self._stamp(TimestampRequest(imprint, digest_algorithm, nonce, with_certificates=True))

    async def answer(self, request: bytes) -> bytes:
        """The TimeStampResp to a TimeStampReq, both DER: for any bytes and any failure that has a name, an answer of the protocol."""
        try:
            asked = parse_request(request)
            self._check_acceptable(asked)
            return granted(await self._stamp(asked))
        except RequestRefused as refused:
            return rejected(refused.failure, refused.text)
        except TimestampUnavailable:
            return rejected(PkiFailure.TIME_NOT_AVAILABLE, "the time source can't be trusted now")
        except SignerError as failed:
            return rejected(PkiFailure.SYSTEM_FAILURE, f"no timestamp can be made now: {failed.reason.value}")

    def _check_acceptable(self, asked: TimestampRequest) -> None:
        if asked.digest_algorithm not in self.accepted_digests:
            raise RequestRefused(PkiFailure.BAD_ALGORITHM, f"digest algorithm {asked.digest_algorithm.value} is not accepted")
        if asked.policy_oid not in (None, self.template.policy_oid):
            raise RequestRefused(PkiFailure.UNACCEPTED_POLICY, f"only the policy {self.template.policy_oid} is served")

    async def _stamp(self, asked: TimestampRequest) -> bytes:
        template = self.template
        serial = await self.serials()
        gen_time = self.clock()
        if gen_time < template.not_before:
            raise CertificateNotYetValid(f"the authority's certificate is valid from {template.not_before.isoformat()}")
        if gen_time > template.not_after:
            raise CertificateExpired(f"the authority's certificate expired at {template.not_after.isoformat()}")
        tst_info = template.tst_info(asked.imprint, asked.digest_algorithm, serial, gen_time, asked.nonce)
        attributes = template.signed_attributes(tst_info)
        signature = await self.sign(hashlib.new(template.algorithm.digest.value, attributes).digest())
        return template.assemble(tst_info, attributes, signature, with_certificates=asked.with_certificates)
