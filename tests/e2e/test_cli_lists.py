"""`signer credentials`, `signer tokens` and `signer timestamp` against the real daemon."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from tests.support.daemon import SCHOOL, Running, World
from tests.support.nursery import command
from tests.support.time_calls import create


def run(world: World, daemon: Running, *arguments: str, client: str = "school") -> subprocess.CompletedProcess[str]:
    connection = {
        "SIGNER_SERVER": f"localhost:{daemon.port}",
        "SIGNER_CA": f"{world.pki}/tls-ca.crt",
        "SIGNER_CERT": f"{world.pki}/{client}.crt",
        "SIGNER_KEY": f"{world.pki}/{client}.key",
    }
    return command(list(arguments), {**os.environ, "LANG": "C.UTF-8", **connection})


def test_credentials_are_listed_with_what_is_wrong_with_them(world: World, daemon: Running) -> None:
    table = run(world, daemon, "credentials", "--school", SCHOOL)
    assert table.returncode == 0
    assert "Nguyễn Thị gvcn (DEMO)" in table.stdout
    assert "expired" in table.stdout
    told = json.loads(run(world, daemon, "credentials", "--school", SCHOOL, "--json").stdout)["credentials"]
    by_id = {credential["id"]: credential for credential in told}
    assert by_id["gvcn"]["usable"]
    assert by_id["gvcn"]["algorithms"][0] == "rsa-pkcs1-sha256"
    assert by_id["expired"]["findings"][0]["problem"] == "EXPIRED"
    usable = json.loads(run(world, daemon, "credentials", "--usable", "--json").stdout)["credentials"]
    assert {credential["id"] for credential in usable} == {credential["id"] for credential in told if credential["usable"]}


def test_tokens_are_listed_for_operators_alone(world: World, daemon: Running) -> None:
    [token] = json.loads(run(world, daemon, "tokens", "--json", client="operator").stdout)["tokens"]
    assert (token["state"], token["workers_ready"], token["label"]) == ("READY", 2, "test")
    assert "READY" in run(world, daemon, "tokens", client="operator").stdout
    refused = run(world, daemon, "tokens", "--lang", "vi")
    assert refused.returncode == 4
    assert "Việc cần làm" in refused.stderr
    as_json = run(world, daemon, "tokens", "--json")
    assert (as_json.returncode, json.loads(as_json.stdout)["error"]["reason"]) == (4, "ROLE_REFUSED")


def test_timestamp_authorities_are_listed_for_every_client(world: World, daemon: Running) -> None:
    [built_in] = json.loads(run(world, daemon, "timestamp", "authorities", "--json").stdout)["authorities"]
    assert (built_in["name"], built_in["built_in"], built_in["state"]) == ("built-in", True, "READY")
    table = run(world, daemon, "timestamp", "authorities")
    assert (table.returncode, "READY" in table.stdout, "tsa (DEMO)" in table.stdout) == (0, True, True)


def test_evidence_records_are_listed_and_renewed_once_when_due(world: World, daemon: Running) -> None:
    with world.channel(daemon.port) as channel:
        record = create(channel, {"a": b"a", "b": b"b"})

    def listed(*arguments: str) -> dict[str, dict[str, Any]]:
        done = run(world, daemon, "timestamp", "records", "--school", SCHOOL, "--json", *arguments)
        assert done.returncode == 0, done.stderr
        return {found["id"]: found for found in json.loads(done.stdout)["records"]}

    before = listed()[record.evidence_record_id]
    assert (before["documents"], before["request_id"]) == (2, record.request_id)
    assert record.evidence_record_id not in listed("--due-days", "1", "--renew")
    assert "--due-days" in run(world, daemon, "timestamp", "records", "--school", SCHOOL, "--renew").stderr
    after = listed("--due-days", "36500", "--renew")[record.evidence_record_id]
    assert after["latest_time"] >= before["latest_time"]
    assert after["first_time"] == before["first_time"]
    assert "Gia hạn trước" in run(world, daemon, "timestamp", "records", "--school", SCHOOL, "--lang", "vi").stdout.replace("\n", "")
