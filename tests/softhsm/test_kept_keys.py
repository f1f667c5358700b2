"""How long keys of the store stay unwrapped in a token."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

from tests.support.daemon import World


def test_an_unwrapped_key_that_nobody_needs_is_destroyed_in_the_token(new_world: Callable[[], World]) -> None:
    token = new_world().token
    program = [sys.executable, "-m", "tests.support.kept_keys_child", str(token.module_path), token.label, str(token.pin_file)]
    said = subprocess.run(program, env=os.environ | token.environment, capture_output=True, text=True, check=True, timeout=60).stdout
    now_in_hand_in_token = [tuple(float(part) for part in line.split()) for line in said.splitlines()]
    assert now_in_hand_in_token == [(0, 2, 2), (30, 2, 2), (60, 1, 1), (89, 1, 1), (90, 0, 0)]
