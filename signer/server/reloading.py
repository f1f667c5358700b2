"""Reading the configuration anew, on SIGHUP or ReloadConfiguration: all of what can change while streams are open, or nothing.

1. The file and every file it names are read and checked. One fault, and the old configuration stays as it was.
2. What can change at once is changed: the doors' TLS certificates, keys, client CAs and their revocation lists, `[[clients]]`. Open
   connections go on. The timestamps' HTTP door goes on with TLS or without it, as it was opened.
3. A token that is held only because its PIN's source could not be read reads it again; that spends no try.
4. What else differs needs a restart, and is named. CA files of `[trust]` are looked after by `believing`, without being told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

from signer.access.client_crls import ClientCrls
from signer.access.settings import ClientSettings
from signer.config import Config, load
from signer.config.changes import changed_keys
from signer.config.pages import PagesSettings
from signer.config.server import ServerSettings
from signer.errors import ConfigError
from signer.server.tls import TlsIdentity
from signer.telemetry.logs import get_logger
from signer.telemetry.metrics import Metrics
from signer.timestamp.settings import TimestampHttpSettings

_log = get_logger(__name__)
_Door = TypeVar("_Door", ServerSettings, TimestampHttpSettings, PagesSettings)
_TLS_KEYS = frozenset({"tls_certificate", "tls_private_key", "tls_client_ca", "tls_client_crls", "tls_client_crl_expired"})


@dataclass(frozen=True, slots=True)
class Reloaded:
    """changed_keys: what took effect, or would. restart_keys: what waits for the next start."""

    changed_keys: tuple[str, ...]
    restart_keys: tuple[str, ...]


class ReloadableDoor(Protocol):
    """A door whose TLS files can be read anew."""

    def prepare(self, config: Config) -> Callable[[], None]:
        """Reads and checks them; ConfigError leaves everything as it is. What is returned puts them into force, and can't fail."""


class GrpcTls:
    """The gRPC door's files, and `[[clients]]`."""

    def __init__(self, put: Callable[[TlsIdentity], None], put_clients: Callable[[Sequence[ClientSettings], ClientCrls], None]) -> None:
        self._put = put
        self._put_clients = put_clients

    def prepare(self, config: Config) -> Callable[[], None]:
        """ReloadableDoor."""
        identity = TlsIdentity.read(config.server)

        def put() -> None:
            self._put(identity)
            self._put_clients(config.clients, identity.client_crls)

        return put


class Reloading:
    """Owned by the event loop.

    config, taken: what is in force, and since when. source: its file; None where the daemon was started without one.
    """

    def __init__(self, config: Config, source: Path | None, metrics: Metrics) -> None:
        self.config = config
        self._source = source
        self._metrics = metrics
        self._doors: list[ReloadableDoor] = []
        self._afterwards: list[Callable[[], None]] = []
        self._turn = asyncio.Lock()
        self._note_success()

    def add(self, door: ReloadableDoor) -> None:
        """A door that is open from now on."""
        self._doors.append(door)

    def call_afterwards(self, action: Callable[[], None]) -> None:
        """Called whenever a configuration was taken; must not fail."""
        self._afterwards.append(action)

    async def reload(self, *, dry_run: bool = False) -> Reloaded:
        """Raises ConfigError with every fault; the old configuration then stays in force."""
        async with self._turn:
            try:
                wanted, puts = await asyncio.to_thread(self._prepare)
            except ConfigError as error:
                if not dry_run:
                    self._metrics.config_reload_successful.set(0)
                    _log.error("configuration refused", message=error.message)
                raise
            merged = _merged(self.config, wanted)
            told = Reloaded(tuple(changed_keys(self.config, merged)), tuple(changed_keys(merged, wanted)))
            if not dry_run:
                self._take(merged, puts, told)
            return told

    def _prepare(self) -> tuple[Config, list[Callable[[], None]]]:
        if self._source is None:
            raise ConfigError("this daemon was not started from a file; restart it")
        wanted = load(self._source)
        return wanted, [door.prepare(wanted) for door in self._doors]

    def _take(self, merged: Config, puts: list[Callable[[], None]], told: Reloaded) -> None:
        for put in puts:
            put()
        self.config = merged
        self._note_success()
        _log.warning("configuration reloaded", changed_keys=told.changed_keys, restart_keys=told.restart_keys)
        for action in self._afterwards:
            action()

    def _note_success(self) -> None:
        self.taken = datetime.now(UTC)
        self._metrics.config_reload_successful.set(1)
        self._metrics.config_reload_seconds.set_to_current_time()


def _merged(old: Config, wanted: Config) -> Config:
    """What is in force once `wanted` is taken: the old configuration, with what can change at once."""
    timestamp = old.timestamp
    if timestamp is not None and timestamp.http is not None and wanted.timestamp is not None and wanted.timestamp.http is not None:
        speaks_tls = timestamp.http.tls_certificate is not None and wanted.timestamp.http.tls_certificate is not None
        if speaks_tls:  # plain HTTP stays plain until a restart, and TLS stays TLS
            timestamp = replace(timestamp, http=_with_tls_of(timestamp.http, wanted.timestamp.http))
    pages = old.pages if old.pages is None or wanted.pages is None else _with_tls_of(old.pages, wanted.pages)
    server = _with_tls_of(old.server, wanted.server)
    return replace(old, clients=wanted.clients, server=server, timestamp=timestamp, pages=pages)


def _with_tls_of(settings: _Door, wanted: _Door) -> _Door:
    return replace(settings, **{each.name: getattr(wanted, each.name) for each in fields(wanted) if each.name in _TLS_KEYS})
