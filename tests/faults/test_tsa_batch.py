"""Classes signed B-T with outside authorities that die, are all gone, or all lie: nothing lost, no key used twice, no level lowered."""

from __future__ import annotations

import itertools
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import grpc
import pytest
import rfc3161_client
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from prometheus_client.parser import text_string_to_metric_families

from signer.model import Level
from signer.timestamp.tsp import granted
from signer.validation.pdf import verify_pdf
from signer.validation.report import Indication
from signer.validation.trust import TrustAnchors
from tests.support import pki
from tests.support.batch import BatchEnd, Delivery, ParkingPlan, Plan, collect, open_batch, sign_batch, sign_until_done
from tests.support.lies import STAMPING
from tests.support.rig import Record, Rig, wait_until
from tests.support.tsa import TsaProcess, write_identity
from tests.support.waiting import WITHIN_S

POLICY_OID = "2.999.3161.1"


@dataclass
class Authorities:
    """Two outside authorities of two PKIs, as processes."""

    first: TsaProcess
    second: TsaProcess
    servers: list[dict[str, Any]]
    roots: tuple[bytes, ...]
    ca_file: Path

    def both(self) -> tuple[TsaProcess, TsaProcess]:
        return (self.first, self.second)


@pytest.fixture
def authorities(tmp_path: Path) -> Iterator[Authorities]:
    second_root = pki.issue("Root thứ hai (DEMO)", pki.rsa_key(110), is_ca=True)
    second_tsa = pki.issue("TSA thứ hai (DEMO)", pki.rsa_key(111), second_root, usages=STAMPING)
    write_identity(tmp_path / "first", pki.tsa())
    write_identity(tmp_path / "second", second_tsa, second_root.pem)
    ca_file = tmp_path / "tsa-roots.pem"
    ca_file.write_bytes(pki.root().pem + second_root.pem)
    made = [TsaProcess(tmp_path / name, ("5",)) for name in ("first", "second")]
    for tsa in made:
        tsa.start()
    servers = [
        {"name": tsa.folder.name, "url": tsa.url, "ca_files": [str(ca_file)], "policy_oids": [POLICY_OID], "timeout_s": 20} for tsa in made
    ]
    yield Authorities(made[0], made[1], servers, (pki.root().der, second_root.der), ca_file)
    for tsa in made:
        tsa.kill()


def judged(delivery: Delivery, rig: Rig, authorities: Authorities, folder: Path) -> list[str]:
    """Problems that pyHanko, `openssl ts -verify` and rfc3161-client find in what was delivered."""
    root = x509.load_pem_x509_certificate(rig.world.root_file.read_bytes()).public_bytes(Encoding.DER)
    trust = TrustAnchors((root,), authorities.roots)
    problems = []
    for document_id, content in delivery.signed_files().items():
        report = verify_pdf(content, trust)
        if report.indication is not Indication.TOTAL_PASSED or [signature.level for signature in report.signatures] != [Level.B_T]:
            problems.append(f"{document_id}: {report}")
        timestamp, imprint = timestamp_in(content)
        problems += [f"{document_id}: {said}" for said in timestamp_problems(timestamp, imprint, authorities, folder)]
    return problems


def timestamp_in(signed: bytes) -> tuple[bytes, bytes]:
    """The TimeStampToken in a PDF's last signature, and the imprint it must have."""
    contents = re.findall(rb"/Contents[ \n]*<([0-9a-fA-F]+)>", signed)[-1]
    signer = cms.ContentInfo.load(bytes.fromhex(contents.decode("ascii")))["content"]["signer_infos"][0]
    attributes = {attribute["type"].native: attribute["values"][0] for attribute in signer["unsigned_attrs"]}
    return attributes["signature_time_stamp_token"].dump(), sha256(signer["signature"].native).digest()


def timestamp_problems(timestamp: bytes, imprint: bytes, authorities: Authorities, folder: Path) -> Iterator[str]:
    path = folder / "timestamp.der"
    path.write_bytes(timestamp)
    command = f"openssl ts -verify -digest {imprint.hex()} -in {path} -token_in -CAfile {authorities.ca_file}"
    ran = subprocess.run(command.split(), capture_output=True, text=True, check=False)
    if "Verification: OK" not in ran.stdout + ran.stderr:
        yield f"openssl: {ran.stdout}{ran.stderr}"
    roots = [x509.load_der_x509_certificate(root) for root in authorities.roots]
    response = rfc3161_client.decode_timestamp_response(granted(timestamp))
    if not rfc3161_client.VerifierBuilder(roots=roots).build().verify(response, imprint):
        yield "rfc3161-client refuses it"


