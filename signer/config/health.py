"""How the daemon proves that it can sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from signer.settings import OptionalIdentifier


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """`[health]`: what /readyz and grpc.health.v1 stand on. Without a probe the daemon is ready while one token's worker is."""

    probe_credential: Annotated[
        OptionalIdentifier,
        Field(
            description="A credential of no school, for nothing else: a random digest is signed with it at intervals, and while that fails "
            "the daemon is not ready. Empty: no probe."
        ),
    ] = ""
    probe_interval_s: Annotated[
        float, Field(ge=1, le=3600, description="Between two probe signatures. Each costs two entries of the journal, about 2 KB.")
    ] = 60.0
