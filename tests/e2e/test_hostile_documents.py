"""Documents made to do harm, validated: each is answered by name, in bounded time, its neighbours go on, and nobody is called."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from asn1crypto import cms as asn1_cms

from signer.errors import leaves
from signer.v1 import batch_pb2, validation_pb2, validation_pb2_grpc
from tests.support import bombs, cms, pdfs, pki
from tests.support.calls import TIMEOUT_S, our_errors, reason_of
from tests.support.daemon import World, running_daemon

V = validation_pb2
SIGNED = pdfs.signed(pdfs.report_card(pages=1), signer=pki.issue("Teacher", pki.rsa_key(1), pki.authority()), chain=(pki.authority(),))
DOCUMENT_S_MAX = 5.0


def pdf(*objects: bytes, trailer: bytes = b"/Root 1 0 R") -> bytes:
    """A PDF of these objects, from 1."""
    out, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return bytes(out) + b"trailer\n<< /Size %d %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)


CATALOG = b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [3 0 R] /SigFlags 3 >> >>"
PAGES = b"<< /Type /Pages /Kids [] /Count 0 >>"


def flate(content: bytes, entries: bytes = b"") -> bytes:
    packed = zlib.compress(content, 9)
    return b"<< /Filter /FlateDecode %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(packed), packed)


def signature(contents: bytes) -> bytes:
    return b"<< /FT /Sig /T (s) /V << /Type /Sig /SubFilter /ETSI.CAdES.detached /ByteRange [0 9 9 9] /Contents <%s> >> >>" % contents


def many_certificates() -> bytes:
    """A real CMS, by nobody who is trusted, with one certificate ten thousand times."""
    info = asn1_cms.ContentInfo.load(cms.signed(b"content", pki.issue("Stranger", pki.rsa_key(1)), attached=True))
    signed = info["content"]
    signed["certificates"] = asn1_cms.CertificateSet([signed["certificates"][0]] * 10_000)
    return bytes(info.dump())


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a cross-reference of a million objects": lambda: bombs.many_objects(1_000_000),
    "a field tree that loops": lambda: pdf(CATALOG, PAGES, b"<< /T (a) /Kids [3 0 R] >>"),
    "a page tree that loops": lambda: pdf(CATALOG, b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>", signature(b"30")),
    "a cross-reference that loops": lambda: pdf(CATALOG, PAGES, signature(b"30"), trailer=b"/Root 1 0 R /Prev 9"),
    "arrays nested for ever": lambda: pdf(CATALOG, PAGES, b"[" * 100_000 + b"]" * 100_000),
    "dictionaries nested for ever": lambda: pdf(CATALOG, PAGES, b"<< /Kids [ " * 20_000 + b"] >>" * 20_000),
    "a signature of nested lengths": lambda: pdf(CATALOG, PAGES, signature(b"3080" * 50_000)),
    "a huge signature of nothing": lambda: pdf(CATALOG, PAGES, signature(b"30840fffffff" + b"00" * 200_000)),
    "a DSS that unpacks to 300 MB": lambda: pdf(
        CATALOG.replace(b">> >>", b">> /DSS << /OCSPs [4 0 R] /Certs [4 0 R] >> >>"), PAGES, signature(b"30"), flate(bytes(300_000_000))
    ),
    "ten thousand signature fields": lambda: pdf(CATALOG.replace(b"[3 0 R]", b"[" + b"3 0 R " * 10_000 + b"]"), PAGES, signature(b"30")),
    "a CMS of nested lengths": lambda: bytes.fromhex("308006092a864886f70d010702a080") + b"\x30\x80" * 200_000,
    "a CMS of ten thousand certificates": many_certificates,
    "an XML of entities": lambda: b'<!DOCTYPE a [<!ENTITY b "' + b"x" * 1000 + b'">]><a>' + b"&b;" * 100_000 + b"</a>",
    "an XML that wants another file": lambda: b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "an XML nested for ever": lambda: b"<a>" * 200_000,
}


@pytest.fixture(scope="module")
def channel(world: World) -> Iterator[grpc.Channel]:
    config = world.config(
        "hostile.toml", journal={"url": "sqlite:///hostile.db"}, documents={"document_s_max": DOCUMENT_S_MAX, "memory_mib_max": 512}
    )
    with running_daemon(config) as running, world.channel(running.port) as made:
        yield made


def test_every_hostile_document_has_its_answer_and_no_neighbour_suffers(channel: grpc.Channel) -> None:
    documents = {f"{number:02d} {name}": make() for number, (name, make) in enumerate(HOSTILE.items())}
    names = list(documents)

    def messages() -> Iterator[Any]:
        yield V.ValidateDocumentsRequest(header=V.ValidationHeader(options=V.ValidationOptions(record_rules=True)))
        for number, content in enumerate(documents.values()):
            for document_id, body in ((f"hostile-{number}", content), (f"good-{number}", SIGNED)):
                yield V.ValidateDocumentsRequest(document=batch_pb2.DocumentStart(document_id=document_id, size_bytes=len(body)))
                for at in range(0, len(body), 1_000_000):
                    yield V.ValidateDocumentsRequest(chunk=batch_pb2.DocumentChunk(data=body[at : at + 1_000_000]))

    with our_errors():
        answers = list(validation_pb2_grpc.ValidationServiceStub(channel).ValidateDocuments(messages(), timeout=2 * TIMEOUT_S))
    assert answers[-1].summary.received == 2 * len(documents)
    known = {reason.value for reason in leaves()}
    for answer in answers[:-1]:
        kind, number = answer.result.document_id.rsplit("-", 1)
        if kind == "good":
            assert len(answer.result.report.signatures) == 1, f"beside {names[int(number)]}: {answer}"
        elif answer.result.status.code:
            reason = reason_of(answer.result.status)
            assert reason.startswith("DOCUMENT_"), f"{names[int(number)]}: {answer}"
            assert reason in known
        else:
            assert answer.result.report.indication != V.INDICATION_TOTAL_PASSED or names[int(number)].endswith("certificates"), names[
                int(number)
            ]
