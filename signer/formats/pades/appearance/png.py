"""The header of a PNG (ISO/IEC 15948 5.2, 11.2.2): what it is and how large, before anything is unpacked."""

from __future__ import annotations

from typing import Final

from signer.errors import InvalidArgument

BYTES_MAX: Final = 1 << 20
SIDE_PX_MAX: Final = 4000
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_HEADER_BYTES: Final = 24


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the header alone. InvalidArgument when it is no PNG, or larger than images may be."""
    if not png.startswith(_SIGNATURE) or png[12:16] != b"IHDR" or len(png) < _HEADER_BYTES:
        raise InvalidArgument("the image is no PNG; export it as one", field="image")
    width, height = int.from_bytes(png[16:20]), int.from_bytes(png[20:24])
    if len(png) > BYTES_MAX or not (0 < width <= SIDE_PX_MAX and 0 < height <= SIDE_PX_MAX):
        raise InvalidArgument(
            f"the image has {len(png)} bytes and {width} by {height} pixels; at most {BYTES_MAX} bytes and {SIDE_PX_MAX} pixels a side are "
            "taken",
            field="image",
        )
    return width, height
