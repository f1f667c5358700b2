"""grpc.health.v1: the whole daemon (""), each served service, each token (`token/NAME`), and the built-in authority's `clock`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from grpc_health.v1 import health, health_pb2

from signer.server.readiness import Doors, Readiness
from signer.timestamp.clock import Clock
from signer.tokens.pool import TokenPool
from signer.workers.supervisor import PlaceState

_LOOK_S = 0.5
_CLOCK = "clock"
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class HealthWatch:
    """Keeps the health servicer true to the tokens and the clock. The daemon serves while it is ready (`readiness`).

    clock: the built-in authority's, if there is one; it serves while timestamps may be issued, and alone: signing goes on without it.
    """

    def __init__(
        self,
        servicer: health.aio.HealthServicer,
        services: Iterable[str],
        pools: Mapping[str, TokenPool],
        clock: Clock | None,
        readiness: Readiness,
    ) -> None:
        self._servicer = servicer
        self._services = tuple(services)
        self._pools = pools
        self._clock = clock
        self._readiness = readiness

    async def run(self) -> None:
        """Looks twice a second, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_S)

    async def set_doors(self, doors: Doors) -> None:
        """Says NOT_SERVING at once unless they are open, so that load balancers go elsewhere."""
        self._readiness.set_doors(doors)
        await self.look()

    async def look(self) -> None:
        """Sets every status from what is true now."""
        self._readiness.look()
        for name, pool in self._pools.items():
            ready = not self._readiness.is_draining and any(place.state is PlaceState.READY for place in pool.places)
            await self._servicer.set(f"token/{name}", _SERVING if ready else _NOT_SERVING)
        if self._clock is not None:
            issues = not self._readiness.is_draining and self._clock.standing().state.issues
            await self._servicer.set(_CLOCK, _SERVING if issues else _NOT_SERVING)
        for service in ("", *self._services):
            await self._servicer.set(service, _SERVING if self._readiness.is_ready else _NOT_SERVING)
