"""The doors and caches that all requests share, and what is running now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from signer.documents.appearances import Appearances
from signer.errors import InternalError, TimestampUnavailable, TokenUnavailable
from signer.model import Credential, SignatureKey
from signer.people.client import SchoolTier
from signer.people.doors import Activation, FourEyes, Rights
from signer.pipeline.doors import ArchiveDoors, KeyDoor, Ledger, Preparer, Timestamper, XmlExaminer
from signer.pipeline.forms.templates import Templates
from signer.pipeline.kept import KeptCredentials
from signer.pipeline.record_check import RecordRooms
from signer.pipeline.signer_check import SignerCheck
from signer.telemetry.metrics import Metrics
from signer.tokens.credentials import CredentialTable

_T = TypeVar("_T")


def _unknown_tier(_school_id: str) -> SchoolTier:
    return SchoolTier.UNKNOWN


@dataclass(slots=True)
class Engine:
    """Everything the path needs. utc_now: the injected wall clock, aware. Owned by the event loop.

    patience_s: how long a signature goes on asking for its timestamp, when its caller does not want it parked. signers: None looks at no
    signer's certificate beyond its dates. rights: None looks at nobody's role. activation: who believes SADs;
    multisign_max: most signatures that one may allow. four_eyes: None asks nobody else. tier_of: what a school teaches, for figures.
    """

    ledger: Ledger
    preparer: Preparer
    keys: Mapping[str, KeyDoor]
    credentials: CredentialTable
    metrics: Metrics
    utc_now: Callable[[], datetime]
    timestamper: Timestamper | None = None
    patience_s: float = 60.0
    archive: ArchiveDoors | None = None
    appearances: Appearances | None = None
    signers: SignerCheck | None = None
    kept: KeptCredentials | None = None
    xml: XmlExaminer | None = None
    records: RecordRooms | None = None
    activation: Activation | None = None
    multisign_max: int = 0
    four_eyes: FourEyes | None = None
    rights: Rights | None = None
    tier_of: Callable[[str], SchoolTier] = _unknown_tier
    templates: Templates = field(default_factory=Templates)
    _running: dict[SignatureKey, asyncio.Event] = field(default_factory=dict)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def credential(self, credential_id: str, school_id: str) -> Credential:
        """A school's credential, of the configuration or of the store; an empty school_id means the appliance's own.

        Raises what `CredentialTable.resolve` raises; TokenUnavailable as well for a kept one whose token is no longer configured.
        """
        if self.kept is None or self.credentials.is_configured(credential_id):
            return self.credentials.resolve(credential_id, school_id)
        found = await self.kept.find(credential_id)
        if found is None or found.school_id != school_id:
            return self.credentials.resolve(credential_id, school_id)
        if found.token_name not in self.keys:
            raise TokenUnavailable(f"credential {credential_id} needs token {found.token_name}, which is no longer configured")
        return found

    def require_timestamper(self) -> Timestamper:
        """Who timestamps; TimestampUnavailable when the configuration names nobody."""
        if self.timestamper is None:
            raise nobody_stamps()
        return self.timestamper

    def require_xml(self) -> XmlExaminer:
        """Who reads XML."""
        if self.xml is None:
            raise InternalError("nobody reads XML")
        return self.xml

    def require_archive(self) -> ArchiveDoors:
        """Who raises documents above B-T."""
        if self.archive is None:
            raise InternalError("nobody raises documents")
        return self.archive

    @asynccontextmanager
    async def inside(self, keys: Iterable[SignatureKey]) -> AsyncIterator[None]:
        """Holds ids while the block runs: parallel duplicates wait, so they sign once and share the outcome.

        Ids are taken in a fixed order, so that two requests which share some never wait for one another for ever.
        """
        taken: list[SignatureKey] = []
        try:
            for key in sorted(keys, key=_order):
                while (other := self._running.get(key)) is not None:
                    await other.wait()
                self._running[key] = asyncio.Event()
                taken.append(key)
            yield
        finally:
            for key in taken:
                self._running.pop(key).set()

    def is_busy(self, key: SignatureKey) -> bool:
        """Whether some task of this daemon works on these ids now."""
        return key in self._running

    def start_task(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Runs work that must reach its journalled outcome even if its caller has gone."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def drain(self, within_s: float) -> int:
        """Waits for running work; returns how many tasks were still running when the time was up."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_s)
        return len(self._tasks)


def _order(key: SignatureKey) -> tuple[str, str, str]:
    return key.school_id, key.request_id, key.document_id


def nobody_stamps() -> TimestampUnavailable:
    """For what needs a timestamp where the configuration names nobody who gives one."""
    return TimestampUnavailable("no time-stamping authority is configured: add [[stamping.servers]] or [timestamp], or ask for level b-b")
