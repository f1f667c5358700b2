"""The whole configuration: one field a section of the file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field

from signer.access.settings import ClientSettings
from signer.config.health import HealthSettings
from signer.config.pages import PagesSettings
from signer.config.server import ServerSettings
from signer.control.settings import ActivationSettings, EnrolmentSettings
from signer.documents.settings import AppearanceSettings, DocumentSettings
from signer.journal.settings import JournalSettings
from signer.queue.settings import QueueSettings
from signer.records.settings import RecordSettings
from signer.revocation.settings import RevocationSettings
from signer.telemetry.settings import LogSettings, MetricsSettings, TracingSettings
from signer.timestamp.settings import StampingSettings, TimestampSettings
from signer.tokens.settings import CredentialSettings, KeySettings, TokenSettings


@dataclass(frozen=True, slots=True)
class TrustSettings:
    """`[trust]`: the CAs that are believed, and that complete certificate chains.

    Self-signed certificates are trust anchors, the others complete chains. A line `Purposes: signing, validation, timestamp` before a
    certificate says what it is believed for: certificates that sign here, documents that are validated or archived, timestamps; without it
    for all three. Files are read anew a few seconds after they changed.
    """

    ca_files: Annotated[tuple[Path, ...], Field(description="PEM files, each with one or more CA certificates.")] = ()
    folder: Annotated[
        Path | None,
        Field(
            description="Where `signer trust add` and AdminService.AddTrustAnchor keep CAs, one file each; the latter needs the daemon to "
            "be able to write there. Without it both refuse."
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class Config:
    """What one configuration file says, with absolute paths."""

    server: Annotated[ServerSettings, Field(description="The gRPC door.")]
    pages: Annotated[PagesSettings | None, Field(description="The web page for people; leave it out to have none.")] = None
    metrics: Annotated[MetricsSettings, Field(description="The Prometheus endpoint.")] = field(default_factory=MetricsSettings)
    health: Annotated[HealthSettings, Field(description="How the daemon proves that it can sign.")] = field(default_factory=HealthSettings)
    log: Annotated[LogSettings, Field(description="Events on standard error.")] = field(default_factory=LogSettings)
    tracing: Annotated[TracingSettings, Field(description="Spans for a collector.")] = field(default_factory=TracingSettings)
    journal: Annotated[JournalSettings, Field(description="Intents, outcomes and stored signatures.")] = field(
        default_factory=JournalSettings
    )
    queue: Annotated[QueueSettings | None, Field(description="Batches that are signed later; leave it out to take none.")] = None
    documents: Annotated[DocumentSettings, Field(description="The document workers.")] = field(default_factory=DocumentSettings)
    appearance: Annotated[AppearanceSettings, Field(description="What visible signatures are made of.")] = field(
        default_factory=AppearanceSettings
    )
    records: Annotated[RecordSettings, Field(description="Report cards as the Ministry's XML.")] = field(default_factory=RecordSettings)
    tokens: Annotated[tuple[TokenSettings, ...], Field(description="The PKCS#11 tokens.")] = ()
    credentials: Annotated[tuple[CredentialSettings, ...], Field(description="The keys callers may name.")] = ()
    keys: Annotated[KeySettings, Field(description="How keys and certificates are looked after.")] = field(default_factory=KeySettings)
    clients: Annotated[tuple[ClientSettings, ...], Field(description="The school software that is let in.")] = ()
    activation: Annotated[ActivationSettings, Field(description="How holders allow what is signed with their keys.")] = field(
        default_factory=ActivationSettings
    )
    enrolment: Annotated[EnrolmentSettings, Field(description="How people come by their factors.")] = field(
        default_factory=EnrolmentSettings
    )
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
