"""The daemon: starts its rooms in order, and takes them down in order.

Up: journal (nothing may be signed without it) → document workers → token workers → metrics, clock → gRPC, which answers as soon as every
token and time source had a moment (what is absent heals later) → timestamps over HTTP → the page for people. Down, on SIGTERM or SIGINT:
the doors close, each drained (`pages`, `timestamp_http`, `listener`) → every journalled intent gets its outcome → workers finalise →
journal. On SIGHUP: `reloading`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from signer import __version__
from signer.config import Config, advise
from signer.confinement.memory import keep_memory_private
from signer.errors import ConfigError, JournalUnavailable, PinSourceUnreadable
from signer.journal import NoteKind
from signer.journal.leading import Task
from signer.pipeline.completer import Completer
from signer.server import collecting
from signer.server.door import Door
from signer.server.expiry import keep_counted
from signer.server.following import Following, follow_factors, try_release
from signer.server.listener import GrpcListener
from signer.server.open_batches import OpenBatches
from signer.server.operations import Operations
from signer.server.page_rooms import page_rooms
from signer.server.pages import pages_door
from signer.server.probe import Probe
from signer.server.readiness import Readiness
from signer.server.reloading import GrpcTls, Reloading
from signer.server.rooms import Rooms, furnish
from signer.server.service_manager import ServiceManager
from signer.server.timestamp_http import TimestampDoor
from signer.server.tls import TlsIdentity
from signer.server.upkeep import spawn
from signer.server.vitals import Vitals
from signer.telemetry.exposition import expose
from signer.telemetry.logs import configure_logs, get_logger
from signer.telemetry.tracer import open_tracer

_log = get_logger(__name__)
_FIRST_LOGIN_S_MAX = 10.0
_SETTLE_S_MAX = 60.0
_HOUSEKEEPING_S = 6 * 3600.0


class Daemon:
    """One running appliance. `start`, then `wait`, then `stop`."""

    def __init__(self, config: Config, source: Path | None = None, manager: ServiceManager | None = None) -> None:
        self._config = config
        self._manager = manager or ServiceManager()
        self._rooms = rooms = furnish(config)
        self._probe = _probe(config, rooms)
        self._readiness = Readiness(rooms.pools, self._probe, rooms.metrics, self._shared_problem)
        self._reloading = Reloading(config, source, rooms.metrics)
        self._stack = AsyncExitStack()
        self._stopping = asyncio.Event()
        self._reloads: set[asyncio.Task[None]] = set()
        self.port = 0
        self.metrics_port = 0
        self.timestamp_port = 0
        self.page_port = 0

    async def start(self) -> None:
        """Starts everything; ConfigError or JournalUnavailable when it can't, with nothing left running."""
        async with AsyncExitStack() as stack:
            await self._start_rooms(stack)
            self._start_upkeep(stack)
            await self._await_first_logins()
            await self._open_doors(stack)
            self._stack = stack.pop_all()
        _log.info(
            "serving",
            port=self.port,
            timestamp_port=self.timestamp_port,
            page_port=self.page_port,
            metrics_port=self.metrics_port,
            tokens=sorted(self._rooms.pools),
            version=__version__,
        )
        self._manager.ready()

    def reload_soon(self) -> None:
        """Reads the configuration anew; what is wrong with it is in the log. Safe to call from a signal handler of the loop."""
        task = asyncio.get_running_loop().create_task(self._reload())
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    def stop_soon(self) -> None:
        """Asks `wait` to return; safe to call from a signal handler of the loop."""
        self._stopping.set()

    async def wait(self) -> None:
        """Returns when the daemon is asked to stop."""
        await self._stopping.wait()

    async def stop(self) -> None:
        """Drains and takes everything down."""
        _log.info("stopping", drain_s=self._config.server.drain_s)
        self._manager.stopping()
        await self._stack.aclose()
        _log.info("stopped")

    async def _start_rooms(self, stack: AsyncExitStack) -> None:
        rooms = self._rooms
        await rooms.journal.start()
        stack.push_async_callback(rooms.journal.stop)
        if rooms.feed is not None:
            await rooms.feed.begin()
        stack.push_async_callback(rooms.leading.close)
        await rooms.journal.note(NoteKind.STARTED, f"signer {__version__}")
        await rooms.calling.load()
        stack.push_async_callback(self._say_stopped)
        rooms.tsa_client.start()
        stack.push_async_callback(rooms.tsa_client.close)
        rooms.web.start()
        stack.push_async_callback(rooms.web.close)
        await rooms.documents.start()
        stack.push_async_callback(rooms.documents.close)
        for pool in rooms.pools.values():
            await pool.start()
            stack.push_async_callback(pool.close)
        stack.callback(rooms.activation.pins.close)
        for workshop in rooms.workshops.values():
            stack.push_async_callback(workshop.close)
        stack.push_async_callback(rooms.engine.drain, _SETTLE_S_MAX)

    def _start_upkeep(self, stack: AsyncExitStack) -> None:
        rooms = self._rooms
        pages = {"/livez": self._readiness.live, "/readyz": self._readiness.ready}
        exposition = expose(self._config.metrics, rooms.registry, pages)
        stack.callback(exposition.close)
        self.metrics_port = exposition.port
        if rooms.feed is not None:
            Following(rooms).follow(rooms.feed)
            spawn(stack, rooms.feed.run())
        spawn(stack, rooms.watch.run(rooms.pools))
        spawn(stack, self._vitals().run())
        spawn(stack, collecting.keep_collected())
        spawn(stack, self._readiness.run())
        spawn(stack, self._manager.run(self._readiness.in_a_line))
        if self._probe is not None:
            spawn(stack, self._probe.run())
        spawn(stack, keep_counted(rooms.metrics, rooms.engine))
        spawn(stack, rooms.checkpoints.run())
        spawn(stack, rooms.archiving.run())
        spawn(stack, rooms.believing.run())
        spawn(stack, _keep_house(rooms, rooms.material_retention))
        if rooms.clock is not None:
            spawn(stack, rooms.clock.run())
        if rooms.engine.timestamper is not None:
            interval_s = self._config.stamping.complete_interval_s
            spawn(stack, Completer(rooms.engine, rooms.journal, rooms.leading, interval_s=interval_s).run())

    async def _await_first_logins(self) -> None:
        settled = [pool.settled for pool in self._rooms.pools.values()] + ([self._rooms.clock.settled] if self._rooms.clock else [])
        waits = [asyncio.create_task(each.wait()) for each in settled]
        if waits:
            _done, late = await asyncio.wait(waits, timeout=_FIRST_LOGIN_S_MAX)
            for task in late:
                task.cancel()

    async def _open_doors(self, stack: AsyncExitStack) -> None:
        calling = self._rooms.calling
        tracer = open_tracer(self._config.tracing, __version__)
        if tracer is not None:
            stack.push_async_callback(asyncio.to_thread, tracer.close)
        door = Door(self._config.server, calling.callers, calling.quotas, self._rooms.metrics, tracer)
        calling.attend(door)
        if self._rooms.feed is not None:
            door.catch_up = self._rooms.feed.catch_up
        operations = Operations(self._rooms, door, OpenBatches(self._rooms.metrics), self._readiness, self._reloading)
        tls = TlsIdentity.read(self._config.server)
        calling.configure(door, self._config.clients, tls.client_crls)
        operations.listener = listener = GrpcListener(self._config.server, self._rooms, tls, operations)
        self._reloading.add(GrpcTls(listener.take, partial(calling.configure, door)))
        self._reloading.call_afterwards(self._read_pins_anew)
        spawn(stack, calling.keep_counts())
        if self._rooms.queue is not None:
            await self._rooms.queue.start(stack)
        self.port = await listener.open()
        stack.push_async_callback(listener.close)
        await self._open_timestamp_door(stack)
        await self._open_page(stack)

    async def _open_timestamp_door(self, stack: AsyncExitStack) -> None:
        authority, timestamp = self._rooms.authority, self._config.timestamp
        if authority is not None and timestamp is not None and timestamp.http is not None:
            timestamp_door = TimestampDoor(timestamp.http, authority, self._rooms.metrics)
            self._reloading.add(timestamp_door)
            self.timestamp_port = await timestamp_door.open()
            stack.push_async_callback(timestamp_door.close, self._config.server.drain_s)

    async def _open_page(self, stack: AsyncExitStack) -> None:
        if self._config.pages is not None:
            page = pages_door(self._config.pages, page_rooms(self._rooms), self._rooms.metrics)
            self._reloading.add(page)
            self.page_port = await page.open()
            if self._rooms.feed is not None:
                follow_factors(self._rooms.feed, page.sign_out)
            stack.push_async_callback(page.close, self._config.server.drain_s)

    async def _reload(self) -> None:
        self._manager.reloading()
        with contextlib.suppress(ConfigError):  # told in the log and by a metric
            await self._reloading.reload()
        self._manager.ready()

    def _shared_problem(self) -> str:
        return self._rooms.feed.problem if self._rooms.feed is not None else ""

    def _read_pins_anew(self) -> None:
        """Tokens that are held because their PIN's source could not be read try to read it again: no try of the PIN was spent on it."""
        for pool in self._rooms.pools.values():
            if isinstance(pool.fault, PinSourceUnreadable):
                self._rooms.engine.start_task(try_release(pool, allow_final_try=False))

    def _vitals(self) -> Vitals:
        rooms = self._rooms
        places = {"token": [place for pool in rooms.pools.values() for place in pool.places], "document": rooms.documents.places}
        return Vitals(rooms.metrics, places, self._config.journal.sqlite_file)

    async def _say_stopped(self) -> None:
        with contextlib.suppress(JournalUnavailable):
            await self._rooms.journal.note(NoteKind.STOPPED, f"signer {__version__}")


