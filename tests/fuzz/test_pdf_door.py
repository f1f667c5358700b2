"""Any bytes at the PDF door: prepared, or one of our errors, in bounded time.

SIGNER_FUZZ_EXAMPLES: examples a test, for long runs.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signer.errors import DocumentError, InvalidArgument, SignerError, leaves
from signer.formats.pades.update import check
from signer.validation.pdf import verify_pdf
from signer.validation.trust import TrustAnchors
from tests.support import pdfs, pki

EXAMPLES = int(os.environ.get("SIGNER_FUZZ_EXAMPLES", "100"))
DOCUMENT_S_MAX = 5.0  # generous: a document takes some 3 ms; what loops would take for ever
fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
TRUST = TrustAnchors(signing=(pki.root().der,), timestamping=(pki.root().der,))
SIGNED = pdfs.signed(pdfs.report_card(pages=1), signer=pki.issue("fuzz", pki.rsa_key(1), pki.authority()))
SEEDS = [make(0) for make in pdfs.VARIANTS.values()] + [SIGNED]
KEYWORDS = [
    *(b"/Root", b"/Size", b"/Prev", b"/Info", b"/ID", b"/W", b"/Index", b"/Kids", b"/Count", b"/Parent", b"/Fields", b"/Annots"),
    *(b"/Length", b"/Filter", b"/Type", b"/First", b"/N", b"/Pages", b"/V", b"/ByteRange", b"/Contents", b"/FT", b"/T", b"/AcroForm"),
    *(b"obj", b"endobj", b"stream", b"endstream", b"xref", b"trailer", b"startxref", b"%%EOF", b"<<", b">>", b"[", b"]", b"R", b"null"),
    *(b"true", b"0", b"-1", b"2147483648", b"99999999999999999999", b"0.5", b"(", b"<", b"/XRefStm", b"/Extends", b"/Encrypt"),
]
JUNK = st.one_of(st.sampled_from(KEYWORDS), st.binary(max_size=12), st.integers(-3, 10**12).map(lambda number: b"%d" % number))
TOKEN = re.compile(rb"/?[A-Za-z0-9]+|<<|>>|[\[\]()<>]")


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real PDF with tokens exchanged, pieces cut, doubled or overwritten."""
    document = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(document) - 1)))
        match draw(st.sampled_from(["token", "token", "token", "byte", "cut", "end", "double"])):
            case "token":
                found = TOKEN.search(document, at)
                if found:
                    document = document[: found.start()] + draw(JUNK) + document[found.end() :]
            case "byte":
                document = document[:at] + draw(st.binary(min_size=1, max_size=3)) + document[at + 1 :]
            case "cut":
                document = document[:at] + document[at + draw(st.integers(1, 400)) :]
            case "end":
                document = document[:at]
            case _:
                document = document[:at] + document[at : at + draw(st.integers(1, 2000))] + document[at:]
    return document


def outcome(act: Callable[[bytes], object], document: bytes) -> None:
    """`act` returns, or raises one of our leaves without a word of the document, in bounded time."""
    started = time.process_time()
    refusal: SignerError | None = None
    try:
        act(document)
    except SignerError as error:
        refusal = error
    assert time.process_time() - started < DOCUMENT_S_MAX
    if refusal is not None:
        assert isinstance(refusal, DocumentError | InvalidArgument)
        assert leaves()[refusal.reason] is type(refusal)
        assert pdfs.PUPIL not in refusal.message


def at_the_door(document: bytes) -> None:
    check(len(document), pdfs.prepared(document))


def judged(document: bytes) -> None:
    json.dumps(verify_pdf(document, TRUST, pdfs.SIGNED_AT).to_json())


@fuzz
@given(st.binary(max_size=2000))
def test_any_bytes_are_refused_by_name(document: bytes) -> None:
    with pytest.raises(SignerError):
        pdfs.prepared(document)


@fuzz
@given(st.lists(JUNK, max_size=60))
def test_any_tokens_behind_a_header_are_prepared_or_refused(tokens: list[bytes]) -> None:
    outcome(at_the_door, b"%PDF-1.7\n" + b" ".join(tokens) + b"\nstartxref\n9\n%%EOF\n")


@fuzz
@given(mutated())
def test_mutated_documents_are_prepared_or_refused(document: bytes) -> None:
    outcome(at_the_door, document)


@fuzz
@given(mutated())
def test_mutated_documents_are_judged_or_refused(document: bytes) -> None:
    outcome(judged, document)
