from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from signer.config import Config, reference
from signer.config.shape import Key, keys_of

DOCS = Path(__file__).resolve().parents[2] / "docs"


def every_key(table: type = Config) -> Iterator[tuple[type, Key]]:
    for key in keys_of(table).values():
        yield table, key
        if key.table is not None:
            yield from every_key(key.table)


def test_the_page_in_docs_is_current() -> None:
    assert (DOCS / "config.md").read_text() == reference(), "run: python -m signer.config > docs/config.md"


def test_every_key_says_what_it_does() -> None:
    assert [f"{table.__name__}.{key.name}" for table, key in every_key() if not key.description] == []


def test_every_key_is_on_the_page() -> None:
    page = reference()
    assert [key.name for table, key in every_key() if table is not Config and key.table is None and f"| `{key.name}` |" not in page] == []


def test_every_number_has_a_range() -> None:
    assert [f"{table.__name__}.{key.name}" for table, key in every_key() if key.kind in {"integer", "number"} and not key.bounds] == []


def test_every_settings_class_is_frozen() -> None:
    tables = {table for table, _ in every_key()}
    assert [table.__name__ for table in tables if not table.__dataclass_params__.frozen] == []  # type: ignore[attr-defined]
    assert all(fields(table) for table in tables)
