"""A batch's documents and what became of them, sealed; part of a transaction of `store`, as `rows`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from signer.queue.model import EndedDocument, Ending, Made, Portion, QueuedBatch, QueuedDocument
from signer.queue.rows import count_ended
from signer.queue.store import Sealer
from signer.store.queue_tables import queued_batch, queued_item, queued_portion
from signer.store.statements import inserting

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_portion: Final = msgspec.msgpack.Decoder(list[QueuedDocument]).decode
_decode_made: Final = msgspec.msgpack.Decoder(Made).decode
_INSERT_ITEMS: Final = inserting(queued_item)
_IDS_AT_ONCE: Final = 500


def sealed_header(sealer: Sealer, batch_id: str, header: bytes) -> bytes:
    """For the batch's row."""
    return sealer.seal(header, f"queued/{batch_id}/header")


def opened_header(sealer: Sealer, batch: QueuedBatch) -> QueuedBatch:
    """The same batch, its header opened. JournalDamaged when it is another one's."""
    return replace(batch, header=sealer.open(batch.header, f"queued/{batch.ids.batch_id}/header"))


def add_portion(connection: Connection, sealer: Sealer, number: int, batch_id: str, arrived: Portion) -> None:
    """Documents that came one after the other."""
    content = sealer.seal(_encode(arrived.documents), _portion_of(batch_id, arrived.number))
    connection.execute(insert(queued_portion).values(batch=number, portion=arrived.number, is_open=True, content=content))
    _add_bytes(connection, number, len(content))


def open_portion(connection: Connection, sealer: Sealer, batch: QueuedBatch, after: int) -> Portion | None:
    """The first one after another that has documents without an outcome."""
    query = select(queued_portion.c.portion, queued_portion.c.content).where(
        queued_portion.c.batch == batch.number, queued_portion.c.is_open, queued_portion.c.portion > after
    )
    row = connection.execute(query.order_by(queued_portion.c.portion).limit(1)).one_or_none()
    if row is None:
        return None
    of_portion = (queued_item.c.batch == batch.number, queued_item.c.portion == row.portion)
    ended = frozenset(connection.execute(select(queued_item.c.document_index).where(*of_portion)).scalars())
    return Portion(row.portion, _opened(sealer, batch, row.portion, row.content), ended)


def open_portions(connection: Connection, sealer: Sealer, batch: QueuedBatch, after: int, bytes_wanted: int) -> list[Portion]:
    """Those that follow after another one, until so many bytes are together; empty when there is none."""
    found: list[Portion] = []
    size_bytes = 0
    while size_bytes < bytes_wanted and (following := open_portion(connection, sealer, batch, after)) is not None:
        found.append(following)
        after, size_bytes = following.number, size_bytes + following.size_bytes
    return found


def portion(connection: Connection, sealer: Sealer, batch: QueuedBatch, number: int) -> Portion | None:
    """One with all that is left of it; None when it was deleted."""
    query = select(queued_portion.c.content).where(queued_portion.c.batch == batch.number, queued_portion.c.portion == number)
    content = connection.execute(query).scalar_one_or_none()
    return None if content is None else Portion(number, _opened(sealer, batch, number, content))


def close_portions(connection: Connection, batch: QueuedBatch, portions: Collection[int]) -> None:
    """All of their documents have their outcome."""
    of_batch = (queued_portion.c.batch == batch.number, queued_portion.c.portion.in_(sorted(portions)))
    connection.execute(update(queued_portion).where(*of_batch).values(is_open=False))


def keep(connection: Connection, sealer: Sealer, batch_id: str, number: int, ended: Sequence[EndedDocument]) -> int:
    """Outcomes, in the order of their ending; the last one's position. Those that have one already are left as they are."""
    indexes = [each.index for each in ended]
    known: set[int] = set()
    for start in range(0, len(indexes), _IDS_AT_ONCE):
        of_these = queued_item.c.document_index.in_(indexes[start : start + _IDS_AT_ONCE])
        known.update(connection.execute(select(queued_item.c.document_index).where(queued_item.c.batch == number, of_these)).scalars())
    new = [each for each in ended if each.index not in known]
    sealed = [None if each.made is None else sealer.seal(_encode(each.made), _item_of(batch_id, each.index)) for each in new]
    last = count_ended(connection, number, [each.ending for each in new], sum(len(made) for made in sealed if made))
    first = last - len(new) + 1
    rows = [
        (number, position, each.index, each.document_id, each.portion, each.ending.value, each.reason, made)
        for position, (each, made) in enumerate(zip(new, sealed, strict=True), first)
    ]
    _INSERT_ITEMS.execute(connection, rows)
    return last


