from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from signer import error_reference
from signer.config import load
from signer.config.shape import keys_of
from signer.config.tree import Config
from signer.errors import ConfigError, Reason

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.vi.md")
PAGES = [
    *READMES,
    *sorted(str(page.relative_to(ROOT)) for folder in ("docs", "deploy", "hsm-config") for page in (ROOT / folder).rglob("*.md")),
]
OTHER_TOML = {"docs/cli.md", "docs/records.md"}
"""Pages whose TOML is a client's, or a layout's."""


def blocks(readme: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / readme).read_text(encoding="utf-8"), re.DOTALL)


def headings(page: Path) -> set[str]:
    """A page's headings, as links name them."""
    told = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in told}


@pytest.mark.parametrize("readme", READMES)
def test_every_make_command_of_the_readme_is_a_target(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", text))
    assert named <= targets


@pytest.mark.parametrize("page", sorted({*PAGES} - OTHER_TOML))
def test_every_configuration_snippet_uses_keys_that_exist(page: str) -> None:
    for snippet in blocks(page, "toml"):
        for section, content in tomllib.loads(snippet).items():
            known = keys_of(keys_of(Config)[section].table)
            for entry in content if isinstance(content, list) else [content]:
                assert set(entry) <= set(known), section


def test_the_snippets_together_are_a_configuration_that_loads(tmp_path: Path) -> None:
    (tmp_path / "signer.toml").write_text("\n".join(blocks("README.md", "toml")), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "signer.toml")
    problems = str(refused.value).splitlines()
    assert problems
    assert all(re.search(r"no such (file|folder|directory)", problem, re.IGNORECASE) for problem in problems), problems


@pytest.mark.parametrize("readme", READMES)
def test_the_call_from_school_software_is_the_same_python_everywhere(readme: str) -> None:
    (sample,) = blocks(readme, "python")
    ast.parse(sample)
    assert [sample] == blocks("README.md", "python")
    assert len([line for line in sample.splitlines() if line.strip()]) <= 10


@pytest.mark.parametrize("readme", READMES)
def test_every_reason_the_readme_explains_exists(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    named = {word for row in re.findall(r"^\| (`[A-Z_`, ]+`) \|", text, re.MULTILINE) for word in re.findall(r"[A-Z_]{4,}", row)}
    assert named
    assert named <= {reason.value for reason in Reason}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    file = ROOT / page
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", file.read_text(encoding="utf-8"))
    for link, heading in links:
        target = file.parent / link if link else file
        assert target.exists(), link
        if heading:
            assert heading in headings(target), f"{link}#{heading}"


def test_the_limits_of_the_readme_are_the_defaults() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]+ \| ([^|]+) \| `([a-z_.]+)` \|$", text, re.MULTILINE)
    assert rows
    units = {"MiB": 1024 * 1024, "h": 3600}
    for told, path in rows:
        table: type | None = Config
        *sections, name = path.split(".")
        for section in sections:
            table = keys_of(table)[section].table if table else None
        match = re.match(r"([\d,]+)(?: (MiB|h)\b)?", told)
        assert match, told
        assert int(match[1].replace(",", "")) * units.get(match[2], 1) == keys_of(table)[name].default, path


def test_docs_errors_is_current() -> None:
    assert (ROOT / "docs" / "errors.md").read_text(encoding="utf-8") == error_reference.reference()


def test_make_help_names_the_two_commands() -> None:
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"make demo", "make test"} <= {" ".join(line.split()[:2]) for line in told.splitlines()}
