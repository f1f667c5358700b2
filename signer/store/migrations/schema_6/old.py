"""What schema 6 was made of."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData, String
from sqlalchemy.types import TypeEngine

old = MetaData()


def text(length: int | None = None) -> String:
    """Sorted by its bytes."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def number() -> TypeEngine[int]:
    """64 bits; on SQLite the row id."""
    return BigInteger().with_variant(Integer, "sqlite")
