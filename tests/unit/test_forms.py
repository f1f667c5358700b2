"""Every form on the path: parked and completed, repeated, proven; nothing of a document is kept. Keys and workers are in-process."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from signer.algorithms import DigestAlgorithm, SignatureAlgorithm
from signer.documents.wire import ExaminedXmlReply, PrepareCall, PreparedReply, XmlCall
from signer.documents.worker import Known, answer
from signer.errors import InternalError, SignerError, TimestampPending, TimestampUnavailable
from signer.formats.pades.appearance.artwork import Artwork
from signer.formats.xml.values import Place
from signer.journal import Journal
from signer.journal.leading import AloneLeading
from signer.model import CadesOptions, Credential, FieldPlacement, Level, Packaging, Profile, SignatureKey, XadesOptions
from signer.pipeline.completer import Completer
from signer.pipeline.digests import NO_FIELD
from signer.pipeline.document import sign_documents
from signer.pipeline.doors import Stamp
from signer.pipeline.engine import Engine
from signer.pipeline.item import SignedDocument
from signer.pipeline.lot import IncomingDocument
from signer.pipeline.plan import FormOptions, ReadyPlan, Shortage
from signer.pipeline.request import Request
from signer.telemetry.metrics import Metrics
from signer.tokens.chains import Issuers
from signer.tokens.credentials import CredentialTable
from signer.tokens.jobs import TokenSignature
from tests.support import cms_judges, pdfs, pki, stamping, xml_verdicts
from tests.support.judges import pdfsig

ALGORITHM = SignatureAlgorithm.RSA_PKCS1_SHA256
SIGNER = pki.issue("Văn thư (DEMO)", pki.rsa_key(3), pki.authority())
CREDENTIAL = Credential("seal", "token", b"\x01", "seal", "school", SIGNER.der, (pki.authority().der,), (ALGORITHM,))
MARK = "Nguyễn Thị Không Được Lưu".encode()
XML = b"<bang><ten>" + MARK + b"</ten></bang>"


class Keys:
    """A token's door with its key in memory. used: how often."""

    lot_max = 8

    def __init__(self) -> None:
        self.used = 0

    def submit(self, *, digests: Sequence[bytes], **_rest: Any) -> asyncio.Future[list[TokenSignature | SignerError]]:
        self.used += len(digests)
        made: list[TokenSignature | SignerError] = [TokenSignature(pki.sign(SIGNER.key, ALGORITHM, each), 0.0, 0.0) for each in digests]
        done: asyncio.Future[list[TokenSignature | SignerError]] = asyncio.get_running_loop().create_future()
        done.set_result(made)
        return done


def told(call: Any, artwork: Artwork | None = None) -> Any:
    try:
        return answer(call, Known(), artwork)
    except SignerError as error:
        return error


class Workers:
    """What document workers run, here. lie: told instead of what was found."""

    def __init__(self) -> None:
        self.lie: Callable[[ExaminedXmlReply], ExaminedXmlReply] = lambda reply: reply

    async def prepare(self, calls: Sequence[PrepareCall], artwork: Artwork | None = None) -> list[PreparedReply | SignerError]:
        return [told(call, artwork) for call in calls]

    async def examine_xml(self, calls: Sequence[XmlCall]) -> list[ExaminedXmlReply | SignerError]:
        return [self.lie(told(call)) for call in calls]


@dataclass
class Stamps:
    """The tests' authority, which can be away."""

    is_away: bool = False
    timestamp_bytes_max: int = 8000

    async def stamp(self, imprint: bytes, digest_algorithm: DigestAlgorithm, _deadline_s: float) -> Stamp:
        if self.is_away:
            raise TimestampUnavailable("away", retry_after_s=1.0)
        return Stamp(await stamping.authority().stamp(imprint, digest_algorithm), stamping.NOW)


@dataclass
class Case:
    """A form: what is signed, how, and whether its judge accepts the signed file."""

    profile: Profile
    document: bytes
    options: FormOptions | None
    stands: Callable[[bytes, bytes, Path], bool]
    placement: FieldPlacement = field(default_factory=lambda: NO_FIELD)


def cms_stands(signed: bytes, document: bytes, folder: Path) -> bool:
    content = None if document in signed else document
    (folder / "root.pem").write_bytes(pki.root().pem)
    is_whole = cms_judges.openssl(signed, folder / "root.pem", folder, content).returncode == 0
    return is_whole and cms_judges.pyhanko(signed, folder / "root.pem", content).stamped_at == stamping.NOW


def pdf_stands(signed: bytes, document: bytes, folder: Path) -> bool:
    (folder / "signed.pdf").write_bytes(signed)
    return signed.startswith(document) and [one["Signature Validation"] for one in pdfsig(folder / "signed.pdf")] == ["Signature is Valid."]


def xml_stands(signed: bytes, document: bytes, folder: Path) -> bool:
    for name, issued in (("root.pem", pki.root()), ("ca.pem", pki.authority())):
        (folder / name).write_bytes(issued.pem)
    content = None if document[:5] in signed else ("d", document)
    stands = xml_verdicts.xmlsec1(signed, (folder / "root.pem", folder / "ca.pem"), folder, content=content)
    return stands and b"EncapsulatedTimeStamp" in signed


CASES = {
    "pades": Case(Profile.PADES, pdfs.report_card(1, pages=1), None, pdf_stands, FieldPlacement("GVCN")),
    "cades detached": Case(Profile.CADES, MARK, None, cms_stands),
    "cades attached": Case(Profile.CADES, MARK, CadesOptions(Packaging.ENVELOPING), cms_stands),
    "xades enveloped": Case(Profile.XADES, XML, None, xml_stands),
    "xades enveloping": Case(Profile.XADES, XML, XadesOptions(Packaging.ENVELOPING), xml_stands),
    "xades detached": Case(Profile.XADES, XML, XadesOptions(Packaging.DETACHED), xml_stands),
}


