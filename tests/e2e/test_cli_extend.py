"""`signer extend` as an archivist runs it, against the real daemon and real CAs, judged by pyHanko's long-term validation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from signer.client import Document, RetryPolicy, SignerClient
from signer.errors import SchoolNotFound
from signer.v1 import common_pb2
from tests.e2e.test_cli_sign import Desk, desk_at
from tests.e2e.test_client_batches import padded_card
from tests.support import long_term, pdfs, pki
from tests.support.archive import Archive
from tests.support.calls import fresh_id, plan, sign_batch
from tests.support.daemon import OTHER_SCHOOL, SCHOOL, Running

PASSED = "AdESPassed.OK"
NAMES = ("Nguyễn Văn A.pdf", "lớp 1A/Trần Thị B.pdf", "lớp 1A/Lê Văn C.pdf")


@pytest.fixture(scope="module")
def signed_class(archive_channel: grpc.Channel) -> dict[str, bytes]:
    documents = {f"pupil-{number}": pdfs.report_card(number) for number in range(len(NAMES))}
    signed = sign_batch(archive_channel, documents, plan=plan("gvcn", common_pb2.LEVEL_B_T)).signed()
    return dict(zip(NAMES, signed.values(), strict=True))


@pytest.fixture
def desk(archive_cas: Archive, archive_daemon: Running, signed_class: dict[str, bytes], tmp_path: Path) -> Desk:
    made = desk_at(archive_cas.world, archive_daemon.port, tmp_path)
    for name, document in signed_class.items():
        file = tmp_path / "1A-signed" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(document)
    return made


@pytest.fixture
def client(archive_cas: Archive, archive_daemon: Running) -> Iterator[SignerClient]:
    keys = archive_cas.world.pki
    files: dict[str, Any] = {"ca": keys / "tls-ca.crt", "certificate": keys / "school.crt", "key": keys / "school.key"}
    with SignerClient(f"localhost:{archive_daemon.port}", policy=RetryPolicy(attempts_max=2), **files) as opened:
        yield opened


def extend(desk: Desk, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = desk.run("extend", *arguments, "--json")
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_a_folder_is_archived_and_every_file_passes_years_later(desk: Desk, signed_class: dict[str, bytes]) -> None:
    code, told = extend(desk, "1A-signed", "--level", "B-LTA")
    assert (code, told["summary"]["extended"], told["failures"]) == (0, len(NAMES), [])
    for name, original in signed_class.items():
        document = (desk.folder / "1A-signed-archived" / name).read_bytes()
        assert document.startswith(original)
        assert long_term.judged(document, pki.root().der, datetime.now(UTC) + timedelta(days=365 * 6)) == [PASSED]
        assert (desk.folder / "1A-signed" / name).read_bytes() == original
    code, again = extend(desk, "1A-signed", "--level", "b-lta")
    assert (code, again["summary"]["skipped"], again["summary"]["extended"]) == (0, len(NAMES), 0)
    renewed = desk.run("extend", "1A-signed-archived/Nguyễn Văn A.pdf", "--out", "renewed.pdf")
    assert (renewed.returncode, "Archived" in renewed.stdout) == (0, True)
    assert len((desk.folder / "renewed.pdf").read_bytes()) > len((desk.folder / "1A-signed-archived" / "Nguyễn Văn A.pdf").read_bytes())


def test_what_can_t_be_archived_is_told_and_the_others_are(desk: Desk) -> None:
    (desk.folder / "1A-signed" / "unsigned.pdf").write_bytes(pdfs.report_card(9))
    code, told = extend(desk, "1A-signed", "--level", "b-lt", "--out", "archive")
    assert (code, told["summary"]["extended"], told["summary"]["failed"]) == (1, len(NAMES), 1)
    assert [(failure["file"], failure["reason"]) for failure in told["failures"]] == [("unsigned.pdf", "DOCUMENT_UNSIGNED")]
    other = desk.run("extend", "1A-signed", "--level", "b-lta", "--out", "archive")
    assert (other.returncode, "--extend was 'b-lt'" in other.stderr) == (2, True)


def test_a_lost_output_comes_back_from_the_daemon_as_it_was(desk: Desk) -> None:
    extend(desk, "1A-signed", "--level", "b-lt")
    lost = desk.folder / "1A-signed-archived" / NAMES[0]
    before = lost.read_bytes()
    lost.unlink()
    code, told = extend(desk, "1A-signed", "--level", "b-lt")
    assert (code, told["summary"]["replayed"], told["summary"]["skipped"]) == (0, 1, len(NAMES) - 1)
    assert lost.read_bytes() == before


def test_a_level_that_archives_nothing_is_refused_before_the_daemon_is_asked(desk: Desk) -> None:
    done = desk.run("extend", "1A-signed", "--level", "b-b", "--server", "localhost:1")
    assert (done.returncode, "--level" in done.stderr) == (2, True)


def test_while_the_cas_are_silent_documents_are_tried_again_and_then_fail_alone(
    archive_world: Archive, client: SignerClient, signed_class: dict[str, bytes]
) -> None:
    archive_world.silence()
    documents = [Document("a", signed_class[NAMES[0]])]
    ids: dict[str, Any] = {"school_id": SCHOOL, "level": "b-lta", "request_id": fresh_id()}
    (failed,) = client.extend_documents(documents, timeout_s=60, **ids)
    assert failed.error is not None
    assert failed.error.reason.value == "CERTIFICATE_STATUS_UNAVAILABLE"
    archive_world.serve()
    (raised,) = client.extend_documents(documents, **ids)
    assert long_term.valid_now(raised.content, pki.root().der) == [True, True]
    assert raised.info is not None
    assert raised.info.signing_time is None
    assert raised.info.timestamp_time is not None
    (again,) = client.extend_documents(documents, **ids)
    assert (again.content, again.replayed) == (raised.content, True)


def test_another_school_s_documents_are_refused_as_a_whole(client: SignerClient, signed_class: dict[str, bytes]) -> None:
    batch = client.extend_documents([Document("a", signed_class[NAMES[0]])], school_id=OTHER_SCHOOL, level="b-lt", request_id=fresh_id())
    with pytest.raises(SchoolNotFound):
        list(batch)


def test_a_document_larger_than_a_message_travels_in_pieces(client: SignerClient) -> None:
    large = padded_card(5_000_000)
    ids: dict[str, Any] = {"school_id": SCHOOL, "request_id": fresh_id()}
    signed = client.sign_document(Document("d", large), credential_id="gvcn", level="b-t", **ids).content
    (raised,) = client.extend_documents([Document("archived", signed)], level="b-lt", **ids)
    assert raised.content.startswith(signed)
