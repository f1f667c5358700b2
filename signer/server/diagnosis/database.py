"""What a journal on a server tells, with or without a daemon."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sqlalchemy import Engine, func, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from signer.errors import ConfigError
from signer.journal.settings import JournalSettings
from signer.model import Finding
from signer.server.diagnosis.findings import fail, ok, warn
from signer.store import SCHEMA_VERSION, open_engine
from signer.store.engine import told
from signer.store.tables import schema_version

_PAGE = "SignerJournalUnavailable"
_SLOW_S = 0.05


def check_database(settings: JournalSettings) -> Iterator[Finding]:
    """Whether it can be reached as the daemon reaches it, how fast it answers, and whose schema it has."""
    try:
        engine = open_engine(settings.url)
        yield from _look(engine)
    except ConfigError as error:
        yield fail("journal", error.message, "put journal.url, its password file or the server right", _PAGE)
    except SQLAlchemyError as error:
        yield fail("journal", f"the database can't be reached: {told(error)}", "start the server, or correct journal.url", _PAGE)


def _look(engine: Engine) -> Iterator[Finding]:
    name = engine.url.database
    with engine.connect() as connection:
        started_s = time.perf_counter()
        size_bytes = connection.execute(select(func.pg_database_size(func.current_database()))).scalar_one()
        answered_s = time.perf_counter() - started_s
        if not inspect(connection).has_table(schema_version.name):
            yield ok("journal", f"database {name} can be reached; its tables are made at the first start")
            return
        version = connection.execute(select(schema_version.c.version)).scalar_one()
    if version > SCHEMA_VERSION:
        yield fail("journal", f"database {name} has schema {version}, this release knows {SCHEMA_VERSION}", "run a newer signer", _PAGE)
    elif answered_s > _SLOW_S:
        said = f"database {name} answers after {answered_s * 1000:.0f} ms: a commit asks it some ten times, one daemon after the other"
        yield warn("journal", said, "bring it nearer, or find out what slows it down")
    else:
        yield ok("journal", f"database {name} answers in {answered_s * 1000:.1f} ms, {size_bytes / 1e6:.1f} MB, schema {version}")
