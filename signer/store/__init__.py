"""SQL: the tables of every room, and how a database is opened, created and kept to one writer.

SQLite 3 by default (WAL, synchronous=FULL: a commit survives power loss); PostgreSQL 15+ comes by URL with the scale-out issue.
Rules of the room:
- One metadata (`tables`). Rooms above use SQLAlchemy Core and the shapes of `statements`, never a dialect's own SQL text.
- Column types, constraints and upserts are those that both databases share; what differs stands in `engine` and `schema` alone.
- The database holds no pupil's data beyond identifiers, and is readable by its owner only (mode 0600).
- A database of a newer schema is refused, never guessed at.
"""

from signer.store.engine import open_engine
from signer.store.lock import WriterLock
from signer.store.schema import SCHEMA_VERSION, prepare_schema

__all__ = ["SCHEMA_VERSION", "WriterLock", "open_engine", "prepare_schema"]
