"""Any bytes at validation's door, whatever they pretend to be: a report, or one of our errors about documents, in bounded time."""

from __future__ import annotations

import json
import os
import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signer.errors import DocumentError
from signer.validation.document import verify_document
from signer.validation.report import Indication
from signer.validation.summary import Language, summary
from signer.validation.trust import TrustAnchors
from tests.support import cms, pdfs, pki

EXAMPLES = int(os.environ.get("SIGNER_FUZZ_EXAMPLES", "100"))
DOCUMENT_S_MAX = 5.0  # generous: a document takes some 30 ms; what loops would take for ever
fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
TEACHER = pki.issue("fuzz", pki.rsa_key(1), pki.authority())
TRUST = TrustAnchors((pki.root().der,), (pki.root().der,), (pki.authority().der,))
CONTENT = b"content"
PDF = pdfs.signed(pdfs.report_card(pages=1), signer=TEACHER, chain=(pki.authority(),))
SEEDS = [
    PDF,
    cms.signed(CONTENT, TEACHER, attached=True),
    cms.stamped(cms.signed(CONTENT, TEACHER), pdfs.SIGNED_AT),
    cms.signed(CONTENT, TEACHER, pki.issue("fuzz too", pki.ec_key(3), pki.authority()), cades=False),
]
HEADS = [
    b"%PDF-1.7\n",
    b"<?xml version='1.0'?><a xmlns:ds='http://www.w3.org/2000/09/xmldsig#'>",
    SEEDS[1][:24],
    b"-----BEGIN CMS-----\n",
    b"",
]


def judged(document: bytes) -> Indication | None:
    """What it is found to be; None for a document that is refused."""
    started = time.process_time()
    try:
        report = verify_document(document, TRUST, pdfs.SIGNED_AT, content=CONTENT).settled(pdfs.SIGNED_AT)
    except DocumentError:
        return None
    finally:
        assert time.process_time() - started < DOCUMENT_S_MAX
    json.dumps(report.to_json())
    assert all(summary(report, language) for language in Language)
    return report.indication


@fuzz
@given(st.sampled_from(HEADS), st.binary(max_size=1000))
def test_any_bytes_behind_any_head_are_judged_or_refused_and_never_pass(head: bytes, tail: bytes) -> None:
    assert judged(head + tail) is not Indication.TOTAL_PASSED


@fuzz
@given(st.sampled_from(SEEDS), st.data())
def test_signed_documents_with_bytes_exchanged_cut_or_doubled_are_judged_or_refused(seed: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(seed) - 1))
    end = data.draw(st.integers(at, min(len(seed), at + 300)))
    changed = seed[:at] + data.draw(st.sampled_from([b"", seed[at:end] * 2, bytes(end - at)]) | st.binary(max_size=8)) + seed[end:]
    judged(changed)
