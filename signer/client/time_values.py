"""What goes in and comes out of `SignerClient.time`: plain frozen values, as `values`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from signer.algorithms import DigestAlgorithm
from signer.errors import SignerError


@dataclass(frozen=True, slots=True)
class StampedImprint:
    """A timestamp, or why there is none. timestamp: TimeStampToken, DER. serial: lower-case hex. authority_name: whose it is."""

    error: SignerError | None = None
    timestamp: bytes = field(default=b"", repr=False)
    gen_time: datetime | None = None
    serial: str = ""
    authority_name: str = ""

    @property
    def ok(self) -> bool:
        """Whether there is one."""
        return self.error is None


@dataclass(frozen=True, slots=True)
class TimestampAuthority:
    """Who gives timestamps. state: the contract's name without prefix, such as `READY`. message: why it is another. subject: RFC 4514.

    clock_offset_s: the built-in one's clock minus its sources' time; None when nobody looks, or for another authority.
    """

    name: str
    is_built_in: bool
    state: str
    message: str = ""
    retry_time: datetime | None = None
    latency_s: float | None = None
    subject: str = ""
    not_after: datetime | None = None
    clock_offset_s: float | None = None


@dataclass(frozen=True, slots=True)
class EvidenceRecord:
    """A record that the appliance keeps. digest_algorithm: of its latest hash tree, None for one this release does not know."""

    id: str
    school_id: str
    request_id: str
    documents: int
    digest_algorithm: DigestAlgorithm | None
    first_time: datetime
    latest_time: datetime
    renew_before: datetime
    chains: int


@dataclass(frozen=True, slots=True)
class EvidenceProof:
    """The proof of one document, or why there is none. record: EvidenceRecord, DER; use `content`, which refuses to hand out nothing."""

    document_id: str
    error: SignerError | None = None
    record: bytes = field(default=b"", repr=False)

    @property
    def content(self) -> bytes:
        """EvidenceRecord, DER; raises `error` when there is none."""
        if self.error is not None:
            raise self.error
        return self.record


@dataclass(frozen=True, slots=True)
class ProvenTime:
    """Since when a document is proven to exist, and until when that can be shown without a renewal."""

    proven_time: datetime
    renew_before: datetime


@dataclass(frozen=True, slots=True)
class BatchEvidence:
    """The evidence record over what a batch's request released so far; or why there is none."""

    record_id: str = ""
    error: SignerError | None = None
