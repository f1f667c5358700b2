"""The night's short form: every record that is handed over comes back signed once, and nobody keeps it."""

from __future__ import annotations

import uuid

from tests.soak.night import Night, spend
from tests.support.daemon import World


def test_a_district_s_night_comes_back_whole_and_leaves_nothing(world: World) -> None:
    told = spend(world, f"night-{uuid.uuid4()}", Night(documents=240, batches=4, look_s=0.0))
    assert (told.came, told.released, told.intents) == (240, 240, 240)
    assert (told.rows_left, told.turns_left) == (0, 0)
    assert set(told.seconds) == {"handed over", "worked off", "picked up"}
    assert told.growths
