"""The rooms of one appliance, made from its configuration and wired to one another; nothing is started here.

The only place that knows who stands behind the path's doors (`pipeline.doors`).
"""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry

from signer import __version__
from signer.config import Config
from signer.control.enrolment import OneTimeCodes
from signer.control.people import People
from signer.documents.appearances import Appearances
from signer.documents.pool import DocumentPool
from signer.documents.settings import ImageSettings
from signer.journal import CheckpointStore, CredentialStore, ImageStore, Journal, PeopleStore
from signer.journal.archiving import Archiver
from signer.journal.enrolment_codes import EnrolmentCodeStore
from signer.journal.feed import Feed
from signer.journal.leading import AloneLeading, ElectedLeading, Leading
from signer.journal.log import JournalLog
from signer.journal.reading import Readings
from signer.pipeline.archiving import Archiving
from signer.pipeline.checkpoints import Checkpoints
from signer.pipeline.engine import Engine
from signer.pipeline.kept import KeptCredentials
from signer.pipeline.key_life import KeyLife
from signer.pipeline.record_check import RecordRooms
from signer.pipeline.timestamping import BuiltInTimestamper
from signer.records.layout import Layout
from signer.records.layout_files import load_layouts
from signer.revocation.web import HttpWeb
from signer.server.activating import ActivationRooms, furnish_activation
from signer.server.believing import Believing
from signer.server.calling import CallingRooms, furnish_calling
from signer.server.governing import GoverningRooms, furnish_governing
from signer.server.people import PeopleRooms
from signer.server.queued.rooms import QueueRooms, furnish_queue
from signer.server.stamping import furnish_stamping
from signer.server.timestamps import TimeRooms
from signer.server.trusting import furnish_trust, trust_book
from signer.server.validation import ValidationRooms
from signer.server.watch import Watch
from signer.telemetry.metrics import Metrics
from signer.timestamp.client import TimestampClient
from signer.timestamp.clock.watch import ClockWatch
from signer.tokens.chains import Issuers
from signer.tokens.credentials import CredentialTable
from signer.tokens.fair import Weight
from signer.tokens.pool import TokenPool
from signer.tokens.settings import TokenSettings
from signer.tokens.workshop import KeyWorkshop
from signer.trust.anchor import TrustPurpose


@dataclass(frozen=True, slots=True)
class Rooms:
    """What a daemon starts, uses and takes down. authority: the built-in one, with its clock, if there is any. Owned by the event loop.

    feed: what other daemons change; None where the journal is this daemon's alone.
    """

    registry: CollectorRegistry
    metrics: Metrics
    journal: Journal
    feed: Feed | None
    leading: Leading
    log: JournalLog
    checkpoints: Checkpoints
    archiving: Archiving
    material_retention: timedelta
    watch: Watch
    documents: DocumentPool
    pools: Mapping[str, TokenPool]
    workshops: Mapping[str, KeyWorkshop]
    keys: KeyLife
    engine: Engine
    tsa_client: TimestampClient
    web: HttpWeb
    believing: Believing
    authority: BuiltInTimestamper | None
    clock: ClockWatch | None
    time: TimeRooms
    records: RecordRooms
    validation: ValidationRooms
    images: ImageStore
    configured_images: tuple[ImageSettings, ...]
    calling: CallingRooms
    activation: ActivationRooms
    governing: GoverningRooms
    people: PeopleRooms
    queue: QueueRooms | None


