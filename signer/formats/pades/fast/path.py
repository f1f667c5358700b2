"""The fast PAdES path in order: look, decide, change, write."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from signer.errors import InvalidArgument
from signer.formats.pades.appearance.artwork import Artwork
from signer.formats.pades.appearance.place import place_in_field, place_new
from signer.formats.pades.fast.catalog import declare_pades, read_catalog
from signer.formats.pades.fast.changes import Changes
from signer.formats.pades.fast.ending import read_startxref, read_version
from signer.formats.pades.fast.fallback import FallbackReason, HandOver
from signer.formats.pades.fast.form import Form, add_field, find_field, mark_signed, read_flags, read_form, read_rectangle
from signer.formats.pades.fast.history import OF_ONE_SECTION, History, read_history
from signer.formats.pades.fast.objects import Objects
from signer.formats.pades.fast.page import add_annotation, find_first_page, find_page
from signer.formats.pades.fast.restricting import PERMISSIONS, check_restricting, write_lock, write_references
from signer.formats.pades.fast.strings import write_date, write_text
from signer.formats.pades.fast.syntax import Dictionary, read_items
from signer.formats.pades.fast.writer import APPEARANCE, FIELD, FORM, INVISIBLE, LOCK, OFFSET_MAX, Signature, Trailer, write_update
from signer.formats.pades.update import PreparedUpdate
from signer.model import FieldPlacement, PageRectangle

_string: Final = re.compile(rb"\(|<(?!<)").match
_ID_BYTES: Final = 16
_ROOM_FOR_UPDATE_BYTES: Final = 64 << 20
_WRITTEN_BY_US: Final = OF_ONE_SECTION | {b"Size", b"ID"}


def prepare_fast(
    document: bytes, placement: FieldPlacement, *, signing_time: datetime, contents_bytes: int, artwork: Artwork | None = None
) -> PreparedUpdate:
    """The update that signs `document`, complete but for the CMS.

    Args:
        document: the PDF.
        placement: the field to fill and the texts of its signature dictionary.
        artwork: what the placement's appearance shows; None for an invisible signature.
        signing_time: written to /M with its offset; must be aware.
        contents_bytes: bytes reserved for the CMS.

    Raises:
        HandOver: the fast path is not sure of the document or the placement.
    """
    name, texts, lock = _write_placement(placement)
    if len(document) + 2 * contents_bytes + _ROOM_FOR_UPDATE_BYTES > OFFSET_MAX:
        raise HandOver(FallbackReason.TOO_LARGE)
    version = read_version(document)
    history = read_history(document, read_startxref(document))
    objects, changes = Objects(document, history.locations), Changes()
    catalog = read_catalog(objects, history.root, changes)
    form = read_form(objects, catalog, changes)
    found = find_field(objects, form, placement.field_name)
    check_restricting(placement, found)
    declare_pades(catalog, version, changes)
    shown = None if artwork is None or placement.appearance is None else _Shown(artwork, placement.appearance.rectangle)
    if found.field is None:
        new = _add_field(objects, catalog, form, changes, name=name, number=history.size, shown=shown, lock=lock)
    else:
        new = _fill_field(found.field, history.size, changes, shown, lock)
    if form is not None:
        mark_signed(form, changes)
    number = history.size + len(new)
    if placement.doc_mdp is not None:
        changes.put(catalog, b"Perms", PERMISSIONS % number)
    texts += write_references(placement.doc_mdp, placement.field_lock, history.root)
    signature = Signature(number, write_date(signing_time), texts, 2 * contents_bytes)
    trailer = Trailer(_trailer_entries(history), history.is_stream)
    return write_update(document, changes.bodies() + new, signature, trailer)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a visible signature shows, and where it was asked to."""

    artwork: Artwork
    rectangle: PageRectangle | None


