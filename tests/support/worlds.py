"""One world a test run, and copies of it: making keys takes seconds, copying them milliseconds.

A copy has a token directory, PINs, PKI and configuration of its own, so what a test does to it (a wrong PIN, a spoiled token) is its own.
"""

from __future__ import annotations

import fcntl
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec

from signer.demo.softhsm import DemoKey, DemoToken
from tests.support.daemon import World, build_world

_DESCRIPTION = "token.json"


def shared_world(folder: Path) -> World:
    """The world in this folder, built by whichever process comes first."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        description = folder / _DESCRIPTION
        if not description.exists():
            made = build_world(folder).token
            description.write_bytes(msgspec.json.encode((made.label, made.serial, made.keys)))
        label, serial, keys = msgspec.json.decode(description.read_bytes(), type=tuple[str, str, tuple[DemoKey, ...]])
    return World(folder, DemoToken(folder / "softhsm", label, serial, keys), folder / "ca.pem", folder / "root.pem")


def copy_of(world: World, folder: Path) -> World:
    """The same keys, certificates and PINs, elsewhere. Take it of a world that no daemon works on."""
    shutil.copytree(world.folder, folder)
    token = replace(world.token, directory=folder / world.token.directory.relative_to(world.folder))
    conf = token.conf_path.read_text(encoding="utf-8")
    token.conf_path.write_text(conf.replace(str(world.token.tokens_directory), str(token.tokens_directory)), encoding="utf-8")
    return World(folder, token, folder / "ca.pem", folder / "root.pem")
