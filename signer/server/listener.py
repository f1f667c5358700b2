"""The gRPC server: binds with mutual TLS, serves the contract, health and reflection, and closes in an order that loses nothing."""

from __future__ import annotations

import asyncio

from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from signer.config.server import ServerSettings
from signer.errors import ConfigError
from signer.server.admin import AdminService
from signer.server.audit import AuditService
from signer.server.authorization import AuthorizationService
from signer.server.credentials import CredentialService
from signer.server.health import HealthWatch
from signer.server.operations import Operations
from signer.server.readiness import Doors
from signer.server.records import RecordService
from signer.server.rooms import Rooms
from signer.server.signing import SigningService
from signer.server.timestamps import TimestampService
from signer.server.tls import TlsDoor, TlsIdentity
from signer.server.unserved import SERVICE_NAMES, add_services
from signer.server.validation import ValidationService

_CLOSE_GRACE_S = 5.0
_LAST_WRITES_S = 0.5
_PING_STRIKES_MAX = 2
_DEAD_AFTER_S = 60.0
"""A connection that is silent so long is asked whether anybody is still there."""


class GrpcListener:
    """One bound server and its health. `open`, then `close`."""

    def __init__(self, settings: ServerSettings, rooms: Rooms, tls: TlsIdentity, operations: Operations) -> None:
        self._settings = settings
        self._door = operations.door
        self._tls = TlsDoor(tls, rooms.metrics)
        self._server = self._build(rooms, operations)
        health_servicer = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(health_servicer, self._server)
        clock = rooms.clock.clock if rooms.clock else None
        self._health = HealthWatch(health_servicer, SERVICE_NAMES, rooms.pools, clock, operations.readiness)
        self._watching: asyncio.Task[None] | None = None

    async def open(self) -> int:
        """Binds and serves; returns the port. ConfigError when the address or the TLS files can't be used."""
        await self._health.look()
        port = self._bind()
        await self._server.start()
        await self._health.set_doors(Doors.OPEN)
        self._watching = asyncio.create_task(self._health.run())
        return port

    def take(self, tls: TlsIdentity) -> None:
        """Connections made from now on see this identity; open ones go on."""
        self._tls.take(tls)

    async def set_draining(self, *, enabled: bool) -> None:
        """Takes nothing new, or takes work again; what runs goes on."""
        if enabled:
            await self._health.set_doors(Doors.DRAINING)
            self._door.drain()
        else:
            self._door.resume()
            await self._health.set_doors(Doors.OPEN)

    async def close(self) -> None:
        """Health says NOT_SERVING and nothing new is taken → what runs goes on for at most drain_s → no item begins → gRPC closes."""
        await self.set_draining(enabled=True)
        await self._door.wait_until_empty(self._settings.drain_s)
        self._door.stop_open_requests()
        await self._door.wait_until_empty(_CLOSE_GRACE_S)
        await self._server.stop(_LAST_WRITES_S)
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    def _build(self, rooms: Rooms, operations: Operations) -> aio.Server:
        settings = self._settings
        server = aio.server(
            interceptors=[self._door],
            options=_channel_arguments(settings),
        )
        add_services(
            server,
            SigningService(rooms, settings, operations.batches, operations.readiness),
            CredentialService(rooms.engine, rooms.pools),
            AuthorizationService(rooms.engine, rooms.activation),
            TimestampService(rooms.time, settings, operations.batches),
            RecordService(rooms.records, rooms.engine, settings, rooms.governing.register),
            ValidationService(rooms.validation, rooms.engine, settings),
            AuditService(rooms.log, rooms.checkpoints, rooms.archiving, settings.message_bytes_max),
            AdminService(rooms, operations),
        )
        if settings.reflection:
            names = (*SERVICE_NAMES, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, server)
        return server

    def _bind(self) -> int:
        settings = self._settings
        try:
            port = self._server.add_secure_port(settings.listen, self._tls.credentials())
        except RuntimeError as error:
            raise ConfigError(f"[server] listen = {settings.listen}: the address can't be had; is another daemon running?") from error
        if not port:
            raise ConfigError("[server]: the TLS files are not accepted; check tls_certificate, tls_private_key and tls_client_ca")
        return int(port)


def _channel_arguments(settings: ServerSettings) -> list[tuple[str, int]]:
    """As grpc_types.h names them."""
    connections = settings.connections
    return [
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", settings.message_bytes_max),
        ("grpc.max_send_message_length", settings.message_bytes_max),
        ("grpc.max_allowed_incoming_connections", connections.connections_max),
        ("grpc.max_concurrent_streams", connections.streams_max),
        ("grpc.server_handshake_timeout_ms", _ms(connections.handshake_s_max)),
        ("grpc.max_connection_idle_ms", _ms(connections.idle_s_max)),
        ("grpc.max_connection_age_ms", _ms(connections.age_s_max)),
        ("grpc.max_connection_age_grace_ms", _ms(settings.deadline_s_max)),
        ("grpc.http2.min_ping_interval_without_data_ms", _ms(connections.ping_interval_s_min)),
        ("grpc.http2.max_ping_strikes", _PING_STRIKES_MAX),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.keepalive_time_ms", _ms(_DEAD_AFTER_S)),
        ("grpc.keepalive_timeout_ms", _ms(_DEAD_AFTER_S / 2)),
    ]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
