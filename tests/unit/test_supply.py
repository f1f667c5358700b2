"""What is shipped: where it comes from, under which licences, and that anybody can make it again."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tools.supply.audit import Verdict, judge
from tools.supply.licences import page, unfit
from tools.supply.sbom import bill, faults
from tools.supply.shipped import LockNotInstalled, Shipped, read_shipped
from tools.supply.spdx import may_be_shipped

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def shipped() -> tuple[Shipped, ...]:
    return read_shipped()


@pytest.fixture(scope="module")
def document(shipped: tuple[Shipped, ...]) -> str:
    return bill(shipped)


def versions(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==(\S+)", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-build.lock"])
def test_every_locked_package_is_pinned_by_hashes_at_the_version_that_is_tested(lock: str) -> None:
    entries = re.split(r"(?m)^(?=[a-z])", re.sub(r"(?m)^\s*#.*\n", "", (ROOT / lock).read_text(encoding="utf-8")))[1:]
    assert entries
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert versions(lock).items() <= versions("requirements-dev.lock").items()


def test_nothing_is_shipped_whose_licence_is_unknown_or_asks_for_more(shipped: tuple[Shipped, ...]) -> None:
    assert unfit(shipped) == ()


def test_the_page_of_licences_is_current(shipped: tuple[Shipped, ...]) -> None:
    assert (ROOT / "docs/licences.md").read_text(encoding="utf-8") == page(shipped), "run `make docs`"


@pytest.mark.parametrize(
    ("expression", "may"),
    [
        ("MIT", True),
        ("Apache-2.0 OR GPL-3.0-only", True),
        ("Apache-2.0 AND (MIT OR AGPL-3.0-only)", True),
        ("Apache-2.0 AND GPL-3.0-only", False),
        ("LGPL-2.1-or-later", False),
        ("GPL-2.0-only WITH Font-exception-2.0", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_a_licence_passes_by_what_applies_not_by_what_is_named(expression: str, may: bool) -> None:
    assert may_be_shipped(expression) is may


def test_a_package_that_is_locked_and_not_installed_is_named(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text("click==0.1 \\\n    --hash=sha256:" + "0" * 64 + "\n", encoding="utf-8")
    with pytest.raises(LockNotInstalled, match=r"click .* is installed, click==0\.1 is locked"):
        read_shipped(lock)


def test_the_bill_of_materials_is_valid_and_names_all_that_is_shipped(shipped: tuple[Shipped, ...], document: str) -> None:
    assert faults(document) == ""
    told: dict[str, Any] = json.loads(document)
    assert {each["name"]: each["version"] for each in told["components"]} == {each.name: each.version for each in shipped}
    for each in told["components"]:
        assert each["licenses"]
        assert any(reference.get("hashes") for reference in each["externalReferences"])


def test_in_the_bill_of_materials_somebody_needs_each_package(document: str) -> None:
    told = json.loads(document)
    needs = {each["ref"]: each.get("dependsOn", []) for each in told["dependencies"]}
    reached, waiting = set(), [told["metadata"]["component"]["bom-ref"]]
    while waiting:
        found = waiting.pop()
        if found not in reached:
            reached.add(found)
            waiting += needs[found]
    assert {each["bom-ref"] for each in told["components"]} <= reached


def test_the_bill_of_materials_has_the_same_bytes_each_time_and_a_spoiled_one_is_found_out(
    shipped: tuple[Shipped, ...], document: str
) -> None:
    assert bill(shipped[::-1]) == document
    assert "sha256" in faults(document.replace('"alg": "SHA-256"', '"alg": "sha256"', 1))


def test_a_package_nobody_could_tell_about_is_no_all_clear() -> None:
    clear = {"name": "a", "version": "1", "vulns": []}
    unknown = {"name": "b", "skip_reason": "not found"}
    holed = {"name": "c", "version": "3", "vulns": [{"id": "CVE-1", "fix_versions": ["3.1"]}]}
    assert judge([clear]) == (Verdict.CLEAR, [])
    assert judge([clear, unknown]) == (Verdict.UNKNOWN, ["b: not found"])
    assert judge([holed, unknown]) == (Verdict.HOLES, ["c 3: CVE-1, mended in 3.1", "b: not found"])
    assert judge([])[0] is Verdict.UNKNOWN


def test_source_archive_and_wheel_are_made_twice_with_the_same_bytes(tmp_path: Path) -> None:
    made = subprocess.run([ROOT / "tools/supply/dist.sh", tmp_path], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "signer/trust/government_cas.toml" in names
    assert {name.split("/")[0].removesuffix(".dist-info").split("-")[0] for name in names} == {"signer"}, "no tests, no tools"


def test_two_builds_that_differ_are_refused(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nfor folder; do :; done; mkdir -p "$folder"; date +%N$$ >"$folder/signer.tar.gz"\n', encoding="utf-8")
    python.chmod(0o755)
    made = subprocess.run(
        [ROOT / "tools/supply/dist.sh", tmp_path / "out"],
        env={"PATH": "/usr/bin:/bin", "PYTHON": str(python)},
        capture_output=True,
        check=False,
    )
    assert made.returncode != 0
    assert not (tmp_path / "out").exists()
