"""AdminService: the daemon itself. For operators."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol

from signer import __version__
from signer.config import Config
from signer.model import Finding, Severity
from signer.server.diagnosis import check_files, check_rooms, check_services, gravest_first
from signer.server.door import Door, current_operator
from signer.server.open_batches import OpenBatches
from signer.server.readiness import Readiness
from signer.server.reloading import Reloading
from signer.server.rooms import Rooms
from signer.v1 import admin_operations_pb2, admin_pb2_grpc
from signer.workers.supervisor import PlaceState

_operator = partial(current_operator, "look after the daemon")

_SEVERITIES = {
    Severity.OK: admin_operations_pb2.SEVERITY_OK,
    Severity.WARN: admin_operations_pb2.SEVERITY_WARNING,
    Severity.FAIL: admin_operations_pb2.SEVERITY_ERROR,
}


class Drainable(Protocol):
    """The gRPC door's listener."""

    async def set_draining(self, *, enabled: bool) -> None:
        """Takes nothing new, or takes work again."""


class Operations:
    """What is known of the daemon as a whole. listener: set once it is open. Owned by the event loop."""

    listener: Drainable

    def __init__(self, rooms: Rooms, door: Door, batches: OpenBatches, readiness: Readiness, reloading: Reloading) -> None:
        self.rooms = rooms
        self.door = door
        self.batches = batches
        self.readiness = readiness
        self.reloading = reloading
        self.started = datetime.now(UTC)

    async def diagnose(self) -> list[Finding]:
        """Everything that can be checked, gravest first; changes nothing."""
        now = datetime.now(UTC)
        config = self.reloading.config
        outside = await asyncio.to_thread(_look_outside, config, now)
        return gravest_first([*outside, *await check_rooms(self.rooms, now)])

    async def set_draining(self, *, enabled: bool) -> None:
        """Takes nothing new, or takes work again."""
        await self.listener.set_draining(enabled=enabled)


def _look_outside(config: Config, now: datetime) -> list[Finding]:
    return [*check_files(config, now), *check_services(config)]


class OperationMethods(admin_pb2_grpc.AdminServiceServicer):
    """Convert, ask `Operations`, convert."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    async def GetStatus(  # noqa: N802
        self,
        request: admin_operations_pb2.GetStatusRequest,  # noqa: ARG002
        context: Any,  # noqa: ARG002
    ) -> admin_operations_pb2.GetStatusResponse:
        """What the daemon is doing."""
        _operator()
        operations = self._operations
        response = admin_operations_pb2.GetStatusResponse(
            version=__version__,
            replica_id=socket.gethostname(),
            draining=operations.readiness.is_draining,
            ready=operations.readiness.is_ready,
            rpcs=operations.door.calls_open,
            batches=len(operations.batches),
            document_workers_ready=sum(place.state is PlaceState.READY for place in operations.rooms.documents.places),
            journal_entries=await operations.rooms.journal.entry_count(),
            forecasts=_forecasts(operations.rooms),
        )
        response.start_time.FromDatetime(operations.started)
        response.reload_time.FromDatetime(operations.reloading.taken)
        latest = await operations.rooms.checkpoints.store.latest()
        if latest is not None:
            response.checkpoint_age.FromTimedelta(datetime.now(UTC) - latest.made)
        return response

    async def Diagnose(  # noqa: N802
        self,
        request: admin_operations_pb2.DiagnoseRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_operations_pb2.DiagnoseResponse:
        """Checks everything."""
        _operator()
        findings = await self._operations.diagnose()
        return admin_operations_pb2.DiagnoseResponse(findings=_wanted(findings, request.checks))

    async def ReloadConfiguration(  # noqa: N802
        self,
        request: admin_operations_pb2.ReloadConfigurationRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_operations_pb2.ReloadConfigurationResponse:
        """Reads the configuration anew."""
        _operator()
        reloaded = await self._operations.reloading.reload(dry_run=request.dry_run)
        return admin_operations_pb2.ReloadConfigurationResponse(changed_keys=reloaded.changed_keys, restart_keys=reloaded.restart_keys)

    async def SetDraining(  # noqa: N802
        self,
        request: admin_operations_pb2.SetDrainingRequest,
        context: Any,  # noqa: ARG002
    ) -> admin_operations_pb2.SetDrainingResponse:
        """Takes nothing new, or takes work again."""
        _operator()
        await self._operations.set_draining(enabled=request.enabled)
        return admin_operations_pb2.SetDrainingResponse(rpcs=self._operations.door.calls_open)


def _wanted(findings: Sequence[Finding], checks: Sequence[str]) -> Iterator[admin_operations_pb2.Finding]:
    for finding in findings:
        if not checks or finding.check in checks:
            yield admin_operations_pb2.Finding(
                check=finding.check,
                severity=_SEVERITIES[finding.severity],
                message=finding.message,
                remedy=finding.remedy,
                runbook_uri=finding.runbook_uri,
            )


def _forecasts(rooms: Rooms) -> Iterator[admin_operations_pb2.Forecast]:
    now, now_s = datetime.now(UTC), asyncio.get_running_loop().time()
    for name, pool in sorted(rooms.pools.items()):
        rate = pool.pace.a_second(now_s)
        forecast = admin_operations_pb2.Forecast(token_name=name, waiting=pool.queue_depth, signatures_per_second=rate)
        if rate:
            forecast.finish_time.FromDatetime(now + timedelta(seconds=pool.queue_depth / rate))
        yield forecast
