"""How the built-in time-stamping authority stamps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from signer.algorithms import DigestAlgorithm
from signer.settings import Identifier


@dataclass(frozen=True, slots=True)
class TimestampSettings:
    """`[timestamp]`: the built-in time-stamping authority (RFC 3161)."""

    credential: Annotated[
        Identifier, Field(description="The credential that stamps; its certificate has timeStamping as sole, critical EKU.")
    ]
    policy_oid: Annotated[
        str,
        Field(
            pattern=r"^[0-2](\.(0|[1-9]\d*))+$",
            description="TSTInfo.policy of every timestamp, as dotted numbers: the OID of your TSA policy.",
        ),
    ]
    accuracy_ms: Annotated[int, Field(ge=1, le=1_000, description="TSTInfo.accuracy: how far the clock may be off.")] = 1000
    digest_algorithms: Annotated[
        tuple[DigestAlgorithm, ...], Field(description="Message imprints that are stamped; others are refused with badAlg.")
    ] = (DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512)
