"""SignDigests: digests of a class in one call."""

from __future__ import annotations

from collections.abc import Generator

from tests.bench.against import row_against
from tests.bench.ground import Ground
from tests.bench.orders import Work
from tests.bench.row import Row, Target

_CLASS = 35
_LOOP = "C_Sign loop, 1 process"


def rsa(ground: Ground) -> Generator[Row, None, None]:
    """RSA-2048, a class a call: four calls in flight, as several schools at once, and one alone."""
    targets = {4: Target(0.85), 1: None}
    with ground.loop("cbql") as loop, ground.daemon(ground.config("digests-rsa")) as deployed:
        for in_flight, target in targets.items():
            yield row_against(
                f"sign-digests-rsa-2048-{in_flight}-in-flight",
                ground,
                deployed,
                ground.order(Work.DIGESTS, batch=_CLASS, in_flight=in_flight),
                lambda: loop.run(ground.pace.seconds),
                target=target,
                name=_LOOP,
                items_per_call=_CLASS,
                calls_in_flight=in_flight,
            )


def p256(ground: Ground) -> Generator[Row, None, None]:
    """ECDSA P-256, a class a call."""
    with ground.loop("ec", "ec") as loop, ground.daemon(ground.config("digests-p256")) as deployed:
        yield row_against(
            "sign-digests-p256",
            ground,
            deployed,
            ground.order(Work.DIGESTS, "ec", batch=_CLASS, in_flight=4),
            lambda: loop.run(ground.pace.seconds),
            target=Target(0.35),
            name=_LOOP,
            items_per_call=_CLASS,
            calls_in_flight=4,
        )
