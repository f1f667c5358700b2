"""The Debian package, made without its dependencies in it (deploy/debian/check.sh installs the whole one on a clean Debian)."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOC = "opt/signer/share/doc/signer"


@dataclass(frozen=True, slots=True)
class Package:
    """Unpacked. files: below `content`, without folders. control: below `control`."""

    file: Path
    content: Path
    control: Path

    def fields(self) -> dict[str, str]:
        return dict(re.findall(r"(?m)^([A-Za-z-]+): (.*)$", (self.control / "control").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    folder = tmp_path_factory.mktemp("deb")
    made = subprocess.run([ROOT / "deploy/debian/build.sh", folder], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    [file] = folder.glob("*.deb")
    assert made.stdout.strip() == str(file)
    subprocess.run(["dpkg-deb", "--raw-extract", file, folder / "it"], check=True)
    shutil.move(folder / "it/DEBIAN", folder / "control")
    return Package(file, folder / "it", folder / "control")


def test_every_page_that_an_alert_leads_to_is_where_it_says(package: Package) -> None:
    rules = (ROOT / "deploy/observability/rules/alerts.yml").read_text(encoding="utf-8")
    urls = {rule["annotations"]["runbook_url"] for group in yaml.safe_load(rules)["groups"] for rule in group["rules"] if "alert" in rule}
    assert urls
    assert [url for url in urls if not (package.content / url.removeprefix("file:///")).is_file()] == []


def test_the_files_that_the_readme_leads_to_come_along(package: Package) -> None:
    readme = (package.content / DOC / "README.md").read_text(encoding="utf-8")
    links = {link.split("#")[0] for link in re.findall(r"\]\((?!https?:)([^)]+)\)", readme)}
    assert links
    assert [link for link in sorted(links) if not (package.content / DOC / link).exists()] == []


def test_only_the_configuration_is_an_administrator_s(package: Package) -> None:
    assert (package.control / "conffiles").read_text(encoding="utf-8").split() == ["/etc/signer/signer.toml"]
    example = ROOT / "deploy/signer.example.toml"
    assert (package.content / "etc/signer/signer.toml").read_bytes() == example.read_bytes()


def test_the_service_is_the_one_that_is_checked_and_starts_when_somebody_enables_it(package: Package) -> None:
    assert (package.content / "lib/systemd/system/signer.service").read_bytes() == (ROOT / "deploy/systemd/signer.service").read_bytes()
    postinst = (package.control / "postinst").read_text(encoding="utf-8")
    assert "was-enabled 'signer.service'" in postinst, "what is enabled is decided by the administrator"
    before = (package.control / "preinst").read_text(encoding="utf-8")
    assert '"$1" = upgrade' in before, "stopped before its files change"
    assert "deb-systemd-invoke stop 'signer.service'" in before


def test_the_command_and_its_completion_are_found(package: Package) -> None:
    assert (package.content / "usr/bin/signer").readlink() == Path("/opt/signer/bin/signer")
    completion = package.content / "usr/share/bash-completion/completions/signer"
    subprocess.run(["bash", "-n", completion], check=True)
    assert "_SIGNER_COMPLETE=bash_complete" in completion.read_text(encoding="utf-8")


def test_a_purge_forgets_the_configuration_and_keeps_journal_and_keys(package: Package) -> None:
    postrm = (package.control / "postrm").read_text(encoding="utf-8")
    ours = re.sub(r"(?s)# Automatically added.*?# End automatically added section", "", postrm)
    assert "rmdir --ignore-fail-on-non-empty /var/lib/signer" in ours
    assert re.findall(r"(?m)^\s*rm .*$", ours) == []


def test_scripts_of_the_maintainer_are_sound_shell(package: Package) -> None:
    scripts = [package.control / name for name in ("preinst", "postinst", "prerm", "postrm")]
    assert [script.name for script in scripts if subprocess.run(["sh", "-n", script], check=False).returncode] == []
    assert all("set -e" in script.read_text(encoding="utf-8") for script in scripts)


def test_what_is_no_release_sorts_before_the_release(package: Package) -> None:
    version = package.fields()["Version"]
    subprocess.run(["dpkg", "--compare-versions", version, "lt", version.split("~")[0]], check=True)
    assert package.fields()["Architecture"] != "all", "modules are built for one"


def test_everything_is_root_s_and_nobody_else_may_write_it(package: Package) -> None:
    listed = subprocess.run(["dpkg-deb", "--contents", package.file], capture_output=True, text=True, check=True).stdout.splitlines()
    entries = [line.split(maxsplit=5) for line in listed]
    assert {owner for _mode, owner, *_ in entries} == {"root/root"}
    assert [entry for entry in entries if "w" in entry[0][4:] and not entry[0].startswith("l")] == []