@dataclass
class Bench:
    """An engine whose rest is real."""

    journal: Journal
    keys: Keys = field(default_factory=Keys)
    workers: Workers = field(default_factory=Workers)
    stamps: Stamps = field(default_factory=Stamps)

    def __post_init__(self) -> None:
        self.engine = Engine(
            ledger=self.journal,
            preparer=self.workers,
            keys={"token": self.keys},
            credentials=CredentialTable((), Issuers(())),
            metrics=Metrics.on(CollectorRegistry()),
            utc_now=lambda: stamping.NOW,
            timestamper=self.stamps,
            xml=self.workers,
        )

    async def sign(self, case: Case, *, is_new: bool = True, **plan: Any) -> SignedDocument | SignerError:
        clock_s = asyncio.get_running_loop().time
        request = Request("client", "school", "r", clock_s() + 60, clock_s, is_new=is_new)
        asked = ReadyPlan(case.profile, Level.B_T, CREDENTIAL, ALGORITHM, case.placement, "1f", Shortage.PARK, options=case.options)
        (result,) = await sign_documents(
            self.engine, request, replace(asked, **plan), [IncomingDocument("d", case.document, case.placement)]
        )
        return result


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    journal = Journal(f"sqlite:///{tmp_path / 'journal.db'}")
    await journal.start()
    yield Bench(journal)
    await journal.stop()


def signed_file(case: Case, result: SignedDocument | SignerError) -> bytes:
    assert isinstance(result, SignedDocument), result
    signed = result.additions.merge(case.document)
    assert result.material.signed_sha256 == hashlib.sha256(signed).digest()
    return signed


@pytest.mark.parametrize("name", list(CASES))
async def test_a_parked_signature_is_completed_without_its_document_and_without_a_second_key_use(
    name: str, bench: Bench, tmp_path: Path
) -> None:
    case = CASES[name]
    bench.stamps.is_away = True
    assert isinstance(await bench.sign(case), TimestampPending)
    bench.stamps.is_away = False
    assert await Completer(bench.engine, bench.journal, AloneLeading(), interval_s=1).round() == 1
    result = await bench.sign(case, is_new=False)
    signed = signed_file(case, result)
    assert isinstance(result, SignedDocument)
    assert result.replayed
    assert bench.keys.used == 1
    assert await asyncio.to_thread(case.stands, signed, case.document, tmp_path)


@pytest.mark.parametrize("name", list(CASES))
async def test_a_parked_signature_whose_document_comes_again_is_completed_then(name: str, bench: Bench, tmp_path: Path) -> None:
    case = CASES[name]
    bench.stamps.is_away = True
    await bench.sign(case)
    bench.stamps.is_away = False
    signed = signed_file(case, await bench.sign(case, is_new=False))
    assert bench.keys.used == 1
    assert await asyncio.to_thread(case.stands, signed, case.document, tmp_path)


@pytest.mark.parametrize("name", [name for name in CASES if name != "pades"])
async def test_nothing_of_a_document_is_kept(name: str, bench: Bench, tmp_path: Path) -> None:
    """Neither while its timestamp is missing nor afterwards."""
    key = SignatureKey("school", "r", "d")
    bench.stamps.is_away = True
    await bench.sign(CASES[name])
    parked = (await bench.journal.look_up([key]))[key].material
    bench.stamps.is_away = False
    await bench.sign(CASES[name], is_new=False)
    finished = (await bench.journal.look_up([key]))[key].material
    assert parked
    assert finished
    assert MARK not in parked + finished
    assert await asyncio.to_thread(lambda: all(MARK not in file.read_bytes() for file in tmp_path.iterdir()))


@pytest.mark.parametrize("name", list(CASES))
async def test_evidence_covers_the_file_as_it_was_released_also_on_a_repeat(name: str, bench: Bench) -> None:
    case = CASES[name]
    for is_new in (True, False):
        result = await bench.sign(case, is_new=is_new, evidence=DigestAlgorithm.SHA512)
        signed = signed_file(case, result)
        assert isinstance(result, SignedDocument)
        assert result.material.digest(DigestAlgorithm.SHA512) == hashlib.sha512(signed).digest()


LIES: dict[str, Callable[[Any], Any]] = {
    "a place beyond the document": lambda _found: {"place": Place(10_000)},
    "a place inside a text": lambda _found: {"place": Place(XML.index(MARK) + 3)},
    "another element": lambda found: {"references": (msgspec.structs.replace(found.references[0], uri="#other"),)},
    "more than was asked for": lambda found: {"references": (*found.references, *found.references)},
    "another canonicalisation": lambda _found: {"canonicalization": "http://www.w3.org/2001/10/xml-exc-c14n#"},
    "no reference": lambda _found: {"references": ()},
    "an id that is markup": lambda _found: {"id": 'S-"><x/>'},
    "an unknown canonicalisation": lambda _found: {"canonicalization": "urn:none"},
}


@pytest.mark.parametrize("lie", list(LIES))
async def test_a_document_worker_that_lies_gets_nothing_signed(lie: str, bench: Bench) -> None:
    def told_otherwise(reply: ExaminedXmlReply) -> ExaminedXmlReply:
        examined = msgspec.structs.replace(reply.examined, **LIES[lie](reply.examined))
        return ExaminedXmlReply(examined=examined, document_s=0.0)

    bench.workers.lie = told_otherwise
    assert isinstance(await bench.sign(CASES["xades enveloped"]), InternalError)
    assert bench.keys.used == 0
