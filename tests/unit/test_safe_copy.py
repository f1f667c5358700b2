"""The copy of SoftHSM's token file, on files that SoftHSM itself wrote: every way to spoil one is seen, and put right."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signer.tokens.safe_copy import SafeCopy
from tests.support.daemon import World

Spoil = Callable[[Path], object]


class Kept:
    """A token directory with its copy. live: the token file."""

    def __init__(self, tokens: Path) -> None:
        self.tokens = tokens
        self.copies = tokens.with_name("tokens.copy")
        self.copy = SafeCopy(self.tokens, self.copies)
        (self.live,) = self.tokens.glob("*/token.object")
        self.name = str(self.live.relative_to(self.tokens))
        self.good = self.live.read_bytes()


@pytest.fixture
def kept(pristine_world: World, tmp_path: Path) -> Kept:
    shutil.copytree(pristine_world.token.tokens_directory, tmp_path / "tokens")
    made = Kept(tmp_path / "tokens")
    made.copy.refresh()
    return made


def test_a_real_token_file_is_whole_copied_and_left_alone(kept: Kept) -> None:
    (copied,) = kept.copies.glob("*/token.object")
    assert copied.read_bytes() == kept.good
    assert stat.S_IMODE(copied.stat().st_mode) == 0o600
    assert stat.S_IMODE(copied.parent.stat().st_mode) == 0o700
    before = kept.live.stat().st_mtime_ns
    assert kept.copy.restore() == []
    assert kept.live.stat().st_mtime_ns == before


SPOILT: dict[str, Spoil] = {
    "emptied": lambda file: file.write_bytes(b""),
    "gone": lambda file: file.unlink(),
    "generation alone": lambda file: file.write_bytes(file.read_bytes()[:8]),
    "less than its generation": lambda file: file.write_bytes(file.read_bytes()[:5]),
    "cut in half": lambda file: file.write_bytes(file.read_bytes()[: len(file.read_bytes()) // 2]),
    "last byte lost": lambda file: file.write_bytes(file.read_bytes()[:-1]),
    "a byte too many": lambda file: file.write_bytes(file.read_bytes() + b"\0"),
    "zeros of its length": lambda file: file.write_bytes(bytes(file.stat().st_size)),
    "other bytes of its length": lambda file: file.write_bytes(b"\xff" * file.stat().st_size),
    "a sparse hole": lambda file: os.truncate(file, 1 << 20),
}


@pytest.mark.parametrize("how", list(SPOILT))
def test_a_spoiled_token_file_is_put_back_as_it_was(how: str, kept: Kept) -> None:
    SPOILT[how](kept.live)
    assert kept.copy.restore() == [kept.name]
    assert kept.live.read_bytes() == kept.good
    assert stat.S_IMODE(kept.live.stat().st_mode) == 0o600
    assert kept.copy.restore() == []
    assert not [file.name for file in kept.live.parent.iterdir() if file.name.startswith(".token")], "no half-written file stays"


def test_every_cut_of_the_file_is_seen(kept: Kept) -> None:
    """Also one between two attributes, which leaves a file that parses."""
    for length in range(len(kept.good)):
        kept.live.write_bytes(kept.good[:length])
        assert kept.copy.restore() == [kept.name], length
        assert kept.live.read_bytes() == kept.good


@pytest.mark.parametrize("how", list(SPOILT))
def test_a_spoiled_file_never_becomes_the_copy(how: str, kept: Kept) -> None:
    SPOILT[how](kept.live)
    kept.copy.refresh()
    assert kept.copy.restore() == [kept.name]
    assert kept.live.read_bytes() == kept.good


def test_a_deleted_token_was_deleted_by_somebody_and_stays_away(kept: Kept) -> None:
    shutil.rmtree(kept.live.parent)
    assert kept.copy.restore() == []
    assert not kept.live.exists()


def test_a_file_that_a_login_rewrote_is_newer_not_spoiled(kept: Kept) -> None:
    newer = (int.from_bytes(kept.good[:8]) + 1).to_bytes(8) + kept.good[8:]
    kept.live.write_bytes(newer)
    assert kept.copy.restore() == []
    kept.copy.refresh()
    kept.live.write_bytes(b"")
    kept.copy.restore()
    assert kept.live.read_bytes() == newer


def test_a_spoiled_copy_is_not_believed_and_stops_nobody(kept: Kept) -> None:
    (copied,) = kept.copies.glob("*/token.object")
    for spoil in (b"", kept.good[:-1], b"\xff" * 100):
        copied.write_bytes(spoil)
        assert kept.copy.restore() == [], "the live file is whole, whatever the copy says"
        assert kept.live.read_bytes() == kept.good
    kept.copy.refresh()
    assert copied.read_bytes() == kept.good


def test_of_two_spoiled_files_none_is_made_worse(kept: Kept) -> None:
    (copied,) = kept.copies.glob("*/token.object")
    copied.write_bytes(b"")
    kept.live.write_bytes(kept.good[:-1])
    assert kept.copy.restore() == []
    assert kept.live.read_bytes() == kept.good[:-1]


def test_tokens_of_one_directory_are_kept_apart(kept: Kept) -> None:
    second = kept.tokens / "second"
    second.mkdir()
    (second / "token.object").write_bytes(kept.good[:8] + kept.good[8:])
    kept.copy.refresh()
    (second / "token.object").write_bytes(b"")
    assert kept.copy.restore() == ["second/token.object"]


def test_without_a_copy_nothing_is_restored(tmp_path: Path) -> None:
    (tmp_path / "tokens" / "t").mkdir(parents=True)
    (tmp_path / "tokens" / "t" / "token.object").write_bytes(b"")
    assert SafeCopy(tmp_path / "tokens", tmp_path / "none").restore() == []


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_in_place_of_the_file_are_judged_without_surprise(
    tmp_path_factory: pytest.TempPathFactory, pristine_world: World, content: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-bytes"
    if not folder.exists():
        shutil.copytree(pristine_world.token.tokens_directory, folder / "tokens")
    kept = Kept(folder / "tokens")
    kept.copy.refresh()
    kept.live.write_bytes(content)
    assert kept.copy.restore() == [kept.name]
    assert kept.live.read_bytes() == kept.good
