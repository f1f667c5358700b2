"""The whole configuration: one field a section of the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field

from signer.access.settings import ClientSettings
from signer.config.server import ServerSettings
from signer.documents.settings import AppearanceSettings, DocumentSettings
from signer.journal.settings import JournalSettings
from signer.revocation.settings import RevocationSettings
from signer.telemetry.settings import LogSettings, MetricsSettings
from signer.timestamp.settings import StampingSettings, TimestampSettings
from signer.tokens.settings import CredentialSettings, TokenSettings


@dataclass(frozen=True, slots=True)
class TrustSettings:
    """`[trust]`: the CAs that complete certificate chains and anchor verification."""

    ca_files: Annotated[
        tuple[Path, ...],
        Field(
            description="PEM files, each with one or more CA certificates. Self-signed ones are trust anchors, the others intermediates."
        ),
    ] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """What one configuration file says, with absolute paths."""

    server: Annotated[ServerSettings, Field(description="The gRPC door.")]
    metrics: Annotated[MetricsSettings, Field(description="The Prometheus endpoint.")] = field(default_factory=MetricsSettings)
    log: Annotated[LogSettings, Field(description="Events on standard error.")] = field(default_factory=LogSettings)
    journal: Annotated[JournalSettings, Field(description="Intents, outcomes and stored signatures.")] = field(
        default_factory=JournalSettings
    )
    documents: Annotated[DocumentSettings, Field(description="The document workers.")] = field(default_factory=DocumentSettings)
    appearance: Annotated[AppearanceSettings, Field(description="What visible signatures are made of.")] = field(
        default_factory=AppearanceSettings
    )
    tokens: Annotated[tuple[TokenSettings, ...], Field(description="The PKCS#11 tokens.")] = ()
    credentials: Annotated[tuple[CredentialSettings, ...], Field(description="The keys callers may name.")] = ()
    clients: Annotated[tuple[ClientSettings, ...], Field(description="The school software that is let in.")] = ()
    trust: Annotated[TrustSettings, Field(description="The CAs.")] = field(default_factory=TrustSettings)
    timestamp: Annotated[
        TimestampSettings | None, Field(description="The built-in time-stamping authority; leave it out to have none.")
    ] = None
    stamping: Annotated[StampingSettings, Field(description="Where signatures get their timestamps from.")] = field(
        default_factory=StampingSettings
    )
    revocation: Annotated[RevocationSettings, Field(description="How CAs are asked whether certificates are revoked.")] = field(
        default_factory=RevocationSettings
    )