def _add_field(
    objects: Objects,
    catalog: Dictionary,
    form: Form | None,
    changes: Changes,
    *,
    name: bytes,
    number: int,
    shown: _Shown | None,
    lock: bytes | None,
) -> list[tuple[int, bytes]]:
    """A new field, in the form or in a new one, on page 1 or where it is shown: the new objects, numbered from `number` on."""
    new: list[tuple[int, bytes]] = []
    if form is None:
        changes.put(catalog, b"AcroForm", b"%d 0 R" % number)
        new.append((number, FORM % (number + 1)))
        number += 1
    else:
        add_field(form, number, changes)
    belongings: list[tuple[int, bytes]] = []
    if shown is None:
        page, look = find_first_page(objects, catalog), INVISIBLE
    else:
        on = find_page(objects, catalog, shown.rectangle)
        with _odd_places():
            box = place_new(shown.artwork, shown.rectangle, on.shows, is_rotated=on.is_rotated)
            belongings = shown.artwork.objects(number + 1, box.width, box.height)
        page, look = on.page, b"[%b]\n%b" % (box.written(), APPEARANCE % (number + 1))
    add_annotation(objects, page, number, changes)
    if lock is not None:
        belongings.append((number + 1 + len(belongings), lock))
        look += b"\n" + LOCK % belongings[-1][0]
    return [*new, (number, FIELD % (name, look, page.owner, number + 1 + len(belongings))), *belongings]


def _fill_field(field: Dictionary, number: int, changes: Changes, shown: _Shown | None, lock: bytes | None) -> list[tuple[int, bytes]]:
    """An empty field gets its value, what it shows and its lock: the new objects, numbered from `number` on."""
    box = read_rectangle(field)
    changes.of(field)
    drawn: list[tuple[int, bytes]] = []
    if shown is not None:
        with _odd_places():
            place = place_in_field(shown.rectangle, box, read_flags(field))
            drawn = shown.artwork.objects(number, place.width, place.height)
        changes.put(field, b"AP", b"<< /N %d 0 R >>" % number)
        changes.drop(field, b"AS")
    if lock is not None:
        drawn.append((number + len(drawn), lock))
        changes.put(field, b"Lock", b"%d 0 R" % drawn[-1][0])
    changes.put(field, b"V", b"%d 0 R" % (number + len(drawn)))
    return drawn


@contextmanager
def _odd_places() -> Iterator[None]:
    """What can't be shown in its place is for the complete path to refuse."""
    try:
        yield
    except InvalidArgument as error:
        raise HandOver(FallbackReason.PLACEMENT) from error


def _write_placement(placement: FieldPlacement) -> tuple[bytes, bytes, bytes | None]:
    """The field's name, the signature dictionary's texts and the field's lock as they are written.

    What is odd about them is for the complete path to say.
    """
    if not placement.field_name.isprintable() or not placement.field_name or "." in placement.field_name:
        raise HandOver(FallbackReason.PLACEMENT)
    texts = ((b"Name", placement.name), (b"Reason", placement.reason), (b"Location", placement.location))
    try:
        written = b"".join(b"\n/%b %b" % (key, write_text(text)) for key, text in texts if text)
        lock = None if placement.field_lock is None else write_lock(placement.field_lock)
        return write_text(placement.field_name), written, lock
    except UnicodeEncodeError as error:
        raise HandOver(FallbackReason.PLACEMENT) from error


def _trailer_entries(history: History) -> bytes:
    """The newest trailer's entries, with a new state in /ID and with /Prev (7.5.5, 14.4)."""
    trailer = history.trailer
    if b"Info" in trailer.values:
        trailer.reference(b"Info")  # nothing but a reference is taken; what it names stays unread
    kept = b"".join(b"\n/%b %b" % (key, value) for key, value in trailer.values.items() if key not in _WRITTEN_BY_US)
    state = os.urandom(_ID_BYTES).hex().encode("ascii")
    return kept + b"\n/ID [%b <%b>]\n/Prev %d" % (_first_id(trailer), state, history.startxref)


def _first_id(trailer: Dictionary) -> bytes:
    """The string that names the file through all its states; a new one where it has none."""
    if b"ID" not in trailer.values:
        return b"<" + os.urandom(_ID_BYTES).hex().encode("ascii") + b">"
    match read_items(trailer.values[b"ID"]):
        case [first, second] if _string(first) and _string(second):
            return first
        case _:
            raise HandOver(FallbackReason.TRAILER)
