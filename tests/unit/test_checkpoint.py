"""Checkpoints as signed notes (C2SP tlog-checkpoint): what is written is read, and nothing else is."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.errors import InvalidArgument
from signer.formats.checkpoint import Checkpoint, SignedCheckpoint, key_id, read_note, read_notes

ORIGIN = "signer.so-gddt.example/journal"
origins = st.text(st.characters(exclude_categories=["Z", "Cc", "Cs"], exclude_characters="+"), min_size=1, max_size=40).filter(
    lambda text: not any(each.isspace() for each in text)
)
checkpoints = st.builds(Checkpoint, origins, st.integers(0, 2**62), st.binary(min_size=32, max_size=32))
signed = st.builds(SignedCheckpoint, checkpoints, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=200))


@given(signed)
def test_a_note_is_read_as_it_was_written(made: SignedCheckpoint) -> None:
    assert read_note(made.note) == made


@given(st.lists(signed, min_size=1, max_size=4))
def test_a_witness_file_is_read_note_by_note(made: list[SignedCheckpoint]) -> None:
    assert read_notes("".join(each.note + "\n" for each in made)) == made


def test_the_text_is_the_three_lines_of_the_standard() -> None:
    assert Checkpoint(ORIGIN, 3051, bytes(32)).text == f"{ORIGIN}\n3051\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
    name = sha256(ORIGIN.encode() + b"\n\xffdetached CMS (RFC 5652) over the text of a note" + b"key").digest()[:4]
    assert key_id(ORIGIN, b"key") == name


@given(signed, st.data())
def test_a_note_with_one_character_more_less_or_other_is_refused_or_says_something_else(
    made: SignedCheckpoint, data: st.DataObject
) -> None:
    note = made.note
    at = data.draw(st.integers(0, len(note) - 2))
    changed = data.draw(st.sampled_from([note[:at] + note[at + 1 :], note[:at] + "x" + note[at:], note[:at] + "x" + note[at + 1 :]]))
    try:
        assert changed == note or read_note(changed) != made
    except InvalidArgument:
        return


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read_note(text)
    except InvalidArgument:
        return


@pytest.mark.parametrize("size", ["01", "-1", "1.0", "", "９"])
def test_a_size_is_written_in_one_way_only(size: str) -> None:
    note = SignedCheckpoint(Checkpoint(ORIGIN, 77, bytes(32)), b"keys", b"cms").note
    with pytest.raises(InvalidArgument):
        read_note(note.replace("\n77\n", f"\n{size}\n"))
