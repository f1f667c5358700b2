"""Python's collector of reference cycles, told when to collect.

Left to itself it took an eighth of a document's CPU. Told to count far it let the daemon grow, for it counts objects and never their
bytes: every RPC leaves a cycle behind (gRPC's own, of the handler it looked up), a stream or a failure one with documents in it, and fifty
thousand objects could hold a hundred megabytes. So it counts far and is called by the clock where anything was left: every second for what
is younger than that, which costs next to nothing; for all of it seldom.
"""

from __future__ import annotations

import asyncio
import gc
from itertools import count

_COUNT_FAR = (50_000, 20, 50)
_EVERY_S = 1.0
_ALL_EVERY = 20
_LEFT_MIN = 500
"""Objects made and not freed since the last collection: an idle daemon makes none."""
_YOUNG, _ALL = 1, 2


def calm() -> None:
    """What there is now stays for good; the collector's own turns come seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COUNT_FAR)


async def keep_collected() -> None:
    """Collects by the clock, until cancelled."""
    for turn in count(1):
        await asyncio.sleep(_EVERY_S)
        if gc.get_count()[0] >= _LEFT_MIN:
            gc.collect(_YOUNG)
        if turn % _ALL_EVERY == 0 and any(gc.get_count()[1:]):
            gc.collect(_ALL)
