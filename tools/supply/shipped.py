"""The packages of requirements.lock as they are installed here: versions, hashes, licences, who needs whom."""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.supply.spdx import spdx_of

_ROOT = Path(__file__).resolve().parents[2]
LOCK = _ROOT / "requirements.lock"
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_HOMES = ("homepage", "home", "source", "source code", "repository", "documentation", "changelog")


class LockNotInstalled(Exception):
    """What is installed is not what is locked: nothing can be said about it."""


@dataclass(frozen=True, slots=True, order=True)
class Shipped:
    """One package. sha256: of each file that installs may take. licence: an SPDX expression, empty when unknown. needs: names, direct."""

    name: str
    version: str
    sha256: tuple[str, ...]
    licence: str
    summary: str
    home: str
    needs: tuple[str, ...]


def read_shipped(lock: Path = LOCK) -> tuple[Shipped, ...]:
    """By name. LockNotInstalled names the first package that is missing, or there in another version."""
    wanted = {canonicalize_name(requirement.name): (requirement, hashes) for requirement, hashes in _locked(lock)}
    extras = _extras_wanted(wanted)
    return tuple(_read(name, requirement, hashes, extras) for name, (requirement, hashes) in sorted(wanted.items()))


def _extras_wanted(names: Iterable[str]) -> dict[str, frozenset[str]]:
    """By package: its extras that another one asks for, and the empty one."""
    extras = {name: frozenset({""}) for name in names}
    for name in extras:
        with contextlib.suppress(metadata.PackageNotFoundError):  # told by whoever reads it
            for text in metadata.requires(name) or ():
                needed = Requirement(text)
                needed_name = canonicalize_name(needed.name)
                if needed_name in extras and (needed.marker is None or needed.marker.evaluate({"extra": ""})):
                    extras[needed_name] |= needed.extras
    return extras


def needs_of_signer(known: Iterable[str], pyproject: Path = _ROOT / "pyproject.toml") -> tuple[str, ...]:
    """What signer itself needs directly, its extras included, of the known ones."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    return _needed(chain(project["dependencies"], *project["optional-dependencies"].values()), frozenset({""}), known)


def _needed(requirements: Iterable[str], extras: frozenset[str], known: Iterable[str]) -> tuple[str, ...]:
    parsed = [Requirement(text) for text in requirements]
    needed = {
        canonicalize_name(each.name)
        for each in parsed
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras)
    }
    return tuple(sorted(needed & set(known)))


def _locked(lock: Path) -> list[tuple[Requirement, tuple[str, ...]]]:
    entries = lock.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    found = []
    for entry in entries:
        text = entry.split("#")[0].strip()
        if text:
            requirement = Requirement(text.split("--hash")[0].strip())
            if requirement.marker is None or requirement.marker.evaluate():
                found.append((requirement, tuple(_HASH.findall(text))))
    return found


def _read(name: str, requirement: Requirement, hashes: tuple[str, ...], extras: Mapping[str, frozenset[str]]) -> Shipped:
    try:
        told = metadata.metadata(name)
    except metadata.PackageNotFoundError as error:
        raise LockNotInstalled(f"{name} is locked and not installed; `tools/setup.sh test` installs it") from error
    if not requirement.specifier.contains(told["Version"]):
        raise LockNotInstalled(f"{name} {told['Version']} is installed, {requirement} is locked")
    return Shipped(
        name=name,
        version=told["Version"],
        sha256=hashes,
        licence=spdx_of(name, told),
        summary=_member(told, "Summary"),
        home=_home(told),
        needs=_needed(metadata.requires(name) or (), frozenset(requirement.extras) | extras[name], extras),
    )


def _home(told: metadata.PackageMetadata) -> str:
    urls = {label.strip().lower(): url.strip() for label, _, url in (line.partition(",") for line in told.get_all("Project-URL") or ())}
    named = [urls[label] for label in _HOMES if label in urls]
    return next(iter([*named, _member(told, "Home-page"), *urls.values()]), "")


def _member(told: metadata.PackageMetadata, name: str) -> str:
    return str(told[name]) if name in told else ""
