"""The tables of queued batches: a database of their own beside an SQLite journal, the same one on PostgreSQL.

Not of the journal's metadata: their rows hold pupils' documents (encrypted), are large, and go away; the journal's are small, hold
identifiers, and stay. Times are microseconds since 1970, UTC.

- `queued_batch`: one row a batch. `header` is sealed. `turn` rises each time that it is handed to the line, so that what was handed over
  before counts no more. `working`: which daemon works on it; empty for none.
- `queued_portion`: documents as they came, some sixteen or a megabyte together, sealed. `is_open`: one of them has no outcome yet.
- `queued_item`: a document's outcome, from its end on; `made` is sealed, and NULL once it was acknowledged or nobody fetched it.
- `queue_worker`: daemons that work batches off, and when each was last seen.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

_Number = BigInteger().with_variant(Integer, "sqlite")

queued_batch = Table(
    "queued_batch",
    metadata,
    Column("number", _Number, primary_key=True),  # the newest has the highest
    Column("batch_id", String(64), nullable=False, unique=True),
    Column("school_id", String, nullable=False),
    Column("request_id", String, nullable=False),
    Column("client_id", String, nullable=False),
    Column("state", String(16), nullable=False),
    Column("wish", String(8), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("header", LargeBinary, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),  # of the header and of each document, in order
    Column("turn", Integer, nullable=False),
    Column("idle_turns", Integer, nullable=False),  # in a row, that ended no document
    Column("working", String(64), nullable=False),
    Column("waiting", LargeBinary, nullable=False),
    Column("is_interrupted", Boolean, nullable=False),
    Column("expected", Integer, nullable=False),
    Column("received", Integer, nullable=False),
    Column("ended", Integer, nullable=False),
    Column("signed", Integer, nullable=False),
    Column("replayed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("deadline_us", BigInteger, nullable=False),
    Column("end_us", BigInteger),
    Column("results_expire_us", BigInteger),
)

batch_request_index = Index("queued_batch_request", queued_batch.c.school_id, queued_batch.c.request_id, unique=True)
batch_school_index = Index("queued_batch_school", queued_batch.c.school_id, queued_batch.c.number)
batch_state_index = Index("queued_batch_state", queued_batch.c.state)

queued_portion = Table(
    "queued_portion",
    metadata,
    Column("batch", _Number, primary_key=True, autoincrement=False),
    Column("portion", Integer, primary_key=True, autoincrement=False),
    Column("is_open", Boolean, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

queued_item = Table(
    "queued_item",
    metadata,
    Column("batch", _Number, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("document_index", Integer, nullable=False),
    Column("document_id", String, nullable=False),
    Column("portion", Integer, nullable=False),
    Column("ending", String(8), nullable=False),
    Column("reason", String(48), nullable=False),
    Column("made", LargeBinary),
)

item_index = Index("queued_item_index", queued_item.c.batch, queued_item.c.document_index, unique=True)
item_portion_index = Index("queued_item_portion", queued_item.c.batch, queued_item.c.portion)
item_document_index = Index("queued_item_document", queued_item.c.batch, queued_item.c.document_id)

queue_worker = Table(
    "queue_worker",
    metadata,
    Column("worker_id", String(64), primary_key=True),
    Column("seen_us", BigInteger, nullable=False),
)
