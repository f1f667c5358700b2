"""The benches' reference signs on a real token, in C and without a compiler; and one bench runs end to end."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import pytest

from tests.bench.ground import Ground, Pace
from tests.bench.loop import TokenPrograms, token_loop
from tests.bench.sign_digests import rsa
from tests.support.daemon import World


@pytest.mark.parametrize(("key", "family"), [("cbql", "rsa"), ("ec", "ec")])
def test_bench_loop_in_c_and_in_python_sign_on_the_token(world: World, tmp_path: Path, key: str, family: str) -> None:
    arguments = [str(world.token.module_path), world.token.label, key, family]
    in_python = TokenPrograms([sys.executable, "-m", "tests.bench.loop_python", *arguments], world)
    with token_loop(world, key, family, tmp_path, processes=2) as in_c, in_python:
        for programs in (in_c, in_python):
            sample = programs.run(0.1)
            assert sample.items > 0
            assert 0 < sample.p50_ms <= sample.p99_ms


def test_bench_measures_the_real_daemon_and_says_where_time_goes(world: World, tmp_path: Path) -> None:
    ground = Ground(tmp_path, Pace(pairs=1, seconds=0.2, batch=2, growth=(2,), teachers=(2,)), world)
    with contextlib.closing(rsa(ground)) as rows:
        row = next(rows)
    assert row.items_per_s is not None
    assert row.items_per_s > 0
    assert row.cpu_us_per_item["token_workers"] > 0
    assert set(row.rss_mb) == {"daemon", "token_workers", "document_workers", "client"}
