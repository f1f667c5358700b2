"""The incremental update of the fast PAdES path, byte by byte."""

from __future__ import annotations

import re

from signer.model import FieldPlacement
from tests.support.fastpath import extended, prepared_fast

CONTENTS_BYTES = 8
BODY = b"""%PDF-1.4
1 0 obj
<</Type/Catalog/Pages 2 0 R>>
endobj
2 0 obj
<</Type/Pages/Kids[3 0 R]/Count 1>>
endobj
3 0 obj
<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>
endobj
"""
ORIGINAL = (
    BODY
    + b"""xref
0 4
0000000000 65535 f\x20
0000000009 00000 n\x20
0000000054 00000 n\x20
0000000105 00000 n\x20
trailer
<</Size 4/Root 1 0 R/Other(kept)>>
startxref
166
%%EOF"""
)
ORIGINAL_STREAM = (
    BODY
    + b"4 0 obj\n<</Type/XRef/W[1 1 1]/Size 5/Root 1 0 R/ID[<aa>(\\(b)]/Length 15>>stream\n"
    + bytes((0, 0, 255, 1, 9, 0, 1, 54, 0, 1, 105, 0, 1, 166, 0))
    + b"\nendstream\nendobj\nstartxref\n166\n%%EOF\n"
)
PLACEMENT = FieldPlacement("GVCN", "A (B)", "", "Hà")


def prepared(document: bytes) -> bytes:
    """The update with every random identifier shown as R."""
    update = prepared_fast(document, PLACEMENT, contents_bytes=CONTENTS_BYTES).update
    return re.sub(rb"<[0-9a-f]{32}>", b"<" + b"R" * 32 + b">", update)


def test_pades_fast_a_first_signature_after_a_table() -> None:
    assert len(ORIGINAL) == 317
    assert prepared(ORIGINAL) == (
        b"""
1 0 obj
<</Type/Catalog/Pages 2 0 R
/Version /1.7
/Extensions <</ESIC <</Type/DeveloperExtensions/BaseVersion/1.7/ExtensionLevel 1>>>>
/AcroForm 4 0 R>>
endobj
3 0 obj
<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]
/Annots [5 0 R]>>
endobj
4 0 obj
<< /Fields [5 0 R] /SigFlags 3 >>
endobj
5 0 obj
<< /FT /Sig /T (GVCN)
/Type /Annot /Subtype /Widget
/F 132 /Rect [0 0 0 0]
/P 3 0 R /V 6 0 R >>
endobj
6 0 obj
<< /Type /Sig
/Filter /Adobe.PPKLite
/SubFilter /ETSI.CAdES.detached
/M (D:20260530081500+07'00')
/Name (A \\(B\\))
/Location <feff004800e0>
/Contents <0000000000000000>
/ByteRange [0        872        890        346]
>>
endobj
xref
0 2
0000000000 65535 f\x20
0000000318 00000 n\x20
3 4
0000000478 00000 n\x20
0000000555 00000 n\x20
0000000604 00000 n\x20
0000000715 00000 n\x20
trailer
<< /Size 7
/Root 1 0 R
/Other (kept)
/ID [<RRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRR> <RRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRR>]
/Prev 166 >>
startxref
949
%%EOF
"""
    )


def test_pades_fast_a_second_signature_after_a_stream() -> None:
    first = extended(ORIGINAL_STREAM, prepared_fast(ORIGINAL_STREAM, "CBQL", contents_bytes=CONTENTS_BYTES))
    update = prepared(first)
    head, _, section = update.partition(b"11 0 obj\n")
    assert head.startswith(
        b"3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]\n/Annots [6 0 R 9 0 R]>>\nendobj\n"
        b"5 0 obj\n<< /Fields [6 0 R 9 0 R] /SigFlags 3 >>\nendobj\n"
        b"9 0 obj\n<< /FT /Sig /T (GVCN)\n"
    )
    assert b"1 0 obj\n<</Type/Catalog" not in head
    offsets = [len(first) + update.index(b"%d 0 obj\n" % number) for number in (3, 5, 9, 10, 11)]
    rows = b"".join(b"\x01" + offset.to_bytes(4, "big") + b"\x00\x00" for offset in offsets)
    assert section == (
        b"<< /Type /XRef /W [1 4 2]\n/Index [0 1 3 1 5 1 9 3]\n/Size 12\n/Root 1 0 R\n/ID [<aa> <RRRRRRRRRRRRRRRRRRRRRRRRRRRRRRRR>]\n"
        b"/Prev %d /Length 42 >>\nstream\n\x00\x00\x00\x00\x00\xff\xff%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n"
    ) % (int(re.findall(rb"startxref\n(\d+)", first)[-1]), rows, offsets[-1])


def test_pades_fast_keeps_every_other_value_of_what_it_changes() -> None:
    """Comments, nested and odd values of the objects it has to write again stand there as before."""
    strange = b"/Strange[(a\\)b(c)) <</X(>>)>> -.5 <</Y[/Z]>>]/Lang(vi) % a comment >>\n"
    bodies = (
        b"<</Type/Catalog" + strange + b"/Pages 2 0 R/AcroForm<<" + strange + b"/NeedAppearances true/Fields[]/SigFlags 1>>/Version/1.3>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R" + strange + b"/Annots[<</Subtype/Link>>]>>",
    )
    update = prepared_fast(table(*bodies), PLACEMENT).update
    extensions = b"\n/Extensions <</ESIC <</Type/DeveloperExtensions/BaseVersion/1.7/ExtensionLevel 1>>>>"
    assert (
        b"1 0 obj\n<</Type/Catalog"
        + strange
        + b"/Pages 2 0 R/AcroForm<<"
        + strange
        + b"/Fields[ 4 0 R]/SigFlags  3>>/Version /1.7"
        + extensions
    ) in update
    assert b"3 0 obj\n<</Type/Page/Parent 2 0 R" + strange + b"/Annots[<</Subtype/Link>> 4 0 R]>>\nendobj\n" in update


def table(*bodies: bytes) -> bytes:
    """A file of these objects, numbered from 1."""
    out, rows = b"%PDF-1.7\n", [b"0000000000 65535 f \n"]
    for number, body in enumerate(bodies, 1):
        rows.append(b"%010d 00000 n \n" % len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    trailer = b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n" % (len(rows), len(out))
    return out + b"xref\n0 %d\n" % len(rows) + b"".join(rows) + trailer + b"%%EOF\n"