def furnish(config: Config) -> Rooms:
    """All rooms of a configuration. Raises ConfigError for files that can't be used, with nothing left behind."""
    registry = CollectorRegistry()
    metrics = Metrics.on(registry)
    metrics.build_info.labels(version=__version__, python=platform.python_version()).set(1)
    journal = _journal(config, metrics)
    leading: Leading = ElectedLeading(config.journal.url) if config.journal.is_shared else AloneLeading()
    readings, archive = Readings(config.journal.url), config.journal.archive
    book = trust_book(config)
    expiry_warning = timedelta(days=config.keys.expiry_warning_days)
    credentials = CredentialTable(config.credentials, Issuers(book.certificates), expiry_warning=expiry_warning)
    watch = Watch(journal, metrics, credentials)
    layouts = load_layouts(config.records.layouts_folder)
    documents = _documents(config, watch, layouts)
    calling = furnish_calling(config, journal, metrics, lambda: datetime.now(UTC))
    pools = {token.name: _pool(config, token, watch, calling.clients.weight) for token in config.tokens}
    engine = Engine(
        ledger=journal, preparer=documents, keys=pools, credentials=credentials, metrics=metrics, utc_now=lambda: datetime.now(UTC)
    )
    engine.xml, engine.tier_of = documents, calling.clients.tier
    engine.kept = KeptCredentials(CredentialStore(journal), credentials)
    images = ImageStore(journal)
    engine.appearances = Appearances(config.appearance, images)
    trust = furnish_trust(config, book, engine, documents, watch)
    stamping = furnish_stamping(config, engine, journal, pools=pools, watch=watch, believing=trust.believing)
    engine.records = RecordRooms(
        layouts, calling.clients, documents, lambda: trust.believing.trust(TrustPurpose.VALIDATION), engine.utc_now
    )
    people = engine.rights = People(PeopleStore(journal), time.monotonic)
    codes = OneTimeCodes(EnrolmentCodeStore(journal), people, config.enrolment, engine.utc_now)
    activation = furnish_activation(config, journal, metrics, people=people, codes=codes, utc_now=engine.utc_now)
    engine.activation, engine.multisign_max = activation.activations, config.activation.entries_max
    governing = furnish_governing(engine, journal, pools, layouts=layouts, rights=people, factors=activation.factors)
    engine.four_eyes = activation.authorizing.four_eyes = governing.approvals
    engine.records.register, engine.records.seal_in_person = governing.register.store, config.records.seal_in_person
    workshops = {pool.name: _workshop(pool) for pool in pools.values()}
    return Rooms(
        registry=registry,
        metrics=metrics,
        journal=journal,
        feed=Feed(journal) if config.journal.is_shared else None,
        leading=leading,
        log=JournalLog(readings, archive.directory if archive else None),
        checkpoints=Checkpoints(engine, CheckpointStore(journal), config.journal.checkpoints, leading),
        archiving=Archiving(Archiver(journal, readings, archive, engine.utc_now), readings, leading, metrics),
        material_retention=timedelta(days=config.journal.material_days),
        watch=watch,
        documents=documents,
        pools=pools,
        workshops=workshops,
        keys=KeyLife(engine, engine.kept, workshops),
        engine=engine,
        tsa_client=stamping.client,
        web=trust.web,
        believing=trust.believing,
        authority=stamping.authority,
        clock=stamping.clock,
        time=stamping.time,
        records=engine.records,
        validation=trust.validation,
        images=images,
        configured_images=config.appearance.images,
        calling=calling,
        activation=activation,
        governing=governing,
        people=PeopleRooms(people, codes, activation.factors.store, engine.kept.store, _first_visit(config), engine.utc_now),
        queue=furnish_queue(config, engine, pools, quotas=calling.quotas, callers=calling.callers),
    )


def _first_visit(config: Config) -> str:
    """Where people use their one-time code."""
    return f"{config.pages.origin}/first" if config.pages else ""


def _journal(config: Config, metrics: Metrics) -> Journal:
    def count_commit(entries: int, seconds: float, /) -> None:
        metrics.journal_commits.inc()
        metrics.journal_commit_duration_seconds.observe(seconds)
        metrics.journal_entries.inc(entries)

    return Journal(
        config.journal.url,
        on_commit=count_commit,
        commit_interval_s=config.journal.commit_interval_ms / 1000,
        commit_calls_max=config.journal.commit_entries_max,
    )


def _documents(config: Config, watch: Watch, layouts: tuple[Layout, ...]) -> DocumentPool:
    return DocumentPool(
        config.documents,
        processes=config.documents.processes or _cores(),
        log_level=config.log.level.value,
        layouts=layouts,
        on_loss=watch.document_worker_lost,
    )


def _pool(config: Config, token: TokenSettings, watch: Watch, weight: Weight) -> TokenPool:
    return TokenPool(
        token,
        processes=token.processes or _cores(),
        lock_path=_start_lock_path(token),
        log_level=config.log.level.value,
        events=watch,
        weight=weight,
    )


def _workshop(pool: TokenPool) -> KeyWorkshop:
    """Keys are made beside the workers that sign; where these may not log in, neither may it."""
    workers = pool.workers
    return KeyWorkshop(pool.name, workers.key_worker_spec, admit=pool.raise_if_closed_to_keys, on_fault=workers.refuse)


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _start_lock_path(token: TokenSettings) -> Path:
    """Tokens of one SoftHSM directory, else of one module, start one at a time: in this daemon and beside another one."""
    if token.softhsm_copy is not None:
        return token.softhsm_copy.with_name(token.softhsm_copy.name + ".lock")
    module = hashlib.sha256(str(token.module).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"signer-{os.getuid()}" / f"{module}.lock"
