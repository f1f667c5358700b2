"""How long keys of the store stay unwrapped in a token."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.support.daemon import World
from tests.support.token_worker import spec_of


@pytest.fixture
def said(new_world: Callable[[], World]) -> list[tuple[float, ...]]:
    world = new_world()
    program = [sys.executable, "-m", "tests.support.kept_keys_child"]
    start = spec_of(world, kept_key_idle_s=0.2).start_body
    done = subprocess.run(program, input=start, env=os.environ | world.token.environment, capture_output=True, check=True, timeout=60)
    return [tuple(float(part) for part in line.split()) for line in done.stdout.splitlines()]


def test_an_unwrapped_key_that_nobody_needs_is_destroyed_in_the_token(said: list[tuple[float, ...]]) -> None:
    now_in_hand_in_token = said[:5]
    assert now_in_hand_in_token == [(0, 2, 2), (30, 2, 2), (60, 1, 1), (89, 1, 1), (90, 0, 0)]
    in_token = said[5:]
    assert in_token == [(1,), (0,)], "a session that is busy with other keys lets go as well"
