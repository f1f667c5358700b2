"""The load's short form: every visit is sent at its moment, answered and accounted for."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tests.load.arrivals import SHORT, Visit, plan
from tests.load.figures import felt, taken
from tests.load.report import write
from tests.load.run import run_on
from tests.support.daemon import Running, World

SEASON = msgspec.structs.replace(SHORT, seconds=6.0, documents_per_s=20.0, school_documents=40)


def test_a_short_evening_is_signed_whole_and_reported(world: World, daemon: Running, tmp_path: Path) -> None:
    run = run_on(world, daemon, SEASON, machine="A test's.")
    assert len(run.ends) == len(plan(SEASON))
    rows = felt(run.ends)
    assert [row.visit for row in rows] == list(Visit)
    assert {row.visit: row.errors for row in rows if row.errors} == {}
    assert {row.group for row in taken(run.looks)} == {"daemon", "token_workers", "document_workers", "generator"}
    assert all(end.sent_s >= end.planned_s for end in run.ends), "at its moment, never before"
    write(run, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"load.md", "load.png"}
