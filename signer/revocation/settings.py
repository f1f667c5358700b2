from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from pydantic import Field


class UnknownStatus(Enum):
    """What becomes of signatures at levels b-b and b-t while nobody can tell whether the signer's certificate is revoked."""

    ALLOW = "allow"
    """They are made; each is counted, and each silence of the CAs logged and journalled once."""
    REFUSE = "refuse"
    """CERTIFICATE_STATUS_UNAVAILABLE."""


@dataclass(frozen=True, slots=True)
class RevocationSettings:
    """`[revocation]`: how CAs are asked whether certificates are revoked: the signer's before its key is used, all for archived documents.

    Asked are the addresses in certificates that chain to a CA of `[trust]` (or of `[[stamping.servers]]`, for timestamps): OCSP first,
    the CRL when OCSP can't tell. The daemon must be able to reach them over plain http.
    """

    unknown_status: Annotated[
        UnknownStatus,
        Field(
            description="Signing at levels b-b and b-t while nobody can tell whether the signer's certificate is revoked: `allow` signs, "
            "counts, logs and journals it; `refuse` answers CERTIFICATE_STATUS_UNAVAILABLE, as levels above always do."
        ),
    ] = UnknownStatus.ALLOW
    timeout_s: Annotated[
        float, Field(gt=0, le=300, description="From connecting to an answer's last byte; then the next source is asked.")
    ] = 5.0
    ocsp_bytes_max: Annotated[int, Field(ge=1024, le=1_048_576, description="Longest OCSP answer taken.")] = 65_536
    crl_bytes_max: Annotated[
        int,
        Field(
            ge=1024,
            le=67_108_864,
            description="Longest CRL taken. Every document that needs it carries all of it, and the journal with it for material_days.",
        ),
    ] = 1_048_576
    cache_s_max: Annotated[
        float, Field(ge=0, le=604_800, description="How long an answer is used again, within its own validity; 0 asks anew each time.")
    ] = 3600.0
    cache_entries_max: Annotated[int, Field(ge=1, le=1_000_000, description="Answers remembered; the oldest goes first.")] = 10_000
    pause_s: Annotated[
        float,
        Field(ge=0, le=3600, description="How long an address that failed is left alone, so that a class does not wait for it 35 times."),
    ] = 10.0
    concurrency_max: Annotated[int, Field(ge=1, le=1000, description="Questions on the network at once.")] = 16
    answer_s_max: Annotated[
        float,
        Field(ge=60, le=2_678_400, description="How long an OCSP answer that names no nextUpdate counts as good after its thisUpdate."),
    ] = 86_400.0
    allow_sha1: Annotated[
        bool, Field(description="Take answers signed with SHA-1, as the government's first generation of CAs may give them.")
    ] = False
