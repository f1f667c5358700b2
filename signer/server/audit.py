"""AuditService: the journal, for whoever is to believe it. For auditors and operators; writes nothing but checkpoints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Any, Final

from google.rpc import status_pb2

from signer.errors import CheckpointNotFound, EntryNotFound, JournalDamaged, RoleRefused
from signer.journal import ChainReport
from signer.journal.log import JournalLog
from signer.pipeline.archiving import Archiving
from signer.pipeline.checkpoints import Checkpoints
from signer.rpc_status import to_rpc_status
from signer.server import convert_audit as convert
from signer.server.convert import NUMBER_MAX, page_number
from signer.server.door import current_visit
from signer.v1 import audit_pb2, audit_pb2_grpc

_PAGE_MAX: Final = 1_000
_ENTRY_BYTES_MAX: Final = 4096
"""Room for one in a message; most take a third of it."""
_PROGRESS_S: Final = 0.5


class AuditService(audit_pb2_grpc.AuditServiceServicer):
    """All of AuditService."""

    def __init__(self, log: JournalLog, checkpoints: Checkpoints, archiving: Archiving, message_bytes_max: int) -> None:
        self._log = log
        self._checkpoints = checkpoints
        self._archiving = archiving
        self._entries_max = min(_PAGE_MAX, message_bytes_max // _ENTRY_BYTES_MAX)

    async def ListEntries(  # noqa: N802
        self,
        request: audit_pb2.ListEntriesRequest,
        context: Any,  # noqa: ARG002
    ) -> audit_pb2.ListEntriesResponse:
        """A page; short or empty where few entries of those read fit."""
        wanted = convert.log_filter(request.filter, _schools())
        limit = min(request.page_size or self._entries_max, self._entries_max)
        start = page_number(request.page_token)
        page = await self._log.page(wanted, start=start, newest_first=request.newest_first, limit=limit)
        following = "" if page.following is None else str(page.following)
        return audit_pb2.ListEntriesResponse(entries=map(convert.entry_message, page.entries), next_page_token=following)

    async def GetEntry(  # noqa: N802
        self,
        request: audit_pb2.GetEntryRequest,
        context: Any,  # noqa: ARG002
    ) -> audit_pb2.GetEntryResponse:
        """One entry; another school's looks as if it did not exist."""
        message, schools = convert.entry_message(await self._log.entry(min(request.index, NUMBER_MAX))), _schools()
        if schools is not None and message.school_id not in schools:
            raise EntryNotFound(f"the journal has no entry {request.index}", index=request.index)
        return audit_pb2.GetEntryResponse(entry=message)

    async def ExportEntries(  # noqa: N802
        self,
        request: audit_pb2.ExportEntriesRequest,
        context: Any,  # noqa: ARG002
    ) -> AsyncIterator[audit_pb2.ExportEntriesResponse]:
        """All entries as they are hashed, then the checkpoint that covers them, or as many as one covers."""
        _require_whole()
        size = await self._log.size()
        end = min(request.first_index + request.count, size) if request.count else size
        for first in range(request.first_index, end, self._entries_max):
            portion = await self._log.span(first, min(self._entries_max, end - first))
            yield audit_pb2.ExportEntriesResponse(entries=map(convert.entry_message, portion))
        last = audit_pb2.ExportEntriesResponse()
        covering = await self._checkpoints.store.covering(end) or await self._checkpoints.store.latest()
        if covering is not None:
            last.checkpoint.CopyFrom(convert.checkpoint_message(covering))
        yield last

    async def GetCheckpoint(  # noqa: N802
        self,
        request: audit_pb2.GetCheckpointRequest,
        context: Any,  # noqa: ARG002
    ) -> audit_pb2.GetCheckpointResponse:
        """The latest, the first that covers a size, or a new one."""
        store = self._checkpoints.store
        found = await (store.covering(min(request.tree_size_min, NUMBER_MAX)) if request.tree_size_min else store.latest())
        if request.make and (found is None or found.size < await self._log.size()):
            found = await self._checkpoints.make()
        if found is None:
            raise CheckpointNotFound("no checkpoint covers that; ask for a new one with `make`, or see [journal.checkpoints]")
        return audit_pb2.GetCheckpointResponse(checkpoint=convert.checkpoint_message(found))

    async def WatchCheckpoints(  # noqa: N802
        self,
        request: audit_pb2.WatchCheckpointsRequest,  # noqa: ARG002
        context: Any,  # noqa: ARG002
    ) -> AsyncIterator[audit_pb2.WatchCheckpointsResponse]:
        """Until the witness goes away."""
        async for kept in self._checkpoints.watch():
            yield audit_pb2.WatchCheckpointsResponse(checkpoint=convert.checkpoint_message(kept))

    async def GetInclusionProof(  # noqa: N802
        self,
        request: audit_pb2.GetInclusionProofRequest,
        context: Any,  # noqa: ARG002
    ) -> audit_pb2.GetInclusionProofResponse:
        """For a size, or the latest checkpoint's."""
        size = request.tree_size or await self._checkpointed_size()
        leaf_hash, path = await self._log.inclusion(request.index, size)
        response = audit_pb2.GetInclusionProofResponse(leaf_hash=leaf_hash, tree_size=size, path=path)
        kept = await self._checkpoints.store.covering(size)
        if kept is not None and kept.size == size:
            response.checkpoint.CopyFrom(convert.checkpoint_message(kept))
        return response

    async def GetConsistencyProof(  # noqa: N802
        self,
        request: audit_pb2.GetConsistencyProofRequest,
        context: Any,  # noqa: ARG002
    ) -> audit_pb2.GetConsistencyProofResponse:
        """From a size to a larger one, or the latest checkpoint's."""
        second = request.second_tree_size or await self._checkpointed_size()
        path = await self._log.consistency(request.first_tree_size, second)
        return audit_pb2.GetConsistencyProofResponse(first_tree_size=request.first_tree_size, second_tree_size=second, path=path)

    async def VerifyJournal(  # noqa: N802
        self,
        request: audit_pb2.VerifyJournalRequest,
        context: Any,  # noqa: ARG002
    ) -> AsyncIterator[audit_pb2.VerifyJournalResponse]:
        """Progress, then the verdict."""
        _require_whole()
        checked = 0

        def told(entries: int) -> None:
            nonlocal checked
            checked = entries

        total = await self._log.size()
        reading = asyncio.create_task(self._log.verify(convert.witness(request.witness), told))
        try:
            while not (await asyncio.wait([reading], timeout=_PROGRESS_S))[0]:
                yield audit_pb2.VerifyJournalResponse(checked=checked, total=total)
            yield _verdict(reading, checked)
        finally:
            reading.cancel()

    async def AccountSignatures(  # noqa: N802
        self,
        request: audit_pb2.AccountSignaturesRequest,
        context: Any,  # noqa: ARG002
    ) -> audit_pb2.AccountSignaturesResponse:
        """What became of every intent that fits."""
        return convert.account_message(await self._log.account(convert.log_filter(request.filter, _schools())))

    async def ListSegments(  # noqa: N802
        self,
        request: audit_pb2.ListSegmentsRequest,  # noqa: ARG002
        context: Any,  # noqa: ARG002
    ) -> audit_pb2.ListSegmentsResponse:
        """Those that are full, archived ones first, as they are in the log."""
        _require_whole()
        return audit_pb2.ListSegmentsResponse(segments=map(convert.segment_message, await self._archiving.segments()))

    async def ArchiveSegments(  # noqa: N802
        self,
        request: audit_pb2.ArchiveSegmentsRequest,  # noqa: ARG002
        context: Any,  # noqa: ARG002
    ) -> AsyncIterator[audit_pb2.ArchiveSegmentsResponse]:
        """Each as it is done. A caller that goes away stops it after the portion at hand; the next run goes on."""
        async for segment in self._archiving.archive():
            yield audit_pb2.ArchiveSegmentsResponse(segment=convert.segment_message(segment))

    async def _checkpointed_size(self) -> int:
        latest = await self._checkpoints.store.latest()
        if latest is None:
            raise CheckpointNotFound("there is no checkpoint yet: name a size, or ask for a checkpoint with `make`")
        return latest.size


def _verdict(reading: asyncio.Task[ChainReport], checked: int) -> audit_pb2.VerifyJournalResponse:
    try:
        report = reading.result()
    except JournalDamaged as damaged:
        return audit_pb2.VerifyJournalResponse(checked=checked, total=checked, verdict=to_rpc_status(damaged))
    return audit_pb2.VerifyJournalResponse(
        checked=report.entries,
        total=report.entries,
        verdict=status_pb2.Status(),
        archived=report.archived,
        missing_files=report.missing,
        foreign_files=report.foreign,
    )


def _schools() -> Collection[str] | None:
    """Whose entries the caller may see; None for all."""
    caller = current_visit().caller
    return None if caller.sees_all else caller.schools


def _require_whole() -> None:
    """What is told of the whole log is for who may see all of it. RoleRefused."""
    caller = current_visit().caller
    if not caller.sees_all:
        raise RoleRefused(f"only an operator or auditor that names no school may read the whole journal; {caller.client_id} names some")
