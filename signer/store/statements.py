"""Many rows in one statement, compiled once.

Why not `connection.execute(table.insert(), rows)`: it builds a dictionary and a tuple a row in Python (4 times the CPU), and the sqlite3
module gives up and retakes the GIL at every row. Beside a busy event loop each retaking can wait a whole switch interval (5 ms): 64 rows
took 458 ms so, and 6 ms as one statement. The text still comes from SQLAlchemy, so it is the dialect's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Boolean, Connection, Double, LargeBinary, Table, Text, bindparam, cast, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement
from sqlalchemy.types import TypeEngine

_INSERTS: dict[str, Callable[[Table], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_ARRAYS = "postgresql"
_ARRAY_OF: dict[type, TypeEngine[Any]] = {int: BigInteger(), str: Text(), bytes: LargeBinary(), bool: Boolean(), float: Double()}
"""The database makes them what the column is."""
Row = tuple[Any, ...]
_ROWS_MAX = 256
"""Rows a statement: 256 rows of 9 columns stay far below SQLite's 32,766 parameters."""


class ManyRows:
    """A statement over n rows of parameters, for any n.

    `build(dialect name, n)` gives it for n rows, its parameters in the order of the text. Compiled for powers of two only; used from
    one thread. The engine's paramstyle must be positional (SQLite's is; psycopg's is with `paramstyle="format"`).

    is_whole: `build` begins with `whole_rows`. PostgreSQL then takes an array a column, however many rows: one statement, planned once, in
    half the time that its driver needs for so many parameters.
    """

    def __init__(self, build: Callable[[str, int], ClauseElement], *, is_whole: bool = False) -> None:
        self._build = build
        self._is_whole = is_whole
        self._texts: dict[tuple[str, int], str] = {}

    def execute(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Run it over `rows`, in as few statements as powers of two allow."""
        if self._is_whole and connection.dialect.name == _ARRAYS:
            if rows:
                run_text(connection, self._text(connection, 1).replace("%s", "%b"), tuple(map(list, zip(*rows, strict=True))))
            return
        start = 0
        while start < len(rows):
            count = min(_ROWS_MAX, 1 << ((len(rows) - start).bit_length() - 1))
            flat = tuple(chain.from_iterable(rows[start : start + count]))
            run_text(connection, self._text(connection, count), flat)
            start += count

    def fetch(self, connection: Connection, rows: Sequence[Row]) -> list[Any]:
        """Run it over `rows` as a query; the last row is repeated up to a power of two, so it must be harmless twice."""
        found: list[Any] = []
        for start in range(0, len(rows), _ROWS_MAX):
            part = list(rows[start : start + _ROWS_MAX])
            count = 1 << (len(part) - 1).bit_length()
            part.extend([part[-1]] * (count - len(part)))
            found.extend(run_text(connection, self._text(connection, count), tuple(chain.from_iterable(part))))
        return found

    def _text(self, connection: Connection, count: int) -> str:
        key = (connection.dialect.name, count)
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = str(self._build(connection.dialect.name, count).compile(dialect=connection.dialect))
        return text


def run_text(connection: Connection, text: str, parameters: Row = ()) -> list[Any]:
    """One statement on the driver's own cursor, in the connection's transaction: SQLAlchemy's costs 25 µs more, each time."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(text, parameters)
        return list(cursor.fetchall()) if cursor.description else []
    except connection.dialect.loaded_dbapi.Error as error:
        raise DBAPIError.instance(text, None, error, connection.dialect.loaded_dbapi.Error, hide_parameters=True) from error
    finally:
        cursor.close()


def inserting(table: Table) -> ManyRows:
    """INSERT of whole rows, columns in the table's order."""
    return ManyRows(lambda dialect, count: whole_rows(dialect, table, count), is_whole=True)


def upserting(table: Table) -> ManyRows:
    """INSERT of whole rows, or where the primary key exists, UPDATE of all its other columns. No key may come twice in one call."""
    others = [column.name for column in table.columns if not column.primary_key]

    def build(dialect: str, count: int) -> ClauseElement:
        statement = whole_rows(dialect, table, count)
        upsert: ClauseElement = statement.on_conflict_do_update(
            index_elements=list(table.primary_key), set_={name: statement.excluded[name] for name in others}
        )
        return upsert

    return ManyRows(build, is_whole=True)


def whole_rows(dialect: str, table: Table, count: int) -> Any:
    """INSERT of so many whole rows, columns in the table's order, which can go on with ON CONFLICT."""
    if dialect != _ARRAYS:
        return _INSERTS[dialect](table).values([dict.fromkeys(table.columns.keys())] * count)
    arrays = [cast(bindparam(None, type_=array), array) for array in (ARRAY(_ARRAY_OF[each.type.python_type]) for each in table.columns)]
    given = func.unnest(*arrays).table_valued(*table.columns.keys()).render_derived()
    return _INSERTS[dialect](table).from_select(table.columns.keys(), select(given))
