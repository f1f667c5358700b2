"""The state file: an interrupted request continues, and never as another one."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import click
import pytest

from signer.cli.sign_files import Job, Layout, write_whole
from signer.cli.sign_state import RequestState

PLAN = {"school": "79000001", "credential": "gvcn", "level": "b-t", "field": ""}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "1A").mkdir()
    (tmp_path / "1A" / "a.pdf").write_bytes(b"card")
    return Layout.of(tmp_path / "1A", None).jobs()[0]


@pytest.fixture
def state_file(tmp_path: Path, job: Job) -> Path:
    del job
    return Layout.of(tmp_path / "1A", None).state_file


def finish(state: RequestState, job: Job, content: bytes = b"signed card") -> None:
    state.record(job, hashlib.sha256(content).hexdigest())
    write_whole(job.output, content)


def test_a_signed_file_is_done_for_every_later_run(state_file: Path, job: Job) -> None:
    with RequestState.open(state_file, PLAN) as state:
        assert not state.is_done(job)
        assert state.is_ours(job)
        finish(state, job)
        assert state.is_done(job)
        request_id = state.request_id
    with RequestState.open(state_file, PLAN) as again:
        assert again.request_id == request_id
        assert again.is_done(job)
        assert again.is_ours(job)


def test_an_output_that_is_missing_or_changed_is_not_done_and_a_changed_one_is_not_ours(state_file: Path, job: Job) -> None:
    with RequestState.open(state_file, PLAN) as state:
        finish(state, job)
        job.output.unlink()
        assert (state.is_done(job), state.is_ours(job)) == (False, True)
        job.output.write_bytes(b"annotated by somebody")
        assert (state.is_done(job), state.is_ours(job)) == (False, False)


def test_a_corrected_card_is_to_be_signed_anew_over_its_old_output(tmp_path: Path, state_file: Path, job: Job) -> None:
    with RequestState.open(state_file, PLAN) as state:
        finish(state, job)
        job.source.write_bytes(b"corrected card")
        [corrected] = Layout.of(tmp_path / "1A", None).jobs()
        assert (state.is_done(corrected), state.is_ours(corrected)) == (False, True)


def test_a_torn_last_line_is_dropped_and_the_file_goes_on(state_file: Path, job: Job) -> None:
    with RequestState.open(state_file, PLAN) as state:
        finish(state, job)
        request_id = state.request_id
    whole = state_file.read_bytes()
    for torn in (b'{"file": "b.p', b"\x00\x00\x00\n", '{"file": "họ'.encode()[:-1]):
        state_file.write_bytes(whole + torn)
        with RequestState.open(state_file, PLAN) as state:
            assert (state.request_id, state.is_done(job)) == (request_id, True)
            assert state_file.read_bytes() == whole


@pytest.mark.parametrize("cut", [0, 1, 40])
def test_a_file_cut_off_in_its_first_line_begins_a_new_request(state_file: Path, cut: int) -> None:
    with RequestState.open(state_file, PLAN) as state:
        first = state.request_id
    state_file.write_bytes(state_file.read_bytes()[:cut])
    with RequestState.open(state_file, PLAN) as state:
        assert state.request_id != first
    assert state_file.read_bytes().count(b"\n") == 1


def test_another_plan_or_id_is_refused_and_told_apart(state_file: Path, job: Job) -> None:
    with RequestState.open(state_file, PLAN, "class-1A") as state:
        finish(state, job)
    with pytest.raises(click.UsageError, match=re.escape("--credential was 'gvcn'; --level was 'b-t'")):
        RequestState.open(state_file, {**PLAN, "credential": "seal", "level": "b-b"})
    with pytest.raises(click.UsageError, match=re.escape("--request-id was 'class-1A'")):
        RequestState.open(state_file, PLAN, "class-1B")
    with RequestState.open(state_file, {**PLAN, "credential": "seal"}, fresh=True) as state:
        assert state.request_id != "class-1A"
        assert not state.is_done(job)


def test_two_runs_at_once_are_refused(state_file: Path) -> None:
    with RequestState.open(state_file, PLAN), pytest.raises(click.UsageError, match="another `signer`"):
        RequestState.open(state_file, PLAN)


def test_a_state_of_another_release_is_left_alone(state_file: Path) -> None:
    state_file.parent.mkdir()
    state_file.write_text('{"version": 2, "request_id": "x"}\n', encoding="utf-8")
    with pytest.raises(click.UsageError, match="another release"):
        RequestState.open(state_file, PLAN)
    assert "x" in state_file.read_text(encoding="utf-8")


def test_new_request_ids_differ_and_fit_the_contract(tmp_path: Path) -> None:
    ids = set()
    for number in range(20):
        with RequestState.open(tmp_path / f"{number}", PLAN) as state:
            ids.add(state.request_id)
    assert len(ids) == 20
    assert all(re.fullmatch(r"[A-Za-z0-9._:@/-]{1,128}", request_id) for request_id in ids)
