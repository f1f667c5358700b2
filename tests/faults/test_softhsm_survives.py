"""SoftHSM rewrites token.object in place at each C_Login, and dies of it (findings): workers killed at any moment must leave every key.

The token workers are the real program, kept by the real pool, on the real SoftHSM; the shim in front of it only tells the moment of
C_Login, at which half of the kills are aimed. The other half comes at random, start-up included.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key

from signer.algorithms import KeyFamily, SignatureAlgorithm
from signer.demo.softhsm import DemoToken, KeyKind, KeySpec, create_token, open_token
from signer.errors import SignerError
from signer.tokens.jobs import TokenSignature
from signer.tokens.mechanisms import RECIPES
from signer.tokens.pool import TokenPool
from signer.tokens.settings import TokenSettings
from signer.tokens.wire import Ready
from signer.workers.supervisor import Backoff, PlaceState
from tests.support.batch import Plan, sign_until_done
from tests.support.rig import FULL, Record, Rig, kill, wait_until, wait_until_ready, workers
from tests.support.shim import Action, Door, Shim

KILLS = 200 if FULL else 30
AIMED_SHARE = 0.5
AFTER_LOGIN_S_MAX = 0.003
"""How long after C_Login began an aimed kill may come: a login takes about 2 ms."""
RANDOM_S_MAX = 0.8
KEYS = [KeySpec("rsa-1"), KeySpec("rsa-2"), KeySpec("p256", KeyKind.EC_P256), KeySpec("p384", KeyKind.EC_P384)]
ALGORITHMS = {KeyFamily.RSA: SignatureAlgorithm.RSA_PKCS1_SHA256, KeyFamily.EC: SignatureAlgorithm.ECDSA_SHA256}
READY_S_MAX = 60.0
_TRIES = 3


@dataclass
class Seen:
    """What the pool reported."""

    is_ready: asyncio.Event = field(default_factory=asyncio.Event)
    logins: int = 0
    restored: int = 0
    losses: Counter[str] = field(default_factory=Counter)
    held: list[str] = field(default_factory=list)

    def token_ready(self, token: str, ready: Ready) -> None:  # noqa: ARG002
        self.is_ready.set()
        self.logins += 1
        self.restored += len(ready.restored_files)
        assert len(ready.keys) == len(KEYS), "a worker found fewer keys than the token has"

    def worker_lost(self, token: str, cause: str) -> None:  # noqa: ARG002
        self.losses[cause] += 1

    def token_held(self, token: str, fault: SignerError) -> None:  # noqa: ARG002
        self.held.append(fault.reason.value)


@pytest.fixture
def token(tmp_path: Path) -> DemoToken:
    return create_token(tmp_path / "softhsm", "survivor", KEYS)


def pool_on(token: DemoToken, shim: Shim, seen: Seen) -> TokenPool:
    settings = TokenSettings(
        name="survivor",
        module=shim.module,
        pin=f"file:{token.pin_file}",  # type: ignore[arg-type]  # as the configuration spells it
        label=token.label,
        processes=2,
        environment=shim.environment,
        softhsm_token_directory=token.tokens_directory,
    )
    pool = TokenPool(settings, processes=2, lock_path=token.directory / "start.lock", log_level="error", events=seen)
    for place in pool.places:
        place.backoff = Backoff(first_s=0.01, max_s=0.02)
    return pool


@dataclass
class Killer:
    """Kills `count` workers, in C_Login or at random. Runs in a thread of its own."""

    shim: Shim
    count: int
    killed: int = 0
    killed_at_login: int = 0

    def run(self) -> None:
        dice = random.Random(2026)  # noqa: S311 (moments to kill, not keys)
        deadline_s = time.monotonic() + 5.0 * self.count + READY_S_MAX
        while self.killed < self.count:
            assert time.monotonic() < deadline_s, f"only {self.killed} of {self.count} kills: workers no longer start"
            if dice.random() < AIMED_SHARE:
                self._kill_at_login(dice, deadline_s)
            else:
                time.sleep(dice.uniform(0, RANDOM_S_MAX))
                victims = workers(os.getpid())
                self.killed += bool(victims) and kill(dice.choice(victims))

    def _kill_at_login(self, dice: random.Random, deadline_s: float) -> None:
        logins = self.shim.calls(Door.LOGIN)
        while self.shim.calls(Door.LOGIN) == logins and time.monotonic() < deadline_s:
            time.sleep(0.0001)
        time.sleep(dice.uniform(0, AFTER_LOGIN_S_MAX))
        if kill(self.shim.last_caller(Door.LOGIN)):
            self.killed += 1
            self.killed_at_login += 1


async def keys_that_sign(pool: TokenPool) -> set[str]:
    """Labels of the keys that make a signature which verifies."""
    assert pool.ready is not None
    labels = set()
    for key in pool.ready.keys:
        algorithm = ALGORITHMS[key.family] if key.family else SignatureAlgorithm.RSA_PKCS1_SHA256
        digest = sha256(key.key_id).digest()
        made: TokenSignature | SignerError | None = None
        for _ in range(_TRIES):  # a worker that was hit while it started may still die with the digest in its hands
            (made,) = await pool.submit(key_id=key.key_id, algorithm=algorithm, digests=[digest], line="school", check=lambda: None)
            if isinstance(made, TokenSignature):
                break
        assert isinstance(made, TokenSignature), made
        public_key = load_der_public_key(key.public_key)
        RECIPES[algorithm].verify(public_key, made.signature, digest)  # type: ignore[arg-type]  # RSA or EC, by the token's keys
        labels.add(key.label)
    return labels


async def survive(token: DemoToken, shim: Shim, seen: Seen) -> tuple[Killer, set[str], float]:
    """Kills; then how long until a worker is ready again in peace, and which keys sign."""
    pool = pool_on(token, shim, seen)
    killer = Killer(shim, KILLS)
    await pool.start()
    try:
        await asyncio.to_thread(killer.run)
        before, calm_s = seen.logins, time.monotonic()
        while seen.logins == before and not all(place.state is PlaceState.READY for place in pool.places):
            assert time.monotonic() - calm_s < READY_S_MAX, f"no worker became ready again: {pool.fault}"
            await asyncio.sleep(0.02)
        heal_s = time.monotonic() - calm_s
        return killer, await asyncio.wait_for(keys_that_sign(pool), READY_S_MAX), heal_s
    finally:
        await pool.close()


def test_every_key_is_there_and_signs_after_workers_were_killed_at_random_moments_logins_included(
    token: DemoToken, shim_module: Path, tmp_path: Path, record: Record
) -> None:
    shim = Shim(shim_module, token, tmp_path / "shim.state")
    seen = Seen()
    killer, signing, heal_s = asyncio.run(survive(token, shim, seen))
    labels = {spec.label for spec in KEYS}
    record(
        "SIGKILL of SoftHSM workers, start-up and login included",
        client_saw="signed",
        lost=len(labels - signing),
        extra_key_uses=0,
        heal_s=round(heal_s, 2),
        kills=killer.killed,
        kills_at_login=killer.killed_at_login,
        logins=shim.calls(Door.LOGIN),
        spoiled_and_restored=seen.restored,
        losses=dict(seen.losses),
    )
    assert signing == labels
    assert seen.held == []
    assert sum(seen.losses.values()) >= KILLS - 2
    after = open_token(token.directory, token.label)
    assert {key.label for key in after.keys} == labels
    assert {key.public_key_der for key in after.keys} == {key.public_key_der for key in token.keys}


async def die_in_the_first_login(token: DemoToken, shim: Shim, seen: Seen) -> set[str]:
    """The worker is killed inside the very first C_Login, which leaves the token file empty; then which keys sign."""
    (token_file,) = token.tokens_directory.glob("*/token.object")
    shim.strike(Door.LOGIN, Action.HANG_BEFORE, count=1)
    pool = pool_on(token, shim, seen)
    await pool.start()
    try:
        await asyncio.to_thread(wait_until, lambda: shim.calls(Door.LOGIN) == 1, "the first login is under way")
        token_file.write_bytes(b"")
        assert kill(shim.last_caller(Door.LOGIN))
        await asyncio.wait_for(seen.is_ready.wait(), READY_S_MAX)
        return await asyncio.wait_for(keys_that_sign(pool), READY_S_MAX)
    finally:
        await pool.close()


def test_a_kill_inside_the_very_first_login_costs_no_key(token: DemoToken, shim_module: Path, tmp_path: Path) -> None:
    shim = Shim(shim_module, token, tmp_path / "shim.state")
    seen = Seen()
    assert asyncio.run(die_in_the_first_login(token, shim, seen)) == {spec.label for spec in KEYS}
    assert seen.restored == 1


def test_a_spoilt_token_file_is_put_back_and_journalled_while_the_daemon_runs(rig: Rig, cards: dict[str, bytes], record: Record) -> None:
    """What a SIGKILL inside C_Login leaves behind: findings saw the file at 0 bytes, and with it every key out of sight."""
    document = dict(list(cards.items())[:1])
    (token_file,) = rig.world.token.tokens_directory.glob("*/token.object")
    sound = token_file.read_bytes()
    with rig.daemon() as daemon:
        wait_until_ready(daemon)
        try:
            token_file.write_bytes(b"")
            for pid in daemon.worker_pids("school-token"):
                kill(pid)
            wait_until(lambda: not daemon.worker_pids("school-token"), "the killed workers are gone")
            heal_s = wait_until_ready(daemon, 1)
            delivery = sign_until_done(rig.channel, document, "restored", Plan())
        finally:
            if not token_file.stat().st_size:
                token_file.write_bytes(sound)
    books = rig.books()
    record(
        "token.object is empty after a crash inside C_Login",
        client_saw="signed",
        lost=delivery.lost,
        extra_key_uses=books.extra_key_uses(rig.shim),
        heal_s=round(heal_s, 2),
    )
    assert books.notes["token-restored"] == 1
    assert (delivery.lost, delivery.refused) == (0, {})
    books.check(rig.shim)
