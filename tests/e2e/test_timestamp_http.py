"""The real daemon's authority over HTTP, judged by openssl, rfc3161-client, pyHanko and our own client, none of which believes it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.client
import signal
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import rfc3161_client
from asn1crypto import tsp as asn1_tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from prometheus_client import CollectorRegistry
from pyhanko.sign.timestamps import HTTPTimeStamper
from pyhanko.sign.validation.generic_cms import validate_tst_signed_data
from pyhanko_certvalidator import ValidationContext

from signer.algorithms import DigestAlgorithm
from signer.journal import verify_chain
from signer.journal.entries import INTENT, decode
from signer.store import open_engine
from signer.telemetry.metrics import Metrics
from signer.timestamp.client import TimestampClient
from signer.timestamp.settings import TsaSettings
from signer.timestamp.tsp import TimestampRequest, build_request, parse_response
from signer.v1 import common_pb2
from tests.support import pdfs
from tests.support.calls import metric, plan, sign_batch
from tests.support.daemon import POLICY_OID, Running, World, running_daemon, start_daemon
from tests.support.judges import signatures
from tests.support.waiting import until

DATA = b"h\xe1\xbb\x8dc b\xe1\xba\xa1"
IMPRINT = hashlib.sha256(DATA).digest()
QUERY = build_request(TimestampRequest(IMPRINT, DigestAlgorithm.SHA256, nonce=7, with_certificates=True))
OK = "Verification: OK"


@pytest.fixture(scope="module")
def config(world: World) -> Path:
    return world.config(
        "tsa.toml", journal={"url": "sqlite:///tsa.db"}, http={"listen": "127.0.0.1:0"}, timestamp={"ordering": True, "accuracy_ms": 500}
    )


@pytest.fixture(scope="module")
def daemon(config: Path) -> Iterator[Running]:
    with running_daemon(config) as running:
        yield running


@pytest.fixture(scope="module")
def url(daemon: Running) -> str:
    return f"http://127.0.0.1:{daemon.timestamp_port()}/tsa"


def openssl_ts(folder: Path, arguments: str) -> str:
    ran = subprocess.run(["openssl", "ts", *arguments.split()], cwd=folder, capture_output=True, check=False, text=True)
    return ran.stdout + ran.stderr


def post(url: str, body: bytes, kind: str = "application/timestamp-query") -> bytes:
    request = urllib.request.Request(url, body, {"Content-Type": kind})  # noqa: S310 - http is meant
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
        answer: bytes = response.read()
    return answer


def curl(folder: Path, url: str) -> None:
    """What the manual of openssl's ts tells people to do."""
    command = "curl -sS --fail -H Content-Type:application/timestamp-query --data-binary @request.tsq -o response.tsr"
    subprocess.run([*command.split(), url], cwd=folder, check=True, timeout=60)


@pytest.fixture
def folder(tmp_path: Path, world: World) -> Path:
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "root.pem").write_bytes(world.root_file.read_bytes())
    return tmp_path


@pytest.mark.parametrize("options", ["-sha256 -cert", "-sha384 -cert -no_nonce", f"-sha512 -cert -tspolicy {POLICY_OID}"])
def test_openssl_and_curl_get_what_openssl_verifies_and_see_it_tampered_with(folder: Path, url: str, options: str) -> None:
    openssl_ts(folder, f"-query -data data {options} -out request.tsq")
    curl(folder, url)
    verify = "-verify -in response.tsr -CAfile root.pem"
    assert OK in openssl_ts(folder, f"{verify} -queryfile request.tsq")
    assert OK in openssl_ts(folder, f"{verify} -data data")
    (folder / "other").write_bytes(DATA + b"!")
    assert "message imprint mismatch" in openssl_ts(folder, f"{verify} -data other")
    response = (folder / "response.tsr").read_bytes()
    for position in (-1, response.index(hashlib.new(options[1:7], DATA).digest()) + 5):
        tampered = bytearray(response)
        tampered[position] ^= 1
        (folder / "response.tsr").write_bytes(tampered)
        assert "Verification: FAILED" in openssl_ts(folder, f"{verify} -queryfile request.tsq")


