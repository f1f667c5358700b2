"""What one document leaves behind in the process that read it must not fail the documents after it."""

from __future__ import annotations

import asyncio

import pytest

from signer.algorithms import DigestAlgorithm
from signer.documents.pool import DocumentPool
from signer.documents.settings import DocumentSettings
from signer.documents.wire import ExaminedXmlReply, ExamineXmlCall
from signer.model import XadesOptions
from tests.support.rig import FULL

NAMES_EACH = 5_000
DOCUMENTS = 160
MEMORY_MIB = 128


def with_names_of_its_own(number: int) -> bytes:
    """libxml2 keeps every name it has read for the next document."""
    return b"<a>" + b"".join(b"<e%d-%s/>" % (number * NAMES_EACH + each, b"x" * 200) for each in range(NAMES_EACH)) + b"</a>"


def call(document: bytes) -> ExamineXmlCall:
    return ExamineXmlCall(document=document, options=XadesOptions(), digest_algorithm=DigestAlgorithm.SHA256, name="")


@pytest.mark.skipif(not FULL, reason="waits for several workers' starts: make faults")
async def test_documents_are_examined_after_others_have_filled_the_workers_memory_with_names() -> None:
    pool = DocumentPool(DocumentSettings(memory_mib_max=MEMORY_MIB), processes=1, log_level="error")
    await pool.start()
    try:
        async with asyncio.timeout(120):
            for number in range(DOCUMENTS):
                replies = await pool.examine_xml([call(with_names_of_its_own(number)), call(b"<hoc_ba-%d/>" % number)])
                assert [type(each) for each in replies] == [ExaminedXmlReply, ExaminedXmlReply]
    finally:
        await pool.close()


@pytest.mark.skipif(not FULL, reason="waits for several workers' starts: make faults")
async def test_a_document_that_waits_behind_a_worker_that_leaves_is_not_blamed_for_it() -> None:
    """Two workers, two frames in the hands of each: a document is often the next one when a worker leaves, and may be so twice."""
    pool = DocumentPool(DocumentSettings(memory_mib_max=MEMORY_MIB), processes=2, log_level="error")
    await pool.start()
    try:
        async with asyncio.timeout(240):
            replies = await pool.examine_xml([call(with_names_of_its_own(number)) for number in range(3 * DOCUMENTS)])
        assert {type(each) for each in replies} == {ExaminedXmlReply}
    finally:
        await pool.close()
