"""`signer.client` against the real daemon: what school software is promised."""

from __future__ import annotations

import hashlib
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from signer.client import Document, Phase, Progress, RetryPolicy, SignerClient
from signer.errors import (
    CredentialNotFound,
    DocumentEmpty,
    DocumentNotPdf,
    DuplicateDocumentId,
    InvalidArgument,
    RoleRefused,
    SchoolNotFound,
    ServiceUnreachable,
)
from signer.model import Level
from signer.validation.pdf import verify_pdf
from signer.validation.report import Indication
from signer.validation.trust import TrustAnchors
from tests.support import pdfs
from tests.support.calls import fresh_id
from tests.support.daemon import OTHER_SCHOOL, SCHOOL, Running, World, running_daemon
from tests.support.waiting import until

CARDS = {f"pupil-{number}": pdfs.report_card(number, pages=1) for number in range(5)}


def client_of(world: World, port: int, name: str = "school", **options: float) -> SignerClient:
    return SignerClient(
        f"localhost:{port}",
        ca=world.pki / "tls-ca.crt",
        certificate=world.pki / f"{name}.crt",
        key=world.pki / f"{name}.key",
        policy=RetryPolicy(**options),  # type: ignore[arg-type]
    )


@pytest.fixture(scope="session")
def client(world: World, daemon: Running) -> Iterator[SignerClient]:
    with client_of(world, daemon.port) as made:
        yield made


@pytest.fixture(scope="session")
def trust(world: World) -> TrustAnchors:
    root = x509.load_pem_x509_certificate(world.root_file.read_bytes())
    der = root.public_bytes(Encoding.DER)
    return TrustAnchors(signing=(der,), timestamping=(der,))


def padded_card(size_bytes: int) -> bytes:
    padding_bytes = random.Random(1).randbytes(size_bytes)  # noqa: S311  # incompressible, and the same each time
    return pdfs.edited(pdfs.report_card(1, pages=1), lambda pdf: pdf.Root.__setitem__("/Padding", pdf.make_stream(padding_bytes)))


def documents(cards: dict[str, bytes]) -> list[Document]:
    return [Document(name, content) for name, content in cards.items()]


def test_a_class_comes_back_whole_signed_and_stamped(client: SignerClient, trust: TrustAnchors) -> None:
    told: list[Progress] = []
    batch = client.sign_batch(
        documents(CARDS),
        school_id=SCHOOL,
        credential_id="gvcn",
        level="b-t",
        request_id=fresh_id(),
        field_name="GVCN",
        reason="Xác nhận",
        on_progress=told.append,
    )
    results = list(batch)
    assert {result.document_id for result in results} == set(CARDS)
    for result in results:
        assert result.content.startswith(CARDS[result.document_id])
        report = verify_pdf(result.content, trust)
        assert report.indication is Indication.TOTAL_PASSED
        assert [(each.level, each.name) for each in report.signatures] == [(Level.B_T, "GVCN")]
        assert result.info is not None
        assert result.info.timestamp_time is not None
        assert result.info.source_sha256 == hashlib.sha256(CARDS[result.document_id]).digest()
    assert (batch.summary.signed, batch.summary.failed, batch.summary.interruptions) == (5, 0, 0)
    assert batch.summary.times.token_s > 0
    assert told[0].phase is Phase.CONNECTING
    assert (told[-1].phase, told[-1].done, told[-1].total) == (Phase.SIGNING, 5, 5)


def test_bad_documents_fail_alone_each_with_its_own_error(client: SignerClient, tmp_path: Path) -> None:
    class_and_trouble = [
        *documents(CARDS),
        Document("letter", b"Dear parents"),
        Document("nothing", b""),
        Document("pupil-1", CARDS["pupil-2"]),
        Document.from_path(tmp_path / "deleted.pdf"),
        Document("a pupil's name", CARDS["pupil-1"]),
    ]
    batch = client.sign_batch(class_and_trouble, school_id=SCHOOL, credential_id="gvcn", level="b-b", request_id=fresh_id())
    results = list(batch)
    assert {result.document_id for result in results if result.ok} == set(CARDS)
    failed = {(result.document_id, type(result.error)) for result in results if not result.ok}
    assert failed == {
        ("letter", DocumentNotPdf),
        ("nothing", DocumentEmpty),
        ("pupil-1", DuplicateDocumentId),
        ("deleted.pdf", InvalidArgument),
        ("a pupil's name", InvalidArgument),
    }
    assert batch.summary.failures == {"DOCUMENT_NOT_PDF": 1, "DOCUMENT_EMPTY": 1, "DUPLICATE_DOCUMENT_ID": 1, "INVALID_ARGUMENT": 2}