def metrics(rig: Rig) -> dict[tuple[str, str], float]:
    """Samples of the timestamp client, by name and authority or outcome."""
    assert rig.running is not None
    with urlopen(f"http://127.0.0.1:{rig.running.metrics_port()}/metrics", timeout=30) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    return {
        (sample.name, sample.labels.get("tsa", "")): sample.value
        for family in families
        for sample in family.samples
        if sample.name in {"signer_tsa_state", "signer_parked_signatures", "signer_parked_completed_total"}
    }


def sign_while_it_dies(tsa: TsaProcess, channel: grpc.Channel, cards: dict[str, bytes], request_id: str) -> BatchEnd:
    """The authority is killed when a third of the batch is signed; half of it is sent only then."""
    struck = threading.Event()

    def hold(sent: int) -> None:
        if sent == len(cards) // 2:
            struck.wait(WITHIN_S)

    def strike(so_far: BatchEnd) -> None:
        if len(so_far.results) == len(cards) // 3:
            tsa.kill()
            struck.set()

    return collect(open_batch(channel, cards, request_id, Plan(), timeout_s=120, before_each=hold), strike)


def test_an_authority_killed_mid_batch_costs_no_document_no_key_use_and_no_level(
    rig: Rig, cards: dict[str, bytes], authorities: Authorities, record: Record, tmp_path: Path
) -> None:
    with rig.daemon(tsas=authorities.servers), rig.channel() as channel:
        delivery = Delivery("mid-batch", cards)
        delivery.add(sign_while_it_dies(authorities.first, channel, cards, "mid-batch"))
        slowest_s = max(b - a for a, b in itertools.pairwise([result.at_s for result in delivery.rounds[0].results]))
        states = metrics(rig)
    books = rig.books()
    record(
        "first TSA killed mid-batch",
        client_saw=", ".join(delivery.passing_reasons) or "signed",
        lost=delivery.lost,
        extra_key_uses=books.extra_key_uses(rig.shim),
        heal_s=round(slowest_s, 3),
        documents=len(cards),
        stamped_by_first=authorities.first.requests,
        stamped_by_second=authorities.second.requests,
        state_of_first=states[("signer_tsa_state", "first")],
    )
    books.check(rig.shim)
    assert (delivery.lost, delivery.doubled) == (0, 0)
    assert len(rig.shim.key_uses()) == len(cards)
    assert authorities.first.requests > 0
    assert authorities.second.requests > 0
    assert judged(delivery, rig, authorities, tmp_path) == []


def test_without_any_authority_items_fail_when_patience_ends_and_a_repeat_completes_them_without_the_key(
    rig: Rig, cards: dict[str, bytes], authorities: Authorities, record: Record, tmp_path: Path
) -> None:
    for tsa in authorities.both():
        tsa.kill()
    with rig.daemon(tsas=authorities.servers, stamping={"patience_s": 1.0, "complete_interval_s": 3600.0}):
        with rig.channel() as channel:
            started_s = time.monotonic()
            failed = sign_batch(channel, cards, "shortage", Plan(), timeout_s=60)
            failed_after_s = time.monotonic() - started_s
        authorities.second.start()
        started_s = time.monotonic()
        delivery = sign_until_done(rig.channel, cards, "shortage", Plan())
        heal_s = time.monotonic() - started_s
    books = rig.books()
    record(
        "no TSA, FAIL, then one is back",
        client_saw=", ".join(sorted(set(failed.reasons.values()))),
        lost=delivery.lost,
        extra_key_uses=books.extra_key_uses(rig.shim),
        heal_s=round(heal_s, 3),
        failed_after_s=round(failed_after_s, 3),
    )
    books.check(rig.shim)
    assert set(failed.reasons.values()) == {"TIMESTAMP_UNAVAILABLE"}
    assert len(failed.reasons) == len(cards)
    assert failed.summary is not None
    assert (failed.summary.failed, failed.summary.pending) == (len(cards), 0)
    assert (delivery.lost, delivery.doubled, len(rig.shim.key_uses())) == (0, 0, len(cards))
    assert judged(delivery, rig, authorities, tmp_path) == []


