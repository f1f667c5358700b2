"""SQL: the tables of every room, and how a database is opened, created and kept to one writer at a time.

SQLite 3 by default, PostgreSQL 15+ by URL; on both a commit survives power loss (`sqlite`, `postgresql`: what differs, and why).
Rules of the room:
- One metadata (`tables`). Rooms above use SQLAlchemy Core and the shapes of `statements`, never a dialect's own SQL text.
- Column types, constraints and upserts are those that both databases share; text is sorted by its bytes on both (`tables.text`).
- A connection says what it is for (`access`): to read one moment's state, or to write beside nobody else.
- The database holds no pupil's data beyond identifiers; a file is readable by its owner only (mode 0600).
- A database of a newer schema is refused, never guessed at.
"""

from signer.store.engine import open_engine
from signer.store.lock import WriterLock
from signer.store.schema import SCHEMA_VERSION, prepare_schema

__all__ = ["SCHEMA_VERSION", "WriterLock", "open_engine", "prepare_schema"]
