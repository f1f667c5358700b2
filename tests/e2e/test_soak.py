"""The soak's short form: 1,500 signatures of every kind, and nothing grows; and a leak, planted, is found."""

from __future__ import annotations

from functools import partial

from tests.soak.report import faults, text
from tests.soak.run import SHORT, Pace, settings, soak
from tests.soak.works import WORKS
from tests.support.archive import Archive
from tests.support.daemon import World, running_daemon
from tests.support.leaking import leak

KIB_PER_DOCUMENT_MAX = 8.0
"""Wide, for so few documents: caches still fill. What was once found were 30."""
LEAK_BYTES = 32 * 1024


def test_nothing_grows_with_what_was_signed(archive_cas: Archive) -> None:
    with running_daemon(archive_cas.world.config("soak.toml", **settings(archive_cas.world))) as daemon:
        run = soak(archive_cas.world, daemon, SHORT)
    assert faults(run, KIB_PER_DOCUMENT_MAX) == []
    assert run.signatures.total() >= 1_490
    assert "| daemon |" in text(run, "A test's.")


def test_a_leak_is_found(world: World) -> None:
    pace = Pace(rounds=6, warm_up=2, batch=30)
    config = world.config("leaking.toml", **settings(world) | {"journal": {"url": "sqlite:///leaking.db"}})
    with running_daemon(config, prepare=partial(leak, LEAK_BYTES)) as daemon:
        run = soak(world, daemon, pace, works={name: WORKS[name] for name in ("PAdES B-B, P-256", "CAdES B-B detached, RSA")})
    assert [fault for fault in faults(run, KIB_PER_DOCUMENT_MAX) if fault.startswith("daemon grew")]
