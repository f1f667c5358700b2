"""Signs the journal's log: at intervals and on demand, with a token key, for whoever keeps the notes elsewhere.

 1. size and root of the log as it is
 2. the note's text is signed as any document is (CAdES, detached): intent, key, check, outcome; so two entries of its own follow it
 3. kept in the database, appended to the witness file, told to those who watch

A log that grew by nothing but such entries gets no further checkpoint: an idle appliance would sign for ever. Of several daemons on one
journal, one makes those at intervals; the others tell of them as of their own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from cryptography import x509

from signer.errors import JournalUnavailable, SignerError, TokenUnavailable
from signer.formats.checkpoint import Checkpoint, SignedCheckpoint, key_id
from signer.journal import CheckpointStore, KeptCheckpoint
from signer.journal.leading import Leading, Task
from signer.journal.settings import CheckpointSettings
from signer.model import FieldPlacement, Level, Profile
from signer.pipeline.document import sign_documents
from signer.pipeline.engine import Engine
from signer.pipeline.lot import IncomingDocument
from signer.pipeline.plan import make_ready
from signer.pipeline.request import Request
from signer.pipeline.stamp_key import APPLIANCE, APPLIANCES_OWN
from signer.telemetry.logs import get_logger
from signer.tokens.certificates import public_key_of

_log = get_logger(__name__)
_PATIENCE_S = 30.0
_RETRY_S = 5.0
_LOOK_S = 5.0
"""How often a daemon looks for those that another one makes, and whether it is its turn."""
_OWN_ENTRIES = 2
_NO_FIELD = FieldPlacement("")
_DOCUMENT_ID = "checkpoint"


class Checkpoints:
    """The journal's witness. settings: None where none is configured: then the ones there are can be read, and none is made.

    leading: whose turn it is to make those at intervals.
    """

    def __init__(self, engine: Engine, store: CheckpointStore, settings: CheckpointSettings | None, leading: Leading) -> None:
        self.store = store
        self._leading = leading
        self._engine = engine
        self._settings = settings
        self._making = asyncio.Lock()
        self._made = asyncio.Condition()
        self._news: KeptCheckpoint | None = None

    async def run(self) -> None:
        """Makes one at intervals where the log has grown, sooner after a failure, until cancelled."""
        if self._settings is None:
            return
        latest: KeptCheckpoint | None = None
        while True:
            pause_s = self._settings.interval_s
            try:
                if await self._leading.leads(Task.CHECKPOINTS):
                    latest = await self._make_if_grown(latest)
                else:
                    latest, pause_s = await self.store.latest(), min(pause_s, _LOOK_S)
            except SignerError as error:
                _log.warning("checkpoint not made", reason=error.reason.value, problem=error.message)
                self._engine.metrics.checkpoint_failures.labels(reason=error.reason.value).inc()
                pause_s = min(pause_s, _RETRY_S)
            if latest is not None:
                await self._tell(latest)
            await asyncio.sleep(pause_s)

    async def make(self) -> KeptCheckpoint:
        """One that covers every entry there is.

        Raises TokenUnavailable where none is configured or the key can't be used, JournalUnavailable; nothing is kept then.
        """
        settings = self._settings
        if settings is None:
            raise TokenUnavailable("no checkpoints are made here: [journal.checkpoints] names no credential")
        async with self._making:
            size, root = await self.store.head()
            signed = await self._sign(settings, Checkpoint(settings.origin, size, root))
            kept = KeptCheckpoint(signed, self._engine.utc_now())
            await self.store.keep(kept)
        if settings.file is not None:
            await asyncio.to_thread(_append, settings.file, signed.note)
        await self._tell(kept)
        return kept

    async def watch(self) -> AsyncIterator[KeptCheckpoint]:
        """The latest, then each as it is made, for as long as somebody listens. One that is overtaken meanwhile is left out."""
        told = await self.store.latest()
        if told is not None:
            yield told
        while True:
            async with self._made:
                while self._news is None or (told is not None and self._news.size <= told.size):
                    await self._made.wait()
                told = self._news
            yield told

    async def _make_if_grown(self, latest: KeptCheckpoint | None) -> KeptCheckpoint | None:
        size, _root = await self.store.head()
        known = await self.store.latest() or latest
        if known is not None and size <= known.size + _OWN_ENTRIES:
            return known
        return await self.make()

    async def _sign(self, settings: CheckpointSettings, checkpoint: Checkpoint) -> SignedCheckpoint:
        clock_s = asyncio.get_running_loop().time
        request = Request(APPLIANCE, APPLIANCES_OWN, f"checkpoint/{checkpoint.size}", clock_s() + _PATIENCE_S, clock_s)
        plan = await make_ready(
            self._engine,
            request,
            profile=Profile.CADES,
            level=Level.B_B,
            credential_id=settings.credential,
            algorithm=None,
            placement=_NO_FIELD,
        )
        document = IncomingDocument(_DOCUMENT_ID, checkpoint.text.encode(), _NO_FIELD)
        (result,) = await self._engine.start_task(sign_documents(self._engine, request, plan, [document]))
        if isinstance(result, SignerError):
            raise result
        public_key = public_key_of(x509.load_der_x509_certificate(plan.credential.certificate))
        return SignedCheckpoint(checkpoint, key_id(checkpoint.origin, public_key), result.material.additions.appended)

    async def _tell(self, latest: KeptCheckpoint) -> None:
        self._engine.metrics.checkpoint_made_seconds.set(latest.made.timestamp())
        self._engine.metrics.checkpoint_entries.set(latest.size)
        async with self._made:
            if self._news is None or self._news.size < latest.size:
                self._news = latest
                self._made.notify_all()


def _append(file: Path, note: str) -> None:
    """JournalUnavailable when it can't be written; the checkpoint is in the database by then."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            os.write(descriptor, f"{note}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise JournalUnavailable(f"the checkpoint can't be appended to {file}: {error.strerror}", retry_after_s=_RETRY_S) from error