def test_parked_items_are_pending_at_once_and_completed_by_the_daemon_itself(
    rig: Rig, cards: dict[str, bytes], authorities: Authorities, record: Record, tmp_path: Path
) -> None:
    plan = ParkingPlan()
    for tsa in authorities.both():
        tsa.kill()
    with rig.daemon(tsas=authorities.servers, stamping={"complete_interval_s": 1.0}):
        with rig.channel() as channel:
            parked = sign_batch(channel, cards, "parked", plan, timeout_s=60)
        wait_until(lambda: metrics(rig)[("signer_parked_signatures", "")] == len(cards), "all counted as parked")
        authorities.first.start()
        heal_s = wait_until(lambda: metrics(rig)[("signer_parked_completed_total", "")] == len(cards), "all completed")
        completed_by = authorities.first.requests
        with rig.channel() as channel:
            fetched = sign_batch(channel, cards, "parked", plan, timeout_s=60)
        delivery = Delivery("parked", cards)
        delivery.add(fetched)
        left = metrics(rig)[("signer_parked_signatures", "")]
    books = rig.books()
    record(
        "no TSA, PARK, then one is back",
        client_saw=", ".join(sorted(set(parked.reasons.values()))),
        lost=delivery.lost,
        extra_key_uses=books.extra_key_uses(rig.shim),
        heal_s=round(heal_s, 3),
        pending=parked.summary.pending if parked.summary else -1,
    )
    books.check(rig.shim)
    assert set(parked.reasons.values()) == {"TIMESTAMP_PENDING"}
    assert parked.summary is not None
    assert (parked.summary.pending, parked.summary.failed, parked.summary.received) == (len(cards), 0, len(cards))
    assert all(result.replayed for result in fetched.results)
    assert authorities.first.requests == completed_by, "what is complete asks for no further timestamp"
    assert (delivery.lost, left, len(rig.shim.key_uses()), books.doubled) == (0, 0, len(cards), 0)
    assert judged(delivery, rig, authorities, tmp_path) == []


def test_a_daemon_killed_while_it_waits_for_timestamps_has_kept_the_signatures(
    rig: Rig, cards: dict[str, bytes], authorities: Authorities, record: Record, tmp_path: Path
) -> None:
    for tsa in authorities.both():
        tsa.kill()
    running = rig.start(tsas=authorities.servers, stamping={"patience_s": 600.0})
    with rig.channel() as channel:
        call = open_batch(channel, cards, "killed", Plan(), timeout_s=60)
        wait_until(lambda: len(rig.shim.key_uses()) == len(cards), "every signature made")
        time.sleep(1.0)
        running.process.kill()
        running.process.wait()
        cut: BatchEnd = collect(call)
    authorities.first.start()
    started_s = time.monotonic()
    with rig.daemon(tsas=authorities.servers):
        delivery = sign_until_done(rig.channel, cards, "killed", Plan())
        heal_s = time.monotonic() - started_s
    books = rig.books()
    record(
        "daemon killed while no TSA answers",
        client_saw=cut.failure.reason.value if cut.failure else "",
        lost=delivery.lost,
        extra_key_uses=books.extra_key_uses(rig.shim),
        heal_s=round(heal_s, 3),
        key_uses=len(rig.shim.key_uses()),
        documents=len(cards),
    )
    books.check(rig.shim)
    assert (delivery.lost, delivery.doubled) == (0, 0)
    assert len(rig.shim.key_uses()) == len(cards), "no key was used a second time"
    assert judged(delivery, rig, authorities, tmp_path) == []


def test_when_every_authority_lies_nothing_is_released(rig: Rig, cards: dict[str, bytes], authorities: Authorities, record: Record) -> None:
    for tsa, days in zip(authorities.both(), ("30", "-30"), strict=True):
        tsa.kill()
        tsa.arguments = ("0", days)
        tsa.start()
    with rig.daemon(tsas=authorities.servers), rig.channel() as channel:
        end = sign_batch(channel, cards, "liars", Plan(), timeout_s=60)
        states = metrics(rig)
    books = rig.books()
    record(
        "both TSAs' clocks are 30 days off",
        client_saw=", ".join(sorted(set(end.reasons.values()))),
        lost=0,
        extra_key_uses=books.extra_key_uses(rig.shim),
        accepted_lies=len(end.signed),
    )
    assert end.signed == {}
    assert set(end.reasons.values()) <= {"TIMESTAMP_INVALID", "TIMESTAMP_UNAVAILABLE"}
    assert "TIMESTAMP_INVALID" in end.reasons.values()
    assert [states[("signer_tsa_state", name)] for name in ("first", "second")] == [2, 2]
    assert (books.counts.released, books.counts.parked) == (0, len(cards))