def test_openssl_reads_accuracy_ordering_policy_and_time(folder: Path, url: str) -> None:
    openssl_ts(folder, "-query -data data -sha256 -out request.tsq")
    curl(folder, url)
    text = openssl_ts(folder, "-reply -in response.tsr -text")
    assert f"Policy OID: {POLICY_OID}" in text
    assert "unspecified seconds, 0x01F4 millis" in text
    assert "Ordering: yes" in text
    assert "Status: Granted" in text


def test_without_cert_req_the_certificate_is_left_out_and_openssl_verifies_with_it_at_hand(folder: Path, url: str) -> None:
    openssl_ts(folder, "-query -data data -sha256 -out request.tsq")
    curl(folder, url)
    timestamp = parse_response((folder / "response.tsr").read_bytes())
    assert asn1_tsp.ContentInfo.load(timestamp)["content"]["certificates"].native is None
    embedded = asn1_tsp.ContentInfo.load(parse_response(post(url, QUERY)))["content"]["certificates"]
    (folder / "chain.pem").write_text("".join(ssl.DER_cert_to_PEM_cert(choice.chosen.dump()) for choice in embedded), encoding="ascii")
    verify = "-verify -queryfile request.tsq -in response.tsr -CAfile root.pem"
    assert OK in openssl_ts(folder, f"{verify} -untrusted chain.pem")
    assert "Verification: FAILED" in openssl_ts(folder, verify)


def test_openssl_reads_a_refusal(folder: Path, url: str) -> None:
    openssl_ts(folder, "-query -data data -sha256 -tspolicy 1.2.3.4 -out request.tsq")
    curl(folder, url)
    text = openssl_ts(folder, "-reply -in response.tsr -text")
    assert "Status: Rejected" in text
    assert "policy is not supported by the TSA" in text
    openssl_ts(folder, "-query -data data -sha1 -out request.tsq")
    curl(folder, url)
    assert "unrecognized or unsupported algorithm" in openssl_ts(folder, "-reply -in response.tsr -text").lower()


def test_rfc3161_client_verifies_it(url: str, world: World) -> None:
    request = rfc3161_client.TimestampRequestBuilder().data(DATA).hash_algorithm(rfc3161_client.HashAlgorithm.SHA256).build()
    response = rfc3161_client.decode_timestamp_response(post(url, request.as_bytes()))
    root = x509.load_pem_x509_certificate(world.root_file.read_bytes())
    verifier = rfc3161_client.VerifierBuilder(roots=[root], nonce=request.nonce).build()
    assert verifier.verify(response, IMPRINT)
    with pytest.raises(rfc3161_client.VerificationError):
        verifier.verify(response, hashlib.sha256(b"other").digest())


async def test_pyhanko_asks_for_it_and_validates_it(url: str, world: World) -> None:
    stamper: Any = HTTPTimeStamper(url)
    timestamp = await stamper.async_timestamp(IMPRINT, "sha256")
    root = asn1_x509.Certificate.load(ssl.PEM_cert_to_DER_cert(world.root_file.read_text(encoding="ascii")))
    context = ValidationContext(trust_roots=[root], allow_fetching=False)
    status = await validate_tst_signed_data(timestamp["content"], context, lambda _: IMPRINT)
    assert (status["intact"], status["valid"]) == (True, True)
    assert status["trust_problem_indic"] is None
    assert status["validation_path"] is not None


async def test_our_own_client_believes_it_as_little_as_any(url: str, world: World) -> None:
    settings = TsaSettings(name="neighbour", url=url, ca_files=(world.root_file,), policy_oids=(POLICY_OID,))
    async with TimestampClient((settings,), Metrics.on(CollectorRegistry()), lambda: datetime.now(UTC)) as client:
        deadline_s = asyncio.get_running_loop().time() + 60
        stamps = await asyncio.gather(*(client.stamp(IMPRINT, DigestAlgorithm.SHA256, deadline_s) for _ in range(40)))
    infos = sorted((stamp.tst_info for stamp in stamps), key=lambda info: info.serial_number)
    assert len({info.serial_number for info in infos}) == 40
    times = [info.gen_time for info in infos]
    assert times == sorted(set(times)), "ordering was promised"
    assert all(info.ordering for info in infos)


