"""Visible signatures on the complete path: pyHanko's fields and stamps around an `Artwork` (ISO 32000-2 12.5.5).

pyHanko makes the field, finds the page and writes the file; what is shown is written byte for byte as the fast path writes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

from pyhanko.pdf_utils.form_tools import enumerate_fields_in
from pyhanko.pdf_utils.generic import ArrayObject, DictionaryObject, IndirectObject, NameObject, NumberObject, PdfObject, Reference
from pyhanko.pdf_utils.layout import BoxConstraints
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import BasePdfFileWriter
from pyhanko.sign.fields import SigFieldSpec
from pyhanko.stamp import BaseStampStyle

from signer.errors import DocumentDamaged, InternalError
from signer.formats.pades.appearance.artwork import Artwork, Box
from signer.formats.pades.appearance.place import box_of, page_index, place_in_field, place_new, shown
from signer.model import FieldPlacement, PageRectangle

_ANCESTORS_MAX: Final = 64
_NUMBERS: Final = 4


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a visible signature stands. new_field: what pyHanko makes there; None where the field is there already."""

    box: Box
    new_field: SigFieldSpec | None


def place(reader: PdfFileReader, placement: FieldPlacement, artwork: Artwork) -> Placed:
    """Finds the place that a placement asks for; InvalidArgument when nothing can be shown there."""
    rectangle = placement.appearance.rectangle if placement.appearance is not None else None
    widget = _existing(reader, placement.field_name)
    if widget is not None:
        return Placed(place_in_field(rectangle, _box(_value(widget, "/Rect")), _flags(widget)), None)
    pages = int(reader.root["/Pages"]["/Count"])
    index = page_index(rectangle, pages)
    box = _place_on(reader, index, rectangle, artwork)
    corners = (round(box.left, 3), round(box.bottom, 3), round(box.right, 3), round(box.top, 3))
    return Placed(box, SigFieldSpec(placement.field_name, on_page=index, box=corners))  # type: ignore[arg-type]  # takes fractions as well


def _place_on(reader: PdfFileReader, index: int, rectangle: PageRectangle | None, artwork: Artwork) -> Box:
    page = reader.find_page_for_modification(index)[0].get_object()  # type: ignore[no-untyped-call]
    shows = shown(_box(_inherited(page, "/MediaBox")), _box(_inherited(page, "/CropBox")))
    if shows is None:
        raise DocumentDamaged("the page of the visible signature has no size; export the PDF again from its source")
    return place_new(artwork, rectangle, shows, is_rotated=bool(_inherited(page, "/Rotate")))


def _existing(reader: PdfFileReader, name: str) -> DictionaryObject | None:
    """The widget of the signature field of that name, if there is one; empty when it has several."""
    form = _value(reader.root, "/AcroForm")
    if not isinstance(form, DictionaryObject) or "/Fields" not in form:
        return None
    found: Iterator[tuple[str, PdfObject | None, PdfObject]] = enumerate_fields_in(  # type: ignore[no-untyped-call]
        form["/Fields"], with_name=name, refs_seen=set(), target_field_type="/Sig"
    )
    for _, _, reference in found:
        one: DictionaryObject = reference.get_object()  # type: ignore[no-untyped-call]
        if "/Kids" not in one:
            return one
        return one["/Kids"][0] if len(one["/Kids"]) == 1 else DictionaryObject()  # type: ignore[no-untyped-call]
    return None


def _value(dictionary: DictionaryObject, key: str) -> PdfObject | None:
    """What an entry holds, whether it is written there or elsewhere."""
    return dictionary[key] if key in dictionary else None  # noqa: SIM401  # its get() gives references as they are


def _flags(widget: DictionaryObject) -> int:
    flags = _value(widget, "/F")
    return int(flags) if isinstance(flags, NumberObject) else 0


def _inherited(page: DictionaryObject, key: str) -> PdfObject | None:
    """A page attribute, from the page or its ancestors (7.7.3.4)."""
    node: DictionaryObject | None = page
    for _ in range(_ANCESTORS_MAX):
        if node is None:
            return None
        if key in node:
            return _value(node, key)
        parent = _value(node, "/Parent")
        node = parent if isinstance(parent, DictionaryObject) else None
    raise DocumentDamaged("the page tree has no end; export the PDF again from its source")


def _box(value: PdfObject | None) -> Box | None:
    if not isinstance(value, ArrayObject) or len(value) != _NUMBERS:
        return None
    left, bottom, right, top = (float(number) for number in value)
    return box_of((left, bottom, right, top))


class _Written(PdfObject):
    """An object as the artwork has it."""

    def __init__(self, value: bytes) -> None:
        self._value = value

    def write_to_stream(self, stream: BytesIO, handler: object = None, container_ref: Reference | None = None) -> None:  # noqa: ARG002
        """As it is: encrypted files are not signed."""
        stream.write(self._value)


@dataclass(frozen=True)
class ArtworkStyle(BaseStampStyle):
    """Puts an artwork into a field; nothing where there is none, so that an existing visible field stays blank."""

    artwork: Artwork | None = None
    placed: Box | None = field(default=None)

    def create_stamp(self, writer: BasePdfFileWriter, box: BoxConstraints, text_params: dict[str, object]) -> _Stamp | None:  # type: ignore[override]  # noqa: ARG002
        """What pyHanko asks to apply to the field's widget."""
        return None if self.artwork is None or self.placed is None else _Stamp(writer, self.artwork, self.placed)


@dataclass(frozen=True, slots=True)
class _Stamp:
    writer: BasePdfFileWriter
    artwork: Artwork
    box: Box

    def apply_appearance(self, widget: DictionaryObject) -> None:
        """Writes the artwork's objects, whose numbers follow one another, and names the form in the widget."""
        first = self.writer.allocate_placeholder().idnum
        numbers = [first, *(self.writer.allocate_placeholder().idnum for _ in self.artwork.parts)]
        for number, (wanted, value) in zip(numbers, self.artwork.objects(first, self.box.width, self.box.height), strict=True):
            if number != wanted:
                raise InternalError("objects of one appearance were given numbers with gaps")
            self.writer.add_object(_Written(value), idnum=number)
        form = IndirectObject(first, 0, self.writer)  # type: ignore[no-untyped-call]
        widget["/AP"] = DictionaryObject({NameObject("/N"): form})  # type: ignore[no-untyped-call]
        widget.pop("/AS", None)