def test_a_failed_result_hands_out_no_content(client: SignerClient) -> None:
    result = client.sign_document(Document("x", b"no"), school_id=SCHOOL, credential_id="gvcn", level="b-b", request_id=fresh_id())
    with pytest.raises(DocumentNotPdf):
        _ = result.content


def test_the_same_request_again_brings_the_same_bytes_and_says_so(client: SignerClient) -> None:
    def sign(request_id: str) -> dict[str, bytes]:
        batch = client.sign_batch(documents(CARDS), school_id=SCHOOL, credential_id="cbql", level="b-b", request_id=request_id)
        results = list(batch)
        replays.append(batch.summary.replayed)
        return {result.document_id: result.content for result in results}

    replays: list[int] = []
    request_id = fresh_id()
    assert sign(request_id) == sign(request_id)
    assert replays == [0, 5]


def test_a_refused_header_raises_before_any_document_is_read(client: SignerClient) -> None:
    def unread() -> Iterator[Document]:
        raise AssertionError
        yield

    for school, credential, refusal in ((OTHER_SCHOOL, "other", SchoolNotFound), (SCHOOL, "other", CredentialNotFound)):
        with pytest.raises(refusal):
            list(client.sign_batch(unread(), school_id=school, credential_id=credential, level="b-b", request_id=fresh_id()))


def test_an_error_of_the_callers_own_documents_is_raised_after_the_results_so_far(client: SignerClient) -> None:
    def broken() -> Iterator[Document]:
        yield Document("first", CARDS["pupil-1"])
        raise LookupError("the export has ended early")

    batch = client.sign_batch(broken(), school_id=SCHOOL, credential_id="gvcn", level="b-b", request_id=fresh_id())
    assert next(batch).ok
    with pytest.raises(LookupError, match="ended early"):
        next(batch)


def test_what_the_contract_can_say_wrongly_is_refused_here(client: SignerClient) -> None:
    with pytest.raises(InvalidArgument, match="b-x"):
        client.sign_batch([], school_id=SCHOOL, credential_id="gvcn", level="b-x", request_id=fresh_id())