def test_requests_are_counted_by_how_they_ended(url: str, daemon: Running) -> None:
    port = daemon.metrics_port()

    def counted(outcome: str) -> float:
        return metric(port, "signer_authority_requests_total", outcome=outcome)

    before = {outcome: counted(outcome) for outcome in ("granted", "bad-data-format", "http-415")}
    timed = metric(port, "signer_authority_request_duration_seconds_count")
    post(url, QUERY)
    post(url, b"garbage")
    with pytest.raises(urllib.error.HTTPError, match="415"):
        post(url, QUERY, kind="text/plain")
    assert {outcome: counted(outcome) - count for outcome, count in before.items()} == dict.fromkeys(before, 1)
    assert metric(port, "signer_authority_request_duration_seconds_count") - timed == 1


@dataclass(frozen=True)
class Given:
    """A timestamp as it was given: its serial number as `openssl ts` prints it, but for the 0x; SHA-256 of its signature."""

    serial: str
    signature: str
    gen_time: Any

    @classmethod
    def read(cls, timestamp: bytes) -> Given:
        signed_data = asn1_tsp.ContentInfo.load(timestamp)["content"]
        info = signed_data["encap_content_info"]["content"].parsed.native
        signature = hashlib.sha256(signed_data["signer_infos"][0]["signature"].native).hexdigest()
        return cls(f"{info['serial_number']:x}", signature, info["gen_time"])


def test_serial_numbers_and_times_go_on_after_kills_and_each_timestamp_leads_to_its_entries(new_world: Callable[[], World]) -> None:
    world, given, inside = new_world(), list[Given](), list[Given]()
    changes = {"http": {"listen": "127.0.0.1:0"}, "timestamp": {"ordering": True}}
    config = world.config("restart.toml", journal={"url": "sqlite:///restart.db"}, **changes)
    for ending in (signal.SIGKILL, signal.SIGTERM, signal.SIGTERM):
        running = start_daemon(config)
        with ThreadPoolExecutor(4) as threads:
            asking = [threads.submit(ask_until_it_ends, f"http://127.0.0.1:{running.timestamp_port()}/tsa", given) for _ in range(4)]
            before = len(given)
            until(lambda before=before: len(given) > before + 20, "some timestamps")  # type: ignore[misc]
            with world.channel(running.port) as school:
                signed = sign_batch(school, {"d": pdfs.report_card()}, plan=plan(level=common_pb2.LEVEL_B_T)).signed()["d"]
            inside += [Given.read(signature.timestamp or b"") for signature in signatures(signed)]
            running.process.send_signal(ending)
            running.process.wait(60)
            for one in asking:
                one.result()
    together = [*given, *inside]
    by_number = sorted(together, key=lambda one: int(one.serial, 16))
    assert len({one.serial for one in together}) == len(together)
    assert [one.gen_time for one in by_number] == sorted({one.gen_time for one in together})

    asked, released = entries_of(world.folder / "restart.db")
    assert {one.serial: one.signature for one in together}.items() <= released.items()
    assert {one.serial: "http:127.0.0.1" for one in given}.items() <= asked.items()
    assert {one.serial: "signer" for one in inside}.items() <= asked.items()


def ask_until_it_ends(url: str, given: list[Given]) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        while True:
            given.append(Given.read(parse_response(post(url, QUERY))))


def entries_of(journal: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Of the authority's timestamps, by serial number: who asked, and the SHA-256 of the signature that was released."""
    with open_engine(f"sqlite:///{journal}", must_exist=True).connect() as connection:
        verify_chain(connection)
        entries = [decode(row[0]) for row in connection.exec_driver_sql("SELECT body FROM journal_entry")]
    own = [entry for entry in entries if entry.get("request") == "timestamp"]
    asked = {entry["document"]: entry["client"] for entry in own if entry["kind"] == INTENT}
    released = {entry["document"]: entry["signature"] for entry in own if entry["kind"] == "released"}
    return asked, released
