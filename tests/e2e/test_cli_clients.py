"""`signer clients`, `schools` and `quotas` against the real daemon: what an operator types when a school joins, renews and leaves."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes

from signer.demo.tls_pki import TlsPki
from signer.errors import QuotaExceeded
from tests.e2e.test_cli_lists import run
from tests.support.daemon import Running, World

PKI = TlsPki.create()


@pytest.fixture
def typed(world: World, daemon: Running) -> Any:
    """What a command prints as JSON."""

    def type_in(*arguments: str, code: int = 0) -> Any:
        done = run(world, daemon, *arguments, "--json", client="operator")
        assert done.returncode == code, done.stderr + done.stdout
        return json.loads(done.stdout) if code == 0 else done.stderr + done.stdout

    return type_in


def certificate(folder: Path, name: str) -> tuple[Path, str]:
    """A file with a new certificate, and its SHA-256."""
    identity = PKI.client(name)
    identity.write_pem(folder, name)
    return folder / f"{name}.crt", identity.certificate.fingerprint(hashes.SHA256()).hex()


def test_a_school_joins_its_software_renews_and_is_shut_out(typed: Any, tmp_path: Path) -> None:
    (old_file, old), (new_file, new) = certificate(tmp_path, "old"), certificate(tmp_path, "new")
    [school] = typed("schools", "create", "79000077", "--name", "TH Lê Văn Tám", "--weight", "2", "--tier", "primary")["schools"]
    assert school["tier"] == "primary"
    assert (school["code"], school["weight"], school["configured"]) == ("79000077", 2, False)
    order = ("clients", "create", "cli", "--kind", "school-software", "--for-school", "79000077", "--certificate", str(old_file))
    [made] = typed(*order)["clients"]
    assert typed(*order)["clients"] == [made], "the same again"
    assert (made["schools"], made["may_sign_digests"], made["certificates"][0]["sha256"]) == (["79000077"], False, old)
    [rotated] = typed("clients", "rotate", "cli", str(new_file), "--overlap-days", "14")["clients"]
    ends = {each["sha256"]: each["accepted_until"] for each in rotated["certificates"]}
    assert ends[new] is None
    left = datetime.fromisoformat(ends[old]) - datetime.now(UTC)
    assert timedelta(days=13) < left <= timedelta(days=14)
    [revoked] = typed("clients", "revoke", "cli", str(old_file))["clients"]
    assert {each["sha256"]: each["revoked"] for each in revoked["certificates"]} == {old: True, new: False}
    assert "0 certificates" in typed("clients", "revoke", "cli", "ffffffffff", code=2)
    [changed] = typed("clients", "set", "cli", "--digests", "--add-school", "79000001", "--remove-school", "79000077", "--disable")[
        "clients"
    ]
    assert (changed["may_sign_digests"], changed["schools"], changed["disabled"]) == (True, ["79000001"], True)
    listed = {each["id"]: each for each in typed("clients", "list")["clients"]}
    assert listed["cli"] == changed
    assert listed["school"]["configured"]
    assert "cli" not in {each["id"] for each in typed("clients", "list", "--for-school", "79000077")["clients"]}
    [closed] = typed("schools", "set", "79000077", "--disable", "--code", "T77")["schools"]
    assert closed["tier"] == "primary", "what is not given stays"
    assert (closed["disabled"], closed["code"], closed["weight"], closed["display_name"]) == (True, "T77", 2, "TH Lê Văn Tám")


def test_quotas_are_set_and_what_is_not_given_stays(typed: Any) -> None:
    [first] = typed("quotas", "set", "--of-client", "other-school", "--per-day", "100000", "--rpcs", "50")["quotas"]
    [second] = typed("quotas", "set", "--of-client", "other-school", "--per-second", "500")["quotas"]
    assert second == first | {"signatures_per_second_max": 500.0}
    assert second in typed("quotas", "list")["quotas"]
    typed("quotas", "set", "--of-client", "other-school", "--per-second", "0", "--per-day", "0", "--rpcs", "0")
    assert "signer clients list" in typed("quotas", "set", "--of-client", "no-such", "--per-day", "1", code=4)
    assert "--of-client or --of-school" in typed("quotas", "set", "--per-day", "1", code=2)


def test_what_is_of_the_configuration_changes_there(typed: Any) -> None:
    assert "configuration" in typed("clients", "set", "school", "--disable", code=4)


@pytest.mark.parametrize("language", ["en", "vi"])
def test_tables_are_for_people(world: World, daemon: Running, language: str) -> None:
    for verb, told in (("clients", "school"), ("schools", "79000001")):
        done = run(world, daemon, verb, "list", "--lang", language, client="operator")
        assert done.returncode == 0, done.stderr
        assert told in done.stdout
        assert ("trong tệp cấu hình" in done.stdout) == (language == "vi")


def test_nobody_waits_until_midnight_for_a_days_quota() -> None:
    from signer.client.retries import is_passing  # noqa: PLC0415

    assert is_passing(QuotaExceeded("rate", retry_after_s=3.0))
    assert not is_passing(QuotaExceeded("day", retry_after_s=3600.0))
