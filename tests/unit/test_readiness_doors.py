"""Ready is only who takes work: not before the door is open, not once it drains."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from signer.server.readiness import Doors, Readiness
from signer.telemetry.metrics import Metrics


class _Pool:
    problem = ""


def test_a_daemon_is_ready_between_the_opening_of_its_door_and_its_draining() -> None:
    readiness = Readiness({"token": _Pool()}, None, Metrics.on(CollectorRegistry()))  # type: ignore[dict-item]
    readiness.look()
    assert (readiness.is_ready, readiness.ready().lines) == (False, (Doors.CLOSED.value,))
    readiness.set_doors(Doors.OPEN)
    assert (readiness.is_ready, readiness.is_draining) == (True, False)
    readiness.set_doors(Doors.DRAINING)
    assert (readiness.is_ready, readiness.is_draining, readiness.ready().lines) == (False, True, (Doors.DRAINING.value,))
