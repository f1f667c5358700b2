"""The daemon: wires the rooms together, starts them in order, and takes them down in order.

Up: journal (nothing may be signed without it) → document workers → token workers → metrics → gRPC, which answers as soon as every token has
had a moment to log in; one that is absent heals later. Down, on SIGTERM or SIGINT: health says NOT_SERVING and nothing new is taken →
what runs goes on for at most drain_s → no further item begins → gRPC closes → every journalled intent gets its outcome → workers
finalise → journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import CollectorRegistry

from signer import __version__
from signer.access.callers import CallerTable
from signer.config import Config, advise
from signer.documents.pool import DocumentPool
from signer.errors import ConfigError, JournalUnavailable
from signer.journal import Journal, NoteKind
from signer.pipeline.completer import Completer
from signer.pipeline.engine import Engine
from signer.pipeline.outside_tsa import OutsideTimestamper
from signer.pipeline.timestamping import BuiltInTimestamper
from signer.server.credentials import CredentialService
from signer.server.door import Door
from signer.server.health import HealthWatch
from signer.server.signing import SigningService
from signer.server.tokens import AdminService
from signer.server.unserved import SERVICE_NAMES, add_services
from signer.server.watch import Watch
from signer.telemetry.exposition import expose
from signer.telemetry.logs import configure_logs, get_logger
from signer.telemetry.metrics import Metrics
from signer.timestamp.client import TimestampClient
from signer.tokens.chains import Issuers
from signer.tokens.credentials import CredentialTable
from signer.tokens.pool import TokenPool
from signer.tokens.settings import TokenSettings

_log = get_logger(__name__)
_FIRST_LOGIN_S_MAX = 10.0
_CLOSE_GRACE_S = 5.0
_LAST_WRITES_S = 0.5
_SETTLE_S_MAX = 60.0
_COLLECT_AFTER = (50_000, 20, 50)
_HOUSEKEEPING_S = 6 * 3600.0
_SERVED = tuple(name for name in SERVICE_NAMES if name.rsplit(".", 1)[1] in ("SigningService", "CredentialService", "AdminService"))


class Daemon:
    """One running appliance. `start`, then `wait`, then `stop`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._registry = CollectorRegistry()
        self._metrics = Metrics.on(self._registry)
        self._metrics.build_info.labels(version=__version__, python=platform.python_version()).set(1)
        self._journal = Journal(
            config.journal.url,
            on_commit=self._count_commit,
            commit_interval_s=config.journal.commit_interval_ms / 1000,
            commit_calls_max=config.journal.commit_entries_max,
        )
        credentials = CredentialTable(config.credentials, Issuers.load(config.trust.ca_files))
        self._watch = Watch(self._journal, self._metrics, credentials)
        self._documents = DocumentPool(
            config.documents,
            processes=config.documents.processes or _cores(),
            log_level=config.log.level.value,
            on_loss=self._watch.document_worker_lost,
        )
        self._pools = {token.name: self._pool(token) for token in config.tokens}
        self._engine = Engine(
            ledger=self._journal,
            preparer=self._documents,
            keys=self._pools,
            credentials=credentials,
            metrics=self._metrics,
            utc_now=lambda: datetime.now(UTC),
        )
        self._tsa_client = TimestampClient(config.stamping.servers, self._metrics, self._engine.utc_now)
        self._engine.patience_s = config.stamping.patience_s
        if config.stamping.servers:
            self._engine.timestamper = OutsideTimestamper(self._tsa_client)
        elif config.timestamp is not None:
            self._engine.timestamper = BuiltInTimestamper(self._engine, config.timestamp, self._journal)
        self._door = Door(config.server, CallerTable(config.clients), self._metrics)
        self._stack = AsyncExitStack()
        self._stopping = asyncio.Event()
        self.port = 0
        self.metrics_port = 0

    async def start(self) -> None:
        """Starts everything; ConfigError or JournalUnavailable when it can't, with nothing left running."""
        async with AsyncExitStack() as stack:
            await self._journal.start()
            stack.push_async_callback(self._journal.stop)
            await self._journal.note(NoteKind.STARTED, f"signer {__version__}")
            stack.push_async_callback(self._say_stopped)
            self._tsa_client.start()
            stack.push_async_callback(self._tsa_client.close)
            await self._documents.start()
            stack.push_async_callback(self._documents.close)
            for pool in self._pools.values():
                await pool.start()
                stack.push_async_callback(pool.close)
            stack.push_async_callback(self._engine.drain, _SETTLE_S_MAX)
            exposition = expose(self._config.metrics, self._registry)
            stack.callback(exposition.close)
            self.metrics_port = exposition.port
            self._spawn(stack, self._watch.run(self._pools))
            self._spawn(stack, self._keep_house())
            if self._engine.timestamper is not None:
                self._spawn(stack, Completer(self._engine, self._journal, interval_s=self._config.stamping.complete_interval_s).run())
            await self._await_first_logins()
            await self._open_door(stack)
            self._stack = stack.pop_all()
        _log.info("serving", port=self.port, metrics_port=self.metrics_port, tokens=sorted(self._pools), version=__version__)

    def stop_soon(self) -> None:
        """Asks `wait` to return; safe to call from a signal handler of the loop."""
        self._stopping.set()

    async def wait(self) -> None:
        """Returns when the daemon is asked to stop."""
        await self._stopping.wait()

    async def stop(self) -> None:
        """Drains and takes everything down."""
        _log.info("stopping", drain_s=self._config.server.drain_s)
        await self._stack.aclose()
        _log.info("stopped")

    def _pool(self, token: TokenSettings) -> TokenPool:
        return TokenPool(
            token,
            processes=token.processes or _cores(),
            lock_path=_start_lock_path(token),
            log_level=self._config.log.level.value,
            events=self._watch,
        )

    async def _await_first_logins(self) -> None:
        waits = [asyncio.create_task(pool.settled.wait()) for pool in self._pools.values()]
        if waits:
            _done, late = await asyncio.wait(waits, timeout=_FIRST_LOGIN_S_MAX)
            for task in late:
                task.cancel()

    async def _open_door(self, stack: AsyncExitStack) -> None:
        settings = self._config.server
        server = aio.server(
            interceptors=[self._door],
            options=[
                ("grpc.max_receive_message_length", settings.message_bytes_max),
                ("grpc.max_send_message_length", settings.message_bytes_max),
                ("grpc.so_reuseport", 0),
            ],
        )
        add_services(
            server,
            SigningService(self._engine, settings),
            CredentialService(self._engine, self._pools),
            AdminService(self._engine, self._pools),
        )
        health_servicer = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
        if settings.reflection:
            names = (*SERVICE_NAMES, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, server)
        watch = HealthWatch(health_servicer, _SERVED, self._pools)
        await watch.look()
        self.port = self._bind(server)
        await server.start()
        self._spawn(stack, watch.run())
        stack.push_async_callback(self._close_door, server, watch)

    def _bind(self, server: aio.Server) -> int:
        settings = self._config.server
        credentials = grpc.ssl_server_credentials(
            [(settings.tls_private_key.read_bytes(), settings.tls_certificate.read_bytes())],
            root_certificates=settings.tls_client_ca.read_bytes(),
            require_client_auth=True,
        )
        try:
            port = server.add_secure_port(settings.listen, credentials)
        except RuntimeError as error:
            raise ConfigError(f"[server] listen = {settings.listen}: the address can't be had; is another daemon running?") from error
        if not port:
            raise ConfigError("[server]: the TLS files are not accepted; check tls_certificate, tls_private_key and tls_client_ca")
        return int(port)

    async def _close_door(self, server: aio.Server, watch: HealthWatch) -> None:
        await watch.drain()
        self._door.drain()
        await self._door.wait_until_empty(self._config.server.drain_s)
        self._door.stop_open_requests()
        await self._door.wait_until_empty(_CLOSE_GRACE_S)
        await server.stop(_LAST_WRITES_S)

    async def _say_stopped(self) -> None:
        with contextlib.suppress(JournalUnavailable):
            await self._journal.note(NoteKind.STOPPED, f"signer {__version__}")

    async def _keep_house(self) -> None:
        """Forgets signature material past its retention."""
        while True:
            try:
                await self._journal.forget_material(datetime.now(UTC) - timedelta(days=self._config.journal.material_days))
            except JournalUnavailable as error:
                _log.error("retention not applied", message=error.message)
            await asyncio.sleep(_HOUSEKEEPING_S)

    def _spawn(self, stack: AsyncExitStack, work: Any) -> None:
        task = asyncio.create_task(work)
        stack.push_async_callback(_end, task)

    def _count_commit(self, entries: int, _seconds: float, /) -> None:
        self._metrics.journal_commits.inc()
        self._metrics.journal_entries.inc(entries)


