"""PDFs of every structure we meet, made in the process, and signatures on them as the daemon makes them."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pikepdf
from asn1crypto import tsp
from reportlab.pdfgen.canvas import Canvas

from signer.algorithms import SignatureAlgorithm
from signer.formats.cms.identifiers import ID_CT_TST_INFO
from signer.formats.cms.template import CmsTemplate
from signer.formats.pades.appearance.artwork import Artwork
from signer.formats.pades.complete import prepare
from signer.formats.pades.update import PreparedUpdate, check, digests, splice
from signer.model import FieldPlacement
from tests.support import pki

HANOI = timezone(timedelta(hours=7))
SIGNED_AT = datetime(2026, 5, 30, 8, 15, 0, tzinfo=HANOI)
PUPIL = "Nguyễn Thị Thử Nghiệm"
CONTENTS_BYTES = 8192


def report_card(seed: int = 0, *, pages: int = 4, form: bool = False, compress: bool = True) -> bytes:
    """Classic cross-reference table; `form` adds an AcroForm with a text field."""
    out = io.BytesIO()
    canvas = Canvas(out, pageCompression=int(compress), invariant=True)
    canvas.setTitle(f"Học bạ {PUPIL}")
    canvas.setAuthor(PUPIL)
    for page in range(pages):
        for line in range(40):
            canvas.drawString(50, 800 - 18 * line, f"{seed} {page} {line} " + "mark 10 " * 6)
        if form and page == 0:
            canvas.acroForm.textfield(name="remark", x=50, y=20, width=200, height=18)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def _saved(document: bytes, edit: Callable[[pikepdf.Pdf], None] | None = None, **how: Any) -> bytes:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(document)) as pdf:
        if edit:
            edit(pdf)
        pdf.save(out, **how)
    return out.getvalue()


def edited(document: bytes, edit: Callable[[pikepdf.Pdf], None]) -> bytes:
    return _saved(document, edit)


def object_streams(document: bytes) -> bytes:
    """Cross-reference stream and object streams."""
    return _saved(document, object_stream_mode=pikepdf.ObjectStreamMode.generate)


def linearized(document: bytes) -> bytes:
    return _saved(document, linearize=True)


def linearized_streams(document: bytes) -> bytes:
    return _saved(document, linearize=True, object_stream_mode=pikepdf.ObjectStreamMode.generate)


def encrypted(document: bytes, *, user: str, owner: str = "owner") -> bytes:
    return _saved(document, encryption=pikepdf.Encryption(user=user, owner=owner))


def with_empty_field(document: bytes, name: str, rect: tuple[int, ...] = (0, 0, 0, 0), **entries: object) -> bytes:
    """An unsigned signature field, as form designers leave it."""

    def edit(pdf: pikepdf.Pdf) -> None:
        page = pdf.pages[0]
        field = {"/FT": "/Sig", "/T": name, "/Type": "/Annot", "/Subtype": "/Widget", "/Rect": list(rect), "/F": 4}
        values = {key: pikepdf.Name(value) if isinstance(value, str) and value.startswith("/") else value for key, value in field.items()}
        widget = pdf.make_indirect(pikepdf.Dictionary(values | {f"/{key}": value for key, value in entries.items()}))
        widget["/P"] = page.obj
        page.obj["/Annots"] = pikepdf.Array([widget])
        pdf.Root["/AcroForm"] = pdf.make_indirect(pikepdf.Dictionary({"/Fields": pikepdf.Array([widget])}))

    return edited(document, edit)


def hybrid(seed: int = 0) -> bytes:
    """A hybrid-reference file (ISO 32000-2 7.5.8.4) as word processors write it: object 5 is hidden in an object stream."""
    text = f"BT /F1 12 Tf 50 700 Td (hybrid {seed}) Tj ET".encode()
    hidden = b"5 0 << /Producer (word processor) >>"
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R /Lang (vi) >>",
        2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 6 0 R >> >> >>",
        4: b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
        6: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        7: b"<< /Type /ObjStm /N 1 /First 4 /Length %d >>\nstream\n%s\nendstream" % (len(hidden), hidden),
    }
    out = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
    offsets = {}
    for number, body in objects.items():
        offsets[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    offsets[8] = len(out)
    rows = b"\x02" + (7).to_bytes(4, "big") + b"\x00"
    packed = zlib.compress(rows)
    out += b"8 0 obj\n<< /Type /XRef /Size 9 /W [1 4 1] /Index [5 1] /Root 1 0 R /Filter /FlateDecode /Length %d >>\n" % len(packed)
    out += b"stream\n" + packed + b"\nendstream\nendobj\n"
    start = len(out)
    out += b"xref\n0 9\n0000000005 65535 f \n"
    for number in range(1, 9):
        out += b"0000000000 65535 f \n" if number == 5 else b"%010d 00000 n \n" % offsets[number]
    out += b"trailer\n<< /Size 9 /Root 1 0 R /Info 5 0 R /XRefStm %d >>\nstartxref\n%d\n%%%%EOF\n" % (offsets[8], start)
    return bytes(out)


VARIANTS: dict[str, Callable[[int], bytes]] = {
    "classic": report_card,
    "uncompressed": lambda seed: report_card(seed, pages=1, compress=False),
    "form": lambda seed: report_card(seed, form=True),
    "object streams": lambda seed: object_streams(report_card(seed)),
    "form in object streams": lambda seed: object_streams(report_card(seed, form=True)),
    "linearized": lambda seed: linearized(report_card(seed)),
    "linearized streams": lambda seed: linearized_streams(report_card(seed)),
    "empty field": lambda seed: with_empty_field(report_card(seed), "GVCN"),
    "empty visible field": lambda seed: with_empty_field(report_card(seed), "GVCN", (50, 50, 200, 100)),
    "hybrid": hybrid,
    "no last line end": lambda seed: report_card(seed).rstrip(),
    "CR at the end": lambda seed: report_card(seed).rstrip() + b"\r",
    "junk after the end": lambda seed: report_card(seed) + b"\nsent by the school's mail gateway\x00\x00",
}


def prepared(
    document: bytes,
    field: str | FieldPlacement = "GVCN",
    *,
    algorithm: SignatureAlgorithm = SignatureAlgorithm.RSA_PKCS1_SHA256,
    contents_bytes: int = CONTENTS_BYTES,
    artwork: Artwork | None = None,
) -> PreparedUpdate:
    """field: its name alone, or with the texts of the signature dictionary."""
    placement = FieldPlacement(field) if isinstance(field, str) else field
    return prepare(
        document,
        placement,
        signing_time=SIGNED_AT,
        contents_bytes=contents_bytes,
        digest_algorithm=algorithm.digest,
        artwork=artwork,
    )


def signed(
    document: bytes,
    field: str | FieldPlacement = "GVCN",
    *,
    signer: pki.Issued,
    chain: tuple[pki.Issued, ...] = (),
    algorithm: SignatureAlgorithm = SignatureAlgorithm.RSA_PKCS1_SHA256,
    timestamp: Callable[[bytes], bytes] | None = None,
    artwork: Artwork | None = None,
) -> bytes:
    """The signed file. timestamp: from a signature value to the RFC 3161 token over it."""
    update = prepared(document, field, algorithm=algorithm, artwork=artwork)
    check(len(document), update)
    template = CmsTemplate.build(signer.der, tuple(issuer.der for issuer in chain), algorithm)
    attributes = template.signed_attributes(digests(document, update, algorithm.digest).byte_range_digest)
    signature = pki.sign(signer.key, algorithm, hashlib.new(algorithm.digest.value, attributes).digest())
    token = timestamp(signature) if timestamp else None
    return document + splice(update, template.assemble(attributes, signature, timestamp=token))


def timestamp_token(signature: bytes, *, at: datetime, imprint_of: bytes | None = None) -> bytes:
    """A token by the tests' TSA. imprint_of: other content than the signature, for a token that does not belong to it."""
    algorithm = SignatureAlgorithm.RSA_PKCS1_SHA256
    imprint = hashlib.sha256(signature if imprint_of is None else imprint_of).digest()
    info = tsp.TSTInfo(
        {
            "version": "v1",
            "policy": "1.3.6.1.4.1.99999.1",
            "message_imprint": {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": imprint},
            "serial_number": 1,
            "gen_time": at.astimezone(UTC),
        }
    ).dump()
    authority = pki.tsa()
    template = CmsTemplate.build(authority.der, (pki.authority().der,), algorithm, content_type=ID_CT_TST_INFO)
    attributes = template.signed_attributes(hashlib.sha256(info).digest())
    value = pki.sign(authority.key, algorithm, hashlib.sha256(attributes).digest())
    return template.assemble(attributes, value, content=info)
