"""Tokens whose time is not ours: many sessions on one that answers late, and a slow one beside a fast one.

The delay is the shim's (tests/support/shim.py): it sleeps before each C_Sign that it forwards to SoftHSM.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.bench.against import row_against
from tests.bench.ground import Deployment, Ground, shorter
from tests.bench.measure import Pair, Sample
from tests.bench.orders import Order, Work
from tests.bench.row import Row, Target, row_of_pairs
from tests.support.daemon import SCHOOL, World
from tests.support.shim import Door, Shim, build
from tests.support.worlds import copy_of

_CLASS = 35
_SESSIONS = 16
_LATENCY_S = 0.005
_SLOW_S = 0.2
_SECONDS_MAX = 3.0
"""The shim's log of key uses has room for 65,536."""


def latency_bound(ground: Ground) -> Iterator[Row]:
    """5 ms a C_Sign, 16 sessions in one process. ECDSA: 3,200 RSA signatures a second would be more than this machine's cores can make."""
    shim = _shim(ground.world, "latency", _LATENCY_S)
    token = {"module": str(shim.module), "environment": shim.environment, "sessions": _SESSIONS}
    limit = Sample(items=round(_SESSIONS / _LATENCY_S), seconds=1.0, p50_ms=_LATENCY_S * 1e3, p99_ms=_LATENCY_S * 1e3)
    with ground.daemon(ground.config("latency", token=token)) as deployed:
        yield row_against(
            "latency-bound-token",
            ground,
            deployed,
            shorter(ground.order(Work.DIGESTS, "ec", batch=_CLASS, in_flight=4), _SECONDS_MAX),
            lambda: limit,
            target=Target(0.85),
            name="sessions ÷ latency",
            sessions=_SESSIONS,
            latency_ms=_LATENCY_S * 1e3,
            algorithm="ecdsa-sha256",
        )


def slow_beside_fast(ground: Ground) -> Iterator[Row]:
    """RSA digests on a fast token, alone and while another token of the daemon takes 200 ms a C_Sign."""
    slow_world = copy_of(ground.world, ground.scratch("slow") / "world")
    slow = _token("slow-token", slow_world, _shim(slow_world, "slow", _SLOW_S))
    credential = {"id": "slow", "token": "slow-token", "key_label": "cbql", "school": SCHOOL}
    config = ground.config("two-tokens", tokens=[slow], credentials=[credential])
    fast_order = ground.order(Work.DIGESTS, batch=_CLASS, in_flight=4)
    slow_order = ground.order(Work.DIGESTS, "slow", batch=1, in_flight=4, seconds=3600)
    with ground.daemon(config) as deployed:
        deployed.client.do(shorter(fast_order))
        fast_pairs, slow_pairs = _beside(ground, deployed, fast_order, slow_order)
    details = {"processes": 1, "slow_latency_ms": _SLOW_S * 1e3}
    yield row_of_pairs("slow-token", slow_pairs, target=Target(0.95), reference="1 ÷ latency", details=details)
    yield row_of_pairs("fast-token-beside-slow", fast_pairs, target=Target(0.95), reference="the fast token alone", details=details)


def _beside(ground: Ground, deployed: Deployment, fast: Order, slow: Order) -> tuple[list[Pair], list[Pair]]:
    """Pairs of the fast token (alone, beside) and of the slow one (its own limit, beside)."""
    limit = Sample(items=round(1 / _SLOW_S), seconds=1.0, p50_ms=_SLOW_S * 1e3, p99_ms=_SLOW_S * 1e3)
    fast_pairs, slow_pairs = [], []
    with deployed.another_client("school") as slow_client:
        for _ in range(ground.pace.pairs):
            alone = deployed.client.do(fast)
            slow_client.begin(slow)
            beside = deployed.client.do(fast)
            fast_pairs.append(Pair(alone, beside))
            slow_pairs.append(Pair(limit, slow_client.end()))
    return fast_pairs, slow_pairs


def _shim(world: World, name: str, latency_s: float) -> Shim:
    shim = Shim(build(world.folder), world.token, world.folder / f"{name}.shim")
    shim.delay(Door.SIGN, latency_s)
    return shim


def _token(name: str, world: World, shim: Shim) -> dict[str, Any]:
    """The stanza of a token beside the ground's own."""
    return {
        "name": name,
        "module": str(shim.module),
        "label": world.token.label,
        "pin": f"file:{world.token.pin_file}",
        "softhsm_token_directory": str(world.token.tokens_directory),
        "environment": shim.environment,
    }
