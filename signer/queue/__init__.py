"""Queued batches: what is kept of them, when they may be worked on, and the line they stand in. Their way to a key is the pipeline's.

The rows (`rows`, `documents`) are the truth; the line is made of them, and is made anew where it was lost. A batch is worked on in turns
of a minute: turn n stands in the line under its own name, and beginning, ending or recovering one changes the row by its number, so
whatever was handed over before counts no more. A signature's own idempotency is the journal's: a turn that was cut off is repeated, and
what it had signed is answered from there.

The engine of the line is DBOS (https://github.com/dbos-inc/dbos-transact-py, MIT), behind the Protocol of `line`: a durable queue in SQLite
or PostgreSQL, by partitions (one batch of a school at a time), priorities and delays; docs/queue.md says what was measured.

Rules of the room:
- The engine's arguments are ids; what is pupils' lies sealed in our own rows, and never goes through it.
- It is loaded when `[queue]` is configured, runs in threads of its own, and reaches the event loop through one call.
- Its values are JSON: whoever can write to its database makes no daemon load a pickle.
- Rows are asked for by state in one transaction; who comes too late changed nothing.
"""
