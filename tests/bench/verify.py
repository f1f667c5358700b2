"""Verification of signed PDFs: our document workers against pyHanko's own validator, in as many processes. Needs no daemon.

Ours also compares what each byte range leaves out, looks at revocation in the document, and tells its findings across a socket; pyHanko's
side does the same validation of signature, differences, chain and timestamp, and nothing else.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from multiprocessing import get_context
from time import perf_counter
from typing import Self

from asn1crypto import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko_certvalidator import ValidationContext

from signer.documents.pool import DocumentPool
from signer.documents.settings import DocumentSettings
from signer.documents.wire import Trust, VerifiedReply, VerifyCall
from signer.validation.report import Indication
from tests.bench.documents import plain_documents
from tests.bench.ground import Ground, NotSigned
from tests.bench.measure import Sample, take_pairs
from tests.bench.row import Row, Target, row_of_pairs
from tests.support import pdfs, pki

_DOCUMENTS = 24
_IN_WORK = 16
_STAMP = functools.partial(pdfs.timestamp_token, at=pdfs.SIGNED_AT)
_TRUST = Trust(signing=(pki.root().der,), timestamping=(pki.root().der,), intermediates=(), allow_sha1=False)


def verify(ground: Ground) -> Iterator[Row]:
    """Signed PDFs verified, with one and with three signatures at B-T: documents/s over pyHanko's validator in as many processes."""
    folder = plain_documents(ground.folder / "documents", _DOCUMENTS)
    plain = [file.read_bytes() for file in sorted(folder.glob("*.pdf"))]
    processes = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as peers, _Workers(processes) as workers:
        for count in (1, 3):
            signed = [_signed(document, count) for document in plain]
            theirs = functools.partial(_reference, peers, processes, signed, ground.pace.seconds)
            ours = functools.partial(workers.verify, signed, ground.pace.seconds)
            theirs(), ours()
            yield row_of_pairs(
                "verify-pdf" if count == 1 else f"verify-pdf-{count}-signatures",
                take_pairs(theirs, ours, ground.pace.pairs),
                target=Target(0.9),
                reference=f"pyHanko's validator, {processes} processes",
                details={"signatures": count, "processes": processes},
            )


class _Workers:
    """The daemon's document workers, without a daemon."""

    def __init__(self, processes: int) -> None:
        self._runner = asyncio.Runner()
        self._pool = DocumentPool(DocumentSettings(), processes=processes, log_level="error")

    def __enter__(self) -> Self:
        self._runner.run(self._pool.start())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._pool.close())
        self._runner.close()

    def verify(self, documents: list[bytes], seconds: float) -> Sample:
        """Verifies for so long, with enough in work to keep every worker busy."""
        return self._runner.run(self._verify(documents, seconds))

    async def _verify(self, documents: list[bytes], seconds: float) -> Sample:
        supply, took_ms = itertools.cycle(documents), list[float]()
        begun = perf_counter()

        async def one_after_the_other() -> None:
            while perf_counter() - begun < seconds:
                before = perf_counter()
                _require_passed(await self._pool.verify(_call(next(supply))))
                took_ms.append((perf_counter() - before) * 1e3)

        await asyncio.gather(*(one_after_the_other() for _ in range(_IN_WORK)))
        return _sample(took_ms, perf_counter() - begun)


def _signed(document: bytes, count: int) -> bytes:
    for number in range(count):
        signer = pki.issue(f"Signer {number} (DEMO)", pki.rsa_key(number), pki.authority())
        document = pdfs.signed(document, f"KY{number}", signer=signer, chain=(pki.authority(),), timestamp=_STAMP)
    return document


def _call(document: bytes) -> VerifyCall:
    return VerifyCall(document=document, trust=_TRUST, at=pdfs.SIGNED_AT.isoformat(), with_record_rules=False)


def _require_passed(reply: VerifiedReply) -> None:
    if reply.report.indication is not Indication.TOTAL_PASSED:
        raise NotSigned(f"{reply.report}")


def _reference(peers: ProcessPoolExecutor, processes: int, documents: list[bytes], seconds: float) -> Sample:
    runs = [peers.submit(_peer, documents, pki.root().der, seconds) for _ in range(processes)]
    return Sample.together([run.result() for run in runs])


def _peer(documents: list[bytes], root: bytes, seconds: float) -> Sample:
    """pyHanko's validator as its own documentation calls it, in this process."""
    return asyncio.run(_validate_for(documents, x509.Certificate.load(root), seconds))


async def _validate_for(documents: list[bytes], root: x509.Certificate, seconds: float) -> Sample:
    took_ms: list[float] = []
    begun = perf_counter()
    for document in itertools.cycle(documents):
        before = perf_counter()
        if before - begun >= seconds:
            break
        for signature in PdfFileReader(BytesIO(document)).embedded_signatures:
            context = ValidationContext(trust_roots=[root], allow_fetching=False, moment=pdfs.SIGNED_AT)
            usage = KeyUsageConstraints(key_usage={"digital_signature"})
            status = await async_validate_pdf_signature(signature, context, key_usage_settings=usage)
            if not status.bottom_line:
                raise NotSigned(status.summary())
        took_ms.append((perf_counter() - before) * 1e3)
    return _sample(took_ms, perf_counter() - begun)


def _sample(took_ms: list[float], seconds: float) -> Sample:
    ordered = sorted(took_ms)
    return Sample(len(ordered), seconds, ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100])
