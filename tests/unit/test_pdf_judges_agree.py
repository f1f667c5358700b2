"""The judging matrix for PDFs: ours, pyHanko's validator and poppler's pdfsig accept and refuse the same files."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from asn1crypto import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import ValidationContext

from signer.algorithms import SignatureAlgorithm
from signer.model import Level
from signer.validation.document import verify_document
from signer.validation.report import Indication
from signer.validation.trust import TrustAnchors
from tests.support import judges, pdfs, pki, updates

ROOT = pki.root()
TRUST = TrustAnchors((ROOT.der,), (ROOT.der,))
CHAIN = (pki.authority(),)
TEACHER = pki.issue("Trần Văn Giáo", pki.rsa_key(1), pki.authority())
PRINCIPAL = pki.issue("Nguyễn Thị Hiệu", pki.rsa_key(2), pki.authority())
SEAL = pki.issue("TRƯỜNG TIỂU HỌC", pki.ec_key(3), pki.authority())
CARD = pdfs.report_card(pages=1, compress=False)
AT = pdfs.SIGNED_AT + timedelta(hours=1)
STAMP = functools.partial(pdfs.timestamp_token, at=pdfs.SIGNED_AT)


def signed(document: bytes = CARD, field: str = "GVCN", signer: pki.Issued = TEACHER, **how: object) -> bytes:
    return pdfs.signed(document, field, signer=signer, chain=CHAIN, **how)  # type: ignore[arg-type]


def twice() -> bytes:
    return signed(signed(timestamp=STAMP), "CBQL", PRINCIPAL, timestamp=STAMP)


def thrice() -> bytes:
    return signed(twice(), "VANTHU", SEAL, algorithm=SignatureAlgorithm.ECDSA_SHA256, timestamp=STAMP)


def wrong_key() -> bytes:
    return signed(signer=pki.Issued(TEACHER.x509, pki.rsa_key(9)))


ACCEPTED: dict[str, Callable[[], bytes]] = {
    "fresh": signed,
    "timestamped": lambda: signed(timestamp=STAMP),
    "second signature": twice,
    "third signature": thrice,
    "ECDSA": lambda: signed(signer=SEAL, algorithm=SignatureAlgorithm.ECDSA_SHA256),
    "PSS": lambda: signed(algorithm=SignatureAlgorithm.RSA_PSS_SHA256),
}
REFUSED: dict[str, Callable[[], bytes]] = {
    "a changed byte": lambda: signed().replace(b"mark 10", b"mark 11", 1),
    "a changed byte below three signatures": lambda: thrice().replace(b"mark 10", b"mark 11", 1),
    "another key": wrong_key,
    "another key in the middle": lambda: signed(
        signed(wrong_key(), "CBQL", PRINCIPAL), "VANTHU", SEAL, algorithm=SignatureAlgorithm.ECDSA_SHA256
    ),
    "content overwritten": lambda: updates.changed_content(signed()),
    "content overwritten after three": lambda: updates.changed_content(thrice()),
    "content exchanged": lambda: updates.other_content(signed()),
    "content covered by a note": lambda: updates.covered_by_annotation(signed()),
    "another page tree": lambda: updates.other_pages(signed()),
    "overwritten, then signed by another": lambda: signed(updates.changed_content(signed()), "CBQL", PRINCIPAL),
}


def ours(document: bytes) -> bool:
    return verify_document(document, TRUST, AT).settled(AT).indication is Indication.TOTAL_PASSED


def pyhanko(document: bytes) -> bool:
    root = x509.Certificate.load(ROOT.der)

    async def judge() -> bool:
        for signature in PdfFileReader(BytesIO(document), strict=False).embedded_signatures:
            context = ValidationContext(trust_roots=[root], allow_fetching=False, moment=AT)
            usage = KeyUsageConstraints(key_usage={"digital_signature"})
            if not (await async_validate_pdf_signature(signature, context, key_usage_settings=usage)).bottom_line:
                return False
        return True

    return asyncio.run(judge())


def pdfsig(document: bytes, folder: Path) -> bool:
    """Every signature valid, and the last over the whole file: poppler looks at no changes in between."""
    (folder / "it.pdf").write_bytes(document)
    told = judges.pdfsig(folder / "it.pdf")
    is_whole = any("Total document signed" in label or "Total document signed" in value for one in told for label, value in one.items())
    return bool(told) and is_whole and all(one["Signature Validation"] == "Signature is Valid." for one in told)


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_in_order_is_accepted_by_all_three(name: str, tmp_path: Path) -> None:
    document = ACCEPTED[name]()
    assert (ours(document), pyhanko(document), pdfsig(document, tmp_path)) == (True, True, True)


POPPLER_SEES_NO_CHANGE = {"overwritten, then signed by another"}
"""A later signature covers the change, and poppler asks no more."""


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_in_order_is_refused_by_all_three(name: str, tmp_path: Path) -> None:
    document = REFUSED[name]()
    assert (ours(document), pyhanko(document)) == (False, False)
    assert pdfsig(document, tmp_path) is (name in POPPLER_SEES_NO_CHANGE)


def test_a_removed_timestamp_lowers_the_level_and_nothing_else() -> None:
    levels = [verify_document(document, TRUST, AT).report.signatures[0].level for document in (signed(timestamp=STAMP), signed())]
    assert levels == [Level.B_T, Level.B_B]


def test_every_earlier_signature_tells_that_only_signatures_followed() -> None:
    changes = [each.changes.value for each in verify_document(thrice(), TRUST, AT).report.signatures]
    assert changes[-1] == "none"
    assert "forbidden" not in changes


def test_what_a_signer_did_not_see_is_named_where_it_was_changed() -> None:
    """The principal signed the forged card; the teacher's signature, not the principal's, says so."""
    report = verify_document(REFUSED["overwritten, then signed by another"](), TRUST, AT).report
    assert [each.indication for each in report.signatures] == [Indication.TOTAL_FAILED, Indication.TOTAL_PASSED]
