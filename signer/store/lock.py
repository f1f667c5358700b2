from __future__ import annotations

import fcntl
import os
from typing import Self

from sqlalchemy.engine import make_url

from signer.errors import ConfigError
from signer.store.sqlite import database_path


class WriterLock:
    """One writer a database: an advisory lock on `<database>.lock`, held until `release`, and let go by the kernel when we die.

    Not on the database file itself: closing any descriptor of it would drop SQLite's own (POSIX) locks.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, url: str) -> Self:
        """Take the lock of the database `url`.

        Raises:
            ConfigError: another process holds it, or its file can't be created.
        """
        database = database_path(make_url(url))
        path = database.with_name(database.name + ".lock")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(f"lock file {path} can't be opened: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise ConfigError(f"database {database} is in use by another signer: stop that one, or give this one its own") from error
        return cls(descriptor)

    def release(self) -> None:
        """Let another process write."""
        os.close(self._descriptor)
