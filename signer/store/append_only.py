"""What the database itself refuses: entries are added, never changed, and leave only for an archive that is on record.

Against our own mistakes, not against an attacker: who owns the database can drop a trigger, and is found out by the hash chain.

| table           | add                                        | change  | remove                                            |
|-----------------|--------------------------------------------|---------|---------------------------------------------------|
| `journal_entry` | yes                                        | refused | refused, unless its portion is in `log_portion`   |
| `log_portion`   | refused, unless its segment is on record   | refused | refused                                           |
| `log_segment`   | yes                                        | refused | refused                                           |

Rule: `install` may run on any database of ours, however often: it replaces what an earlier release left.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from signer.store.segment_tables import PORTION_ENTRIES

_MESSAGES = {
    "journal_entry": "journal entries are append-only",
    "log_portion": "portions of archived segments are append-only",
    "log_segment": "archived segments are append-only",
}
_MOVED = f"EXISTS (SELECT 1 FROM log_portion WHERE number = OLD.entry_index / {PORTION_ENTRIES})"  # noqa: S608  # constants
_ON_RECORD = (
    f"EXISTS (SELECT 1 FROM log_segment WHERE first_index <= NEW.number * {PORTION_ENTRIES} "  # noqa: S608
    f"AND first_index + entries >= (NEW.number + 1) * {PORTION_ENTRIES})"
)
_GUARDS: tuple[tuple[str, str, str], ...] = (
    ("journal_entry", "UPDATE", ""),
    ("journal_entry", "DELETE", _MOVED),
    ("log_portion", "INSERT", _ON_RECORD),
    ("log_portion", "UPDATE", ""),
    ("log_portion", "DELETE", ""),
    ("log_segment", "UPDATE", ""),
    ("log_segment", "DELETE", ""),
)
"""Table, verb, and the condition under which the verb is let through; empty: never."""


def install(connection: Connection) -> None:
    """Puts the triggers in place, in the connection's transaction."""
    texts = {"sqlite": _sqlite, "postgresql": _postgresql}[connection.dialect.name]
    for table, verb, allowed in _GUARDS:
        for text in texts(table, verb, allowed):
            connection.exec_driver_sql(text)


def _sqlite(table: str, verb: str, allowed: str) -> Iterator[str]:
    name = f"{table}_no_{verb.lower()}"
    condition = f"WHEN NOT {allowed} " if allowed else ""
    yield f"DROP TRIGGER IF EXISTS {name}"
    yield f"CREATE TRIGGER {name} BEFORE {verb} ON {table} {condition}BEGIN SELECT RAISE(ABORT, '{_MESSAGES[table]}'); END"


def _postgresql(table: str, verb: str, allowed: str) -> Iterator[str]:
    """A function for each, since a trigger's own condition can look at no other table."""
    name = f"{table}_no_{verb.lower()}"
    row = "OLD" if verb == "DELETE" else "NEW"
    condition = f"IF {allowed} THEN RETURN {row}; END IF; " if allowed else ""
    refusal = f"RAISE EXCEPTION '{_MESSAGES[table]}';"
    yield f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {condition}{refusal} END $$"
    yield f"DROP TRIGGER IF EXISTS {name} ON {table}"
    yield f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
