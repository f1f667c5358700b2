"""What a connection is for, told to the database when its transactions begin."""

from __future__ import annotations

from enum import Enum, auto

from sqlalchemy import Connection

_OPTION = "store_access"


class Access(Enum):
    """READ: one moment's state, for as many statements as it takes. WRITE: beside nobody else who writes. PLAIN: as it comes."""

    PLAIN = auto()
    READ = auto()
    WRITE = auto()


READER = {_OPTION: Access.READ}
WRITER = {_OPTION: Access.WRITE}
"""Execution options of a connection."""


def access_of(connection: Connection) -> Access:
    """What it was opened for."""
    found: Access = connection.get_execution_options().get(_OPTION, Access.PLAIN)
    return found
