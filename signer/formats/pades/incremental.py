"""pyHanko's incremental writer, held to the rules of this room: the original byte for byte, and no metadata of the document behind it."""

from __future__ import annotations

from io import BytesIO
from typing import Final

from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from signer.errors import InternalError

_LINE_ENDS: Final = (b"\n", b"\r")


class UpdateWriter(IncrementalPdfFileWriter):
    """Writes what an update needs and nothing more."""

    def _write_header(self, stream: BytesIO) -> None:
        """The original, and a line end where it has none: the first new object must not continue a comment line."""
        super()._write_header(stream)  # type: ignore[no-untyped-call]  # pyHanko is annotated in part
        if not stream.getvalue().endswith(_LINE_ENDS):
            stream.write(b"\n")

    def _update_meta(self) -> None:
        """Leave /Info and XMP alone: pyHanko has no setting for that, and rewriting them would copy names into the update."""


def update_of(document: bytes, written: bytes) -> bytes:
    """What was appended; InternalError when the original does not stand before it byte for byte."""
    if not written.startswith(document):
        raise InternalError("the update does not follow the original byte for byte; the document was left as it is")
    return written[len(document) :]
