"""Which clients there are and for which schools they speak."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from signer.people.client import ClientKind
from signer.settings import CertificateSha256, Identifier


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """`[[clients]]`: a caller, known by its TLS client certificate: by common_name, by certificate_sha256 or by both together.

    Operators keep further ones with the appliance itself: `signer clients`.
    """

    id: Annotated[Identifier, Field(description="What logs and the journal call it; unique.")]
    common_name: Annotated[
        str,
        Field(
            max_length=256,
            description="CN of the subject of its certificate, compared exactly; empty to match by certificate_sha256 alone.",
        ),
    ] = ""
    certificate_sha256: Annotated[
        tuple[CertificateSha256, ...],
        Field(
            description="SHA-256 of its certificates (hex, colons allowed), several during a renewal; empty to match by common_name alone."
        ),
    ] = ()
    schools: Annotated[tuple[Identifier, ...], Field(description="The schools it speaks for; any other looks as if it did not exist.")] = ()
    operator: Annotated[bool, Field(description='May also call AdminService and AuditService; the same as `kind = "operator"`.')] = False
    kind: Annotated[
        ClientKind,
        Field(
            description="What it may call (docs/clients.md). Operators and auditors that name no school see all of them, and sign for none."
        ),
    ] = ClientKind.SCHOOL_SOFTWARE
    may_sign_digests: Annotated[
        bool, Field(description="May use SignDigests, where the appliance can't see what it signs: leave it to those that must.")
    ] = True

    @property
    def client_kind(self) -> ClientKind:
        """Its kind, however it is given."""
        return ClientKind.OPERATOR if self.operator else self.kind