def test_documents_and_results_above_the_message_limit_travel_in_pieces(
    world: World, trust: TrustAnchors, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = padded_card(3_000_000)
    config = world.config("pieces.toml", server={"message_bytes_max": 65536}, journal={"url": "sqlite:///pieces.db"})
    with running_daemon(config) as daemon, client_of(world, daemon.port) as client:
        small = client.sign_document(Document("large", card), school_id=SCHOOL, credential_id="gvcn", level="b-b", request_id=fresh_id())
        assert small.content.startswith(card)
        monkeypatch.setattr("signer.client.orders.Signing.returns_appended", property(lambda _order: False))
        whole = client.sign_document(Document("large", card), school_id=SCHOOL, credential_id="gvcn", level="b-b", request_id=fresh_id())
    assert len(whole.content) > 10 * 65536
    for result in (small, whole):
        assert verify_pdf(result.content, trust).indication is Indication.TOTAL_PASSED


def test_a_batch_beyond_the_daemons_limit_takes_several_streams_unnoticed(world: World) -> None:
    config = world.config(
        "small.toml",
        limits={"batch_documents_max": 2},
        server={"deadline_s_max": 60, "deadline_s_default": 30},
        journal={"url": "sqlite:///small.db"},
    )
    with running_daemon(config) as daemon, client_of(world, daemon.port) as client:
        batch = client.sign_batch(documents(CARDS), school_id=SCHOOL, credential_id="gvcn", level="b-b", request_id=fresh_id())
        assert sorted(result.document_id for result in batch if result.ok) == sorted(CARDS)
        assert client.list_credentials(SCHOOL)


def test_a_slow_caller_stops_the_reading_of_documents(client: SignerClient) -> None:
    card = padded_card(1_000_000)
    read = 0

    def many() -> Iterator[Document]:
        nonlocal read
        for number in range(60):
            read += 1
            yield Document(f"{number}", card + b"\n" * number)

    with client.sign_batch(many(), school_id=SCHOOL, credential_id="gvcn", level="b-b", request_id=fresh_id()) as batch:
        assert next(batch).ok
        time.sleep(1.5)
        until(lambda: read >= 2, "more to be read than was asked for")
        assert read <= 36
        assert sum(result.ok for result in batch) == 59


def test_digests_come_back_as_signatures_in_their_order(client: SignerClient) -> None:
    digests = {f"d{number}": hashlib.sha256(b"%d" % number).digest() for number in range(1500)}
    for credential in ("cbql", "ec"):
        signed = client.sign_digests(digests, school_id=SCHOOL, credential_id=credential, request_id=fresh_id())
        assert [result.document_id for result in signed.results] == list(digests)
        key = x509.load_der_x509_certificate(signed.certificate_chain[0]).public_key()
        for result in signed.results:
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(result.signature, digests[result.document_id], padding.PKCS1v15(), Prehashed(SHA256()))
            else:
                assert isinstance(key, ec.EllipticCurvePublicKey)
                key.verify(result.signature, digests[result.document_id], ec.ECDSA(Prehashed(SHA256())))


def test_credentials_tell_who_can_sign_and_why_not(client: SignerClient) -> None:
    found = {credential.id: credential for credential in client.list_credentials(SCHOOL)}
    assert found["gvcn"].usable
    assert "gvcn" in found["gvcn"].subject
    assert [finding.problem for finding in found["expired"].findings] == ["EXPIRED"]
    assert [finding.problem for finding in found["bare"].findings] == ["CERTIFICATE_MISSING"]
    assert "other" not in found
    assert "tsa" not in found
    assert {credential.id for credential in client.list_credentials(SCHOOL, usable_only=True)} >= {"gvcn", "cbql"}


def test_tokens_are_for_operators(world: World, daemon: Running, client: SignerClient) -> None:
    with pytest.raises(RoleRefused):
        client.tokens.list()
    with client_of(world, daemon.port, "operator") as operator:
        [token] = operator.tokens.list()
    assert (token.state, token.workers_ready) == ("READY", 2)


def test_an_unreachable_daemon_is_told_within_the_time_to_connect(world: World) -> None:
    with client_of(world, 1, connect_timeout_s=0.5) as client:
        batch = client.sign_batch(documents(CARDS), school_id=SCHOOL, credential_id="gvcn", level="b-b", request_id=fresh_id())
        with pytest.raises(ServiceUnreachable):
            next(batch)
        assert batch.summary.elapsed_s < 60
        with pytest.raises(ServiceUnreachable):
            client.list_credentials(SCHOOL)


def test_a_daemon_of_another_ca_is_not_spoken_to_and_not_waited_for(world: World, daemon: Running) -> None:
    with (
        SignerClient(
            f"localhost:{daemon.port}", ca=world.root_file, certificate=world.pki / "school.crt", key=world.pki / "school.key"
        ) as client,
        pytest.raises(ServiceUnreachable, match="CERTIFICATE_VERIFY_FAILED") as refused,
    ):
        client.sign_document(Document("x", b""), school_id=SCHOOL, credential_id="gvcn", level="b-b", request_id=fresh_id())
    assert isinstance(refused.value.__cause__, grpc.RpcError)


def test_the_readmes_ten_lines_sign_a_class(world: World, daemon: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    [sample] = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    for name, source in {"ca.crt": "tls-ca.crt", "client.crt": "school.crt", "client.key": "school.key"}.items():
        (tmp_path / name).write_bytes((world.pki / source).read_bytes())
    (tmp_path / "class-1A").mkdir()
    (tmp_path / "signed").mkdir()
    for name, content in CARDS.items():
        (tmp_path / "class-1A" / f"{name}.pdf").write_bytes(content)
    monkeypatch.chdir(tmp_path)
    exec(sample.replace("signer.example:8443", f"localhost:{daemon.port}").replace('"principal"', '"cbql"'), {})  # noqa: S102  # our own README
    assert sorted(path.stem for path in (tmp_path / "signed").iterdir()) == sorted(CARDS)
