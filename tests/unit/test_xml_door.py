"""The door for a stranger's XML: what is let in, what is refused and why."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from signer.errors import DocumentDamaged, DocumentEmpty, DocumentError, DocumentNotXml, DocumentTooCostly, DocumentUnsupported
from signer.formats.xml.examine import examine
from signer.formats.xml.reading import ATTRIBUTES_MAX, MARKUP_MAX, NAMESPACES_MAX, read
from signer.formats.xml.search import Finder
from signer.model import RecordSlot
from signer.validation.xml import SIGNATURES_MAX
from signer.validation.xml_signature import CERTIFICATES_MAX, REFERENCES_MAX
from tests.support import xmls

LAUGHS = b"<!DOCTYPE a [<!ENTITY a0 'lol'>" + b"".join(b"<!ENTITY a%d '%s'>" % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12))
NAMESPACES = b" ".join(b'xmlns:n%d="urn:%d"' % (n, n) for n in range(NAMESPACES_MAX + 1))
ATTRIBUTES = b" ".join(b'a%d=""' % n for n in range(ATTRIBUTES_MAX + 1))
HOSTILE: dict[str, tuple[bytes, type[DocumentError]]] = {
    "nothing": (b"", DocumentEmpty),
    "no XML": (b"hello", DocumentNotXml),
    "cut off": (b"<a><b>", DocumentDamaged),
    "two roots": (b"<a/><b/>", DocumentDamaged),
    "attribute twice": (b'<a x="1" x="2"/>', DocumentDamaged),
    "undeclared prefix": (b"<p:a/>", DocumentDamaged),
    "entity without declaration": (b"<a>&b;</a>", DocumentDamaged),
    "character that XML has not": (b"<a>&#1;</a>", DocumentDamaged),
    "wrong UTF-8": (b"<a>\xff</a>", DocumentDamaged),
    "declaration that can't be read": (b"<?xml version=1.0?><a/>", DocumentDamaged),
    "declaration in the middle": (b'<a><?xml version="1.0"?></a>', DocumentDamaged),
    "external entity": (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', DocumentUnsupported),
    "external DTD": (b'<!-- x --><?y z?>\n<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>', DocumentUnsupported),
    "parameter entity": (b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/">%x;]><a/>', DocumentUnsupported),
    "billion laughs": (LAUGHS + b"]><a>&a11;</a>", DocumentUnsupported),
    "quadratic blow-up": (b"<!DOCTYPE a [<!ENTITY x '" + b"x" * 100_000 + b"'>]><a>" + b"&x;" * 100_000 + b"</a>", DocumentUnsupported),
    "default attribute": (b'<!DOCTYPE a [<!ATTLIST a Id CDATA "data">]><a/>', DocumentUnsupported),
    "UTF-16": ('<?xml version="1.0" encoding="UTF-16"?><a/>'.encode("utf-16"), DocumentUnsupported),
    "UTF-16 without mark": ("<a/>".encode("utf-16-le"), DocumentUnsupported),
    "UTF-32": ("<a/>".encode("utf-32"), DocumentUnsupported),
    "UTF-7": (b'<?xml version="1.0" encoding="UTF-7"?><a/>', DocumentUnsupported),
    "Windows": (b'<?xml version="1.0" encoding="windows-1258"?><a/>', DocumentUnsupported),
    "EBCDIC": ('<?xml version="1.0" encoding="cp037"?><a/>'.encode("cp037"), DocumentNotXml),
    "XML 1.1": (b'<?xml version="1.1"?><a/>', DocumentUnsupported),
    "deep nesting": (b"<a>" * 100_000 + b"</a>" * 100_000, DocumentTooCostly),
    "long name": (b"<" + b"a" * 100_000 + b"/>", DocumentTooCostly),
    "long text": (b"<a>" + b"x" * 11_000_000 + b"</a>", DocumentTooCostly),
    "long comment": (b"<a><!--" + b"x" * 11_000_000 + b"--></a>", DocumentTooCostly),
    "many elements": (b"<a>" + b"<b/>" * MARKUP_MAX + b"</a>", DocumentTooCostly),
    "many attributes": (b"<a>" + b'<b x="" y=""/>' * (MARKUP_MAX // 2 + 1) + b"</a>", DocumentTooCostly),
    "crowded element": (b"<a><b " + ATTRIBUTES + b"/></a>", DocumentTooCostly),
    "crowd of namespaces": (b"<a " + NAMESPACES + b">" + b"<b/>" * 100_000 + b"</a>", DocumentTooCostly),
    "namespaces level by level": (
        b"".join(b'<a xmlns:n%d="urn:%d">' % (n, n) for n in range(NAMESPACES_MAX + 1)) + b"</a>" * (NAMESPACES_MAX + 1),
        DocumentTooCostly,
    ),
}


@pytest.mark.parametrize(("document", "refusal"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_documents_are_refused_by_kind_and_without_network(
    monkeypatch: pytest.MonkeyPatch, document: bytes, refusal: type[DocumentError]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a document made us use the network")

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(refusal) as refused:
        read(document)
    assert "passwd" not in refused.value.message


@pytest.mark.parametrize(
    "document",
    [
        "\ufeff<a/>".encode(),
        b"<?xml version='1.0' encoding='utf-8' standalone=\"yes\" ?>\r\n<a/>\r\n",
        b"<a>&lt;!DOCTYPE a&gt;<!-- <!DOCTYPE a> --><![CDATA[<!DOCTYPE a>]]></a>",
        b"<a>" * 255 + b"</a>" * 255,
    ],
)
def test_usual_documents_are_let_in(document: bytes) -> None:
    assert read(document).root.tag == "a"


def test_a_document_that_names_a_style_sheet_is_read_but_not_signed() -> None:
    document = xmls.record().replace(b"<HOC_BA>", b'<?xml-stylesheet type="text/xsl" href="http://example/a.xsl"?><HOC_BA>')
    assert read(document).has_style_sheet
    with pytest.raises(DocumentUnsupported, match="style sheet"):
        examine(Finder(read(document)), xmls.slot_request(RecordSlot.PRINCIPAL))


@pytest.mark.parametrize("wrap", [lambda text: f"<a><b>{text}</b>", lambda text: f'<a x="{text}"'])
def test_messages_hold_nothing_of_the_document(wrap: Callable[[str], str]) -> None:
    with pytest.raises(DocumentDamaged) as refused:
        read(wrap("Nguyễn Văn An").encode())
    assert "Nguyễn" not in refused.value.message


def test_the_bounds_that_are_told_are_those_that_are_kept() -> None:
    told = (Path(__file__).parents[2] / "docs/xml.md").read_text(encoding="utf-8")
    bounds = {
        "tags or attributes": MARKUP_MAX,
        "attributes on an element": ATTRIBUTES_MAX,
        "namespace declarations in scope": NAMESPACES_MAX,
        "signatures": SIGNATURES_MAX,
        "references": REFERENCES_MAX,
        "certificates each": CERTIFICATES_MAX,
    }
    assert [what for what, bound in bounds.items() if f"{bound:,} {what}" not in told] == []
