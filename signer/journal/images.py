"""The images of visible signatures that operators keep: rows that are changed together with their journal entry."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select

from signer.errors import IdTaken
from signer.journal.jobs import Change, Read
from signer.journal.journal import Journal
from signer.journal.ledger import Ledger
from signer.journal.model import NoteKind
from signer.model import AppearanceStyle, KeptImage
from signer.store.tables import image as table

_SCHOOLS_REMEMBERED: Final = 1024
_OF_A_SCHOOL_MAX: Final = 2000
_DESCRIBED: Final = (
    table.c.school_id,
    table.c.image_id,
    table.c.credential_id,
    table.c.style,
    table.c.width_pt,
    table.c.sha256,
)


class ImageStore:
    """The door. What images a school has is remembered until somebody changes one (`forget`). Owned by the event loop.

    Calls are answered when they are durable, or raise JournalUnavailable and have changed nothing.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known: OrderedDict[str, tuple[KeptImage, ...]] = OrderedDict()

    async def of_school(self, school_id: str) -> tuple[KeptImage, ...]:
        """Its images, by id."""
        found = self._known.get(school_id)
        if found is None:
            found = self._known[school_id] = await self._run(lambda connection: _images(connection, school_id))
            if len(self._known) > _SCHOOLS_REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(school_id)
        return found

    async def png(self, image: KeptImage) -> bytes | None:
        """Its bytes; None when it was deleted or replaced meanwhile."""
        query = select(table.c.png).where(
            table.c.school_id == image.school_id, table.c.image_id == image.id, table.c.sha256 == image.sha256
        )
        found: bytes | None = await self._run(lambda connection: connection.execute(query).scalar())
        return found

    async def keep(self, client_id: str, image: KeptImage, png: bytes) -> None:
        """Adds or replaces an image. Raises IdTaken when its credential shows another one of its style, or the school has too many."""
        try:
            await self._journal.run(_Keep(asyncio.get_running_loop(), client_id, image, png))
        finally:
            self.forget(image.school_id)

    async def delete(self, client_id: str, school_id: str, image_id: str) -> None:
        """Deletes an image, if there is one."""
        try:
            await self._journal.run(_Delete(asyncio.get_running_loop(), client_id, school_id, image_id))
        finally:
            self.forget(school_id)

    def forget(self, school_id: str) -> None:
        """One of its images was changed."""
        self._known.pop(school_id, None)

    async def _run(self, query: Any) -> Any:
        return await self._journal.run(Read(asyncio.get_running_loop(), query))


class _Keep(Change):
    __slots__ = ("client_id", "image", "png")

    def __init__(self, loop: asyncio.AbstractEventLoop, client_id: str, image: KeptImage, png: bytes) -> None:
        super().__init__(loop)
        self.client_id = client_id
        self.image = image
        self.png = png

    def apply(self, connection: Connection, ledger: Ledger) -> None:
        image = self.image
        others = [other for other in _images(connection, image.school_id) if other.id != image.id]
        if len(others) >= _OF_A_SCHOOL_MAX:
            raise IdTaken(f"the school has {len(others)} images already; delete some first", image=image.id)
        shown = next((other.id for other in others if image.credential_id and _is_shown_by(other, image)), None)
        if shown is not None:
            raise IdTaken(f"credential {image.credential_id} shows image {shown!r} already; replace or delete that one", image=shown)
        connection.execute(_delete(image.school_id, image.id))
        row = {
            "school_id": image.school_id,
            "image_id": image.id,
            "credential_id": image.credential_id,
            "style": image.style.value,
            "width_pt": image.width_pt,
            "sha256": image.sha256,
            "png": self.png,
        }
        connection.execute(insert(table).values(row))
        detail: dict[str, str | int] = {
            "client": self.client_id,
            "school": image.school_id,
            "credential": image.credential_id,
            "style": image.style.value,
            "sha256": image.sha256.hex(),
        }
        ledger.note(NoteKind.IMAGE_SET, image.id, detail)


class _Delete(Change):
    __slots__ = ("client_id", "image_id", "school_id")

    def __init__(self, loop: asyncio.AbstractEventLoop, client_id: str, school_id: str, image_id: str) -> None:
        super().__init__(loop)
        self.client_id = client_id
        self.school_id = school_id
        self.image_id = image_id

    def apply(self, connection: Connection, ledger: Ledger) -> None:
        if connection.execute(_delete(self.school_id, self.image_id)).rowcount:
            ledger.note(NoteKind.IMAGE_DELETED, self.image_id, {"client": self.client_id, "school": self.school_id})


def _delete(school_id: str, image_id: str) -> Any:
    return delete(table).where(table.c.school_id == school_id, table.c.image_id == image_id)


def _is_shown_by(one: KeptImage, other: KeptImage) -> bool:
    return (one.credential_id, one.style) == (other.credential_id, other.style)


def _images(connection: Connection, school_id: str) -> tuple[KeptImage, ...]:
    query = select(*_DESCRIBED).where(table.c.school_id == school_id).order_by(table.c.image_id)
    return tuple(
        KeptImage(row.image_id, row.school_id, row.credential_id, AppearanceStyle(row.style), row.width_pt, row.sha256)
        for row in connection.execute(query)
    )
