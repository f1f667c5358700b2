"""A worker's look at a signed document: every signature, judged by what the document holds."""

from __future__ import annotations

from datetime import datetime
from time import perf_counter

from signer.documents.anchors import anchors
from signer.documents.wire import EmbeddedStatus, VerifiedReply, VerifyCall
from signer.formats.xml.reading import read
from signer.formats.xml.search import Finder
from signer.records.layout import Layout
from signer.records.verification import RecordRules, rules_of
from signer.validation.content import DocumentKind, recognise
from signer.validation.document import verify_document


def verify(call: VerifyCall, layouts: tuple[Layout, ...]) -> VerifiedReply:
    """Raises a leaf of DocumentError for what can't be read at all."""
    started_s = perf_counter()
    rules = _rules(call.document, layouts) if call.with_record_rules else None
    verified = verify_document(
        call.document,
        anchors(call.trust),
        datetime.fromisoformat(call.at),
        content=call.content,
        slots=() if rules is None else rules.expectations,
        allow_sha1=call.trust.allow_sha1,
    )
    report = verified.report if rules is None else rules.with_order(verified.report)
    embedded = tuple(EmbeddedStatus(certificate=key[0], issuer=key[1], known=known) for key, known in verified.embedded.items())
    return VerifiedReply(report=report, embedded=embedded, document_s=perf_counter() - started_s)


def _rules(document: bytes, layouts: tuple[Layout, ...]) -> RecordRules | None:
    """Of a record; None for any other document."""
    return rules_of(Finder(read(document)), layouts) if recognise(document) is DocumentKind.XML else None
