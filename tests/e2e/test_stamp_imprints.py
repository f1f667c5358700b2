"""StampImprints and ListTimestampAuthorities: from the built-in authority, and from outside ones where they are configured."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from asn1crypto import cms, tsp

from signer.errors import BatchTooLarge, InvalidArgument, SchoolNotFound, SignerError
from signer.v1 import timestamp_pb2
from tests.support import pki
from tests.support.calls import metric, reason_of, refused
from tests.support.daemon import POLICY_OID, Running, World, running_daemon
from tests.support.lies import STAMPING
from tests.support.time_calls import SHA256, SHA512, call
from tests.support.tsa import TsaProcess, write_identity
from tests.support.waiting import until

State = timestamp_pb2.TimestampAuthorityState
OUTSIDE_POLICY = "2.999.3161.1"
IMPRINTS = [hashlib.sha256(b"%d" % number).digest() for number in range(40)]


def stamped(channel: grpc.Channel, imprints: list[bytes] | None = None, **fields: Any) -> list[timestamp_pb2.TimestampResult]:
    request = {"digest_algorithm": SHA256, "imprints": IMPRINTS if imprints is None else imprints} | fields
    return list(call(channel, "StampImprints", **request).results)


def authorities(channel: grpc.Channel) -> list[timestamp_pb2.TimestampAuthority]:
    return list(call(channel, "ListTimestampAuthorities").authorities)


def tst_info(timestamp: bytes) -> Any:
    content = cms.ContentInfo.load(timestamp)["content"]["encap_content_info"]["content"].parsed
    assert isinstance(content, tsp.TSTInfo)
    return content


def certificates_in(timestamp: bytes) -> int:
    found = cms.ContentInfo.load(timestamp)["content"]["certificates"]
    return len(found) if found.native else 0


def openssl_accepts(timestamp: bytes, imprint: bytes, folder: Path, trust: bytes, untrusted: bytes = b"") -> bool:
    (folder / "t.der").write_bytes(timestamp)
    (folder / "trust.pem").write_bytes(trust)
    (folder / "untrusted.pem").write_bytes(untrusted)
    kind = {32: "-sha256", 48: "-sha384", 64: "-sha512"}[len(imprint)]
    more = ["-untrusted", "untrusted.pem"] if untrusted else []
    command = ["openssl", "ts", "-verify", "-digest", imprint.hex(), kind, "-token_in", "-in", "t.der", "-CAfile", "trust.pem", *more]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return "Verification: OK" in done.stdout


def test_every_imprint_gets_a_timestamp_of_its_own_in_order(school: grpc.Channel, world: World, tmp_path: Path) -> None:
    results = stamped(school)
    assert [result.status.code for result in results] == [0] * len(IMPRINTS)
    assert len({result.serial for result in results}) == len(IMPRINTS)
    for imprint, result in zip(IMPRINTS, results, strict=True):
        info = tst_info(result.timestamp)
        assert info["message_imprint"]["hashed_message"].native == imprint
        assert f"{info['serial_number'].native:x}" == result.serial
        said = info["gen_time"].native.replace(tzinfo=None)
        assert abs((said - result.gen_time.ToDatetime()).total_seconds()) < 0.001, "a timestamp's time is cut to its millisecond"
        assert result.authority_name == "built-in"
    assert openssl_accepts(results[7].timestamp, IMPRINTS[7], tmp_path, world.ca_file.read_bytes())
    assert not openssl_accepts(results[7].timestamp, IMPRINTS[8], tmp_path, world.ca_file.read_bytes())


def test_a_repeat_makes_new_timestamps(school: grpc.Channel) -> None:
    assert stamped(school, IMPRINTS[:1])[0].serial != stamped(school, IMPRINTS[:1])[0].serial


def test_the_policy_and_the_certificates_are_as_asked_for(school: grpc.Channel, world: World, tmp_path: Path) -> None:
    [whole] = stamped(school, IMPRINTS[:1], policy_oid=POLICY_OID)
    [bare] = stamped(school, IMPRINTS[:1], omit_certificate=True)
    assert tst_info(whole.timestamp)["policy"].native == POLICY_OID
    assert certificates_in(whole.timestamp) > 0
    assert certificates_in(bare.timestamp) == 0
    [built_in] = authorities(school)
    certificate = pki_pem(built_in.certificate.der)
    assert openssl_accepts(bare.timestamp, IMPRINTS[0], tmp_path, world.ca_file.read_bytes(), certificate)


def pki_pem(der: bytes) -> bytes:
    done = subprocess.run(["openssl", "x509", "-inform", "DER"], input=der, capture_output=True, check=True)
    return done.stdout


def test_longer_digests_are_stamped(school: grpc.Channel, world: World, tmp_path: Path) -> None:
    imprint = hashlib.sha512(b"x").digest()
    [result] = stamped(school, [imprint], digest_algorithm=SHA512)
    assert openssl_accepts(result.timestamp, imprint, tmp_path, world.ca_file.read_bytes())


REFUSALS: dict[str, tuple[dict[str, Any], type[SignerError]]] = {
    "no imprint": ({"imprints": []}, InvalidArgument),
    "a short imprint": ({"imprints": [*IMPRINTS, b"x"]}, InvalidArgument),
    "imprints of another digest": ({"digest_algorithm": SHA512}, InvalidArgument),
    "no digest algorithm": ({"digest_algorithm": 0}, InvalidArgument),
    "an unknown digest algorithm": ({"digest_algorithm": 9}, InvalidArgument),
    "a policy that is not served": ({"policy_oid": "1.2.3"}, InvalidArgument),
    "a policy that is none": ({"policy_oid": "secure"}, InvalidArgument),
    "too many": ({"imprints": [bytes(32)] * 4001}, BatchTooLarge),
    "another school": ({"school_id": "79000002"}, SchoolNotFound),
    "no school": ({"school_id": ""}, InvalidArgument),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_can_not_be_stamped_as_asked_is_refused_as_a_whole(name: str, school: grpc.Channel) -> None:
    fields, kind = REFUSALS[name]
    with refused(kind):
        stamped(school, **fields)


def test_the_largest_call_fits_its_answer(school: grpc.Channel) -> None:
    with refused(BatchTooLarge) as caught:
        stamped(school, [bytes(32)] * 4000)
    limit = int(caught.value.metadata["limitCount"])
    results = stamped(school, [number.to_bytes(32) for number in range(limit)])
    assert len(results) == limit
    assert all(result.status.code == 0 for result in results)


def test_the_built_in_authority_is_listed_with_its_certificate(school: grpc.Channel) -> None:
    [built_in] = authorities(school)
    assert (built_in.built_in, built_in.state, built_in.message) == (True, State.TIMESTAMP_AUTHORITY_STATE_READY, "")
    assert "CN=" in built_in.certificate.subject


@dataclass(frozen=True)
class Outside:
    """A daemon with two outside authorities, the second of which knows a policy of its own."""

    first: TsaProcess
    second: TsaProcess
    channel: grpc.Channel
    daemon: Running
    root: bytes


@pytest.fixture(scope="module")
def outside(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    folder = tmp_path_factory.mktemp("outside")
    ca_file = folder / "tsa-root.pem"
    ca_file.write_bytes(pki.root().pem)
    made = []
    for number, name in enumerate(("first", "second")):
        write_identity(folder / name, pki.issue(f"TSA {name} (DEMO)", pki.rsa_key(130 + number), pki.authority(), usages=STAMPING))
        made.append(TsaProcess(folder / name))
        made[-1].start()
    servers: list[dict[str, Any]] = [
        {"name": tsa.folder.name, "url": tsa.url, "ca_files": [str(ca_file)], "timeout_s": 5.0} for tsa in made
    ]
    servers[1]["policy_oids"] = [OUTSIDE_POLICY]
    few = {"processes": 1}
    config = world.config("outside.toml", journal={"url": "sqlite:///outside.db"}, token=few, documents=few, tsas=servers)
    with running_daemon(config) as daemon, world.channel(daemon.port) as channel:
        yield Outside(made[0], made[1], channel, daemon, pki.root().pem)
    for tsa in made:
        tsa.kill()


def test_outside_authorities_stamp_in_their_order_and_are_listed_before_the_built_in_one(outside: Outside, tmp_path: Path) -> None:
    results = stamped(outside.channel)
    assert {(result.status.code, result.authority_name) for result in results} == {(0, "first")}
    assert openssl_accepts(results[3].timestamp, IMPRINTS[3], tmp_path, outside.root)
    [bare] = stamped(outside.channel, IMPRINTS[:1], omit_certificate=True)
    assert certificates_in(bare.timestamp) == 0
    listed = authorities(outside.channel)
    assert [(one.authority_name, one.built_in) for one in listed] == [("first", False), ("second", False), ("built-in", True)]
    assert listed[0].HasField("latency")
    assert "TSA first" in listed[0].certificate.subject
    assert not listed[1].HasField("latency"), "nobody asked it"
    untrusted = pki_pem(listed[0].certificate.der) + pki.authority().pem
    assert openssl_accepts(bare.timestamp, IMPRINTS[0], tmp_path, outside.root, untrusted)


def test_a_policy_is_asked_only_of_authorities_configured_for_it(outside: Outside) -> None:
    [result] = stamped(outside.channel, IMPRINTS[:1], policy_oid=OUTSIDE_POLICY)
    assert (result.status.code, result.authority_name) == (0, "second")
    assert tst_info(result.timestamp)["policy"].native == OUTSIDE_POLICY
    asked = outside.first.requests + outside.second.requests
    with refused(InvalidArgument, field="policy_oid"):
        stamped(outside.channel, IMPRINTS[:1], policy_oid="1.2.3.4")
    assert outside.first.requests + outside.second.requests == asked, "a policy that is not configured reaches nobody"


def test_when_nobody_answers_each_imprint_says_so_and_the_list_shows_why(outside: Outside) -> None:
    outside.first.kill()
    outside.second.kill()
    results = stamped(outside.channel, IMPRINTS[:5])
    assert {reason_of(result.status) for result in results} == {"TIMESTAMP_UNAVAILABLE"}
    until(lambda: stamped(outside.channel, IMPRINTS[:3]) and authorities(outside.channel)[0].state == 2, "the breaker of the first opens")
    first = authorities(outside.channel)[0]
    assert first.message
    assert metric(outside.daemon.metrics_port(), "signer_tsa_state", tsa="first") == 1
    outside.first.start()
    until(lambda: stamped(outside.channel, IMPRINTS[:1])[0].status.code == 0, "it is asked again")
    assert authorities(outside.channel)[0].state == State.TIMESTAMP_AUTHORITY_STATE_READY


def test_a_liar_is_listed_as_quarantined_and_what_it_gave_is_not_given_on(outside: Outside) -> None:
    outside.first.kill()
    outside.first.arguments = ("0", "30")
    outside.first.start()
    outside.second.start()

    def is_caught() -> bool:
        results = stamped(outside.channel, IMPRINTS[:2])
        assert all(result.authority_name in {"", "second"} for result in results)
        return authorities(outside.channel)[0].state == State.TIMESTAMP_AUTHORITY_STATE_QUARANTINED

    until(is_caught, "the liar is quarantined")
    first = authorities(outside.channel)[0]
    assert first.HasField("retry_time")
    assert "time" in first.message