def items(
    connection: Connection, sealer: Sealer, batch: QueuedBatch, after: int, *, limit: int, document_ids: Collection[str] = ()
) -> list[EndedDocument]:
    """Outcomes after a position, in the order of their ending; of these documents, where some are named."""
    query = select(queued_item).where(queued_item.c.batch == batch.number, queued_item.c.position > after)
    if document_ids:
        query = query.where(queued_item.c.document_id.in_(sorted(document_ids)))
    return [_item(sealer, batch, row) for row in connection.execute(query.order_by(queued_item.c.position).limit(limit)).all()]


def failures(connection: Connection, number: int) -> dict[str, int]:
    """How many failed for each reason."""
    failed = (queued_item.c.batch == number, queued_item.c.ending == Ending.FAILED.value)
    counts = connection.execute(select(queued_item.c.reason, func.count()).where(*failed).group_by(queued_item.c.reason))
    return {reason: count for reason, count in counts}  # noqa: C416 - rows are no pairs to dict()


def delete_between(connection: Connection, sealer: Sealer, batch: QueuedBatch, after: int, through: int, *, limit: int) -> list[int]:
    """Deletes the documents that ended after a position up to another one, at most so many at once; the positions of what was there."""
    between = (queued_item.c.batch == batch.number, queued_item.c.position > after, queued_item.c.made.is_not(None))
    kept = (*between, queued_item.c.position <= through)
    query = select(queued_item.c.position, queued_item.c.document_index, queued_item.c.portion, queued_item.c.made).where(*kept)
    rows = connection.execute(query.order_by(queued_item.c.position).limit(limit)).all()
    if not rows:
        return []
    freed = sum(len(row.made) for row in rows)
    by_portion: dict[int, set[int]] = defaultdict(set)
    for row in rows:
        by_portion[row.portion].add(row.document_index)
    connection.execute(update(queued_item).where(*between, queued_item.c.position <= rows[-1].position).values(made=None))
    for number, indexes in by_portion.items():
        freed += _take_out(connection, sealer, batch, number, indexes)
    _add_bytes(connection, batch.number, -freed)
    return [row.position for row in rows]


def delete_contents(connection: Connection, number: int) -> None:
    """All documents of a batch and what was made of them; what became of each stays."""
    connection.execute(delete(queued_portion).where(queued_portion.c.batch == number))
    connection.execute(update(queued_item).where(queued_item.c.batch == number).values(made=None))
    connection.execute(update(queued_batch).where(queued_batch.c.number == number).values(bytes=0))


def delete_batch(connection: Connection, number: int) -> None:
    """Everything of it."""
    for table in (queued_portion, queued_item):
        connection.execute(delete(table).where(table.c.batch == number))
    connection.execute(delete(queued_batch).where(queued_batch.c.number == number))


def _take_out(connection: Connection, sealer: Sealer, batch: QueuedBatch, number: int, indexes: Iterable[int]) -> int:
    """Documents out of their portion, which goes with the last of them; how many bytes that frees."""
    here = (queued_portion.c.batch == batch.number, queued_portion.c.portion == number)
    content = connection.execute(select(queued_portion.c.content).where(*here)).scalar_one_or_none()
    if content is None:
        return 0
    gone = set(indexes)
    left = [document for document in _opened(sealer, batch, number, content) if document.index not in gone]
    if not left:
        connection.execute(delete(queued_portion).where(*here))
        return len(content)
    rest = sealer.seal(_encode(left), _portion_of(batch.ids.batch_id, number))
    connection.execute(update(queued_portion).where(*here).values(content=rest))
    return len(content) - len(rest)


def _add_bytes(connection: Connection, number: int, count: int) -> None:
    connection.execute(update(queued_batch).where(queued_batch.c.number == number).values(bytes=queued_batch.c.bytes + count))


def _opened(sealer: Sealer, batch: QueuedBatch, number: int, content: bytes) -> tuple[QueuedDocument, ...]:
    return tuple(_decode_portion(sealer.open(bytes(content), _portion_of(batch.ids.batch_id, number))))


def _item(sealer: Sealer, batch: QueuedBatch, row: Any) -> EndedDocument:
    context = _item_of(batch.ids.batch_id, row.document_index)
    made = None if row.made is None else _decode_made(sealer.open(bytes(row.made), context))
    return EndedDocument(row.document_index, row.document_id, row.portion, Ending(row.ending), row.reason, made, row.position)


def _portion_of(batch_id: str, number: int) -> str:
    return f"queued/{batch_id}/portion/{number}"


def _item_of(batch_id: str, index: int) -> str:
    return f"queued/{batch_id}/item/{index}"