async def _end(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _start_lock_path(token: TokenSettings) -> Path:
    """Tokens of one SoftHSM directory, else of one module, start one at a time: in this daemon and beside another one."""
    if token.softhsm_copy is not None:
        return token.softhsm_copy.with_name(token.softhsm_copy.name + ".lock")
    module = hashlib.sha256(str(token.module).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"signer-{os.getuid()}" / f"{module}.lock"


def run(config: Config, *, on_ready: Callable[[Daemon], Awaitable[None]] | None = None) -> None:
    """Serves until SIGTERM or SIGINT. Raises ConfigError or JournalUnavailable when it can't start."""
    configure_logs(config.log.level.value, process="daemon")
    for problem in advise(config):
        _log.warning("configuration", problem=str(problem))
    asyncio.run(_serve(config, on_ready))


async def _serve(config: Config, on_ready: Callable[[Daemon], Awaitable[None]] | None) -> None:
    daemon = Daemon(config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.stop_soon)
    await daemon.start()
    _calm_collector()
    try:
        if on_ready is not None:
            await on_ready(daemon)
        await daemon.wait()
    finally:
        await daemon.stop()
        sys.stderr.flush()


def _calm_collector() -> None:
    """Leaves what start-up made out of every later collection, and collects less often: an eighth of the CPU of a document went there."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
