"""Small PDFs that cost whoever reads them much."""

from __future__ import annotations

import zlib

_CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"
_PAGES = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
_PAGE = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>"

_ROWS_AT_ONCE = 100_000


def many_objects(count: int) -> bytes:
    """A well-formed PDF whose cross-reference stream (ISO 32000-2 7.5.8) lists `count` objects.

    1,000,000 of them fit into 9 KB and take some ten seconds to read; 40,000,000 are 240 MB once unpacked.
    """
    out = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
    rows = bytearray(6)
    for number, body in enumerate((_CATALOG, _PAGES, _PAGE), start=1):
        rows += b"\1" + len(out).to_bytes(4) + b"\0"
        page = rows[-6:]
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    rows += b"\1" + start.to_bytes(4) + b"\0"
    packer = zlib.compressobj(9)
    packed = packer.compress(bytes(rows))
    packed += b"".join(packer.compress(page * _ROWS_AT_ONCE) for _ in range(count // _ROWS_AT_ONCE)) + packer.flush()
    out += b"4 0 obj\n<< /Type /XRef /Size %d /W [1 4 1] /Root 1 0 R /Filter /FlateDecode /Length %d >>\n" % (5 + count, len(packed))
    return bytes(out) + b"stream\n" + packed + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % start
