"""Which CAs are believed and what they say of certificates, made from the configuration. Nothing is asked or started here."""

from __future__ import annotations

from dataclasses import dataclass

from signer.config import Config
from signer.documents.pool import DocumentPool
from signer.pipeline.doors import ArchiveDoors
from signer.pipeline.engine import Engine
from signer.pipeline.signer_check import SignerCheck
from signer.pipeline.verification import Verification
from signer.revocation.source import StatusSource
from signer.revocation.web import HttpWeb
from signer.server.believing import Believing
from signer.server.validation import ValidationRooms
from signer.server.watch import Watch
from signer.trust.anchor import TrustPurpose
from signer.trust.book import TrustBook


@dataclass(frozen=True, slots=True)
class TrustRooms:
    """web: the way to OCSP responders and CRLs. validation: what ValidationService stands on."""

    web: HttpWeb
    believing: Believing
    validation: ValidationRooms


def furnish_trust(config: Config, book: TrustBook, engine: Engine, documents: DocumentPool, watch: Watch) -> TrustRooms:
    """Makes them, and gives the engine what certificates and archives are checked with."""
    web = HttpWeb(config.revocation)
    believing = Believing(book, engine, allow_sha1=config.revocation.allow_sha1)
    status = StatusSource(config.revocation, web, engine.metrics, engine.utc_now)
    engine.archive = ArchiveDoors(documents, status, believing.archive_trust())
    signers = engine.signers = SignerCheck(
        status,
        lambda: believing.trust(TrustPurpose.SIGNING),
        config.revocation,
        engine.metrics,
        engine.utc_now,
        on_unknown=watch.status_unknown,
    )
    believing.tell()
    verification = Verification(documents, status, lambda: believing.trust(TrustPurpose.VALIDATION), engine.utc_now)
    return TrustRooms(web, believing, ValidationRooms(verification, signers, book))


def trust_book(config: Config) -> TrustBook:
    """All CAs of the configuration; those of outside authorities are believed for timestamps alone."""
    tsa_files = [file for server in config.stamping.servers for file in server.ca_files]
    return TrustBook(config.trust.ca_files, config.trust.folder, tsa_files)