def _probe(config: Config, rooms: Rooms) -> Probe | None:
    health = config.health
    return Probe(rooms.engine, health.probe_credential, health.probe_interval_s) if health.probe_credential else None


async def _keep_house(rooms: Rooms, retention: timedelta) -> None:
    """Forgets signature material past its retention, and looks when evidence must be renewed."""
    while True:
        try:
            if await rooms.leading.leads(Task.HOUSEKEEPING):
                await rooms.journal.forget_material(datetime.now(UTC) - retention)
            await rooms.time.evidence.tell_due()
        except JournalUnavailable as error:
            _log.error("housekeeping failed", message=error.message)
        await asyncio.sleep(_HOUSEKEEPING_S)


def run(config: Config, source: Path, *, on_ready: Callable[[Daemon], Awaitable[None]] | None = None) -> None:
    """Serves until SIGTERM or SIGINT; SIGHUP reads `source` anew. Raises ConfigError or JournalUnavailable when it can't start."""
    configure_logs(config.log.level.value, process="daemon")
    keep_memory_private()
    for problem in advise(config):
        _log.warning("configuration", problem=str(problem))
    asyncio.run(_serve(config, source, on_ready))


async def _serve(config: Config, source: Path, on_ready: Callable[[Daemon], Awaitable[None]] | None) -> None:
    daemon = Daemon(config, source, ServiceManager.take(os.environ))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.stop_soon)
    loop.add_signal_handler(signal.SIGHUP, daemon.reload_soon)
    await daemon.start()
    collecting.calm()
    try:
        if on_ready is not None:
            await on_ready(daemon)
        await daemon.wait()
    finally:
        await daemon.stop()
        sys.stderr.flush()
