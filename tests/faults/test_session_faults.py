"""Faults that reach no further than a session or a login heal inside the worker: no restart, one login, no second use of a PIN."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from tests.support.batch import B_B, Delivery, Plan, sign_batch, sign_until_done
from tests.support.rig import Record, Rig, kill, only_full, wait_until, wait_until_ready
from tests.support.shim import Action, Ckr, Door

PLAN = Plan(level=B_B)
FEW = 6
HEAL_S_MAX = 60.0
IDLE_S = 4.0


@pytest.fixture
def documents(cards: dict[str, bytes]) -> dict[str, bytes]:
    return dict(list(cards.items())[:FEW])


def check(rig: Rig, record: Record, fault: str, delivery: Delivery, *, heal_s: float, logins: int) -> None:
    books = rig.books()
    seen = {reason for end in delivery.rounds for reason in end.reasons.values()}
    record(
        fault,
        client_saw=", ".join(sorted(seen)) or "signed",
        lost=delivery.lost,
        extra_key_uses=books.extra_key_uses(rig.shim),
        heal_s=round(heal_s, 2),
        logins=logins,
    )
    books.check(rig.shim)
    assert (delivery.lost, delivery.doubled, delivery.refused) == (0, 0, {})
    assert heal_s <= HEAL_S_MAX


def longest_wait_s(delivery: Delivery) -> float:
    """Between two documents of one stream."""
    moments_s = [result.at_s for result in delivery.rounds[0].results]
    return max(after - before for before, after in pairwise(moments_s))


@pytest.mark.parametrize(
    "forgotten",
    [
        pytest.param((Door.SIGN_INIT, Ckr.SESSION_HANDLE_INVALID, 0), id="sign-init-session"),
        pytest.param((Door.SIGN, Ckr.SESSION_CLOSED, 0), id="sign-session", marks=only_full),
        pytest.param((Door.SIGN_INIT, Ckr.KEY_HANDLE_INVALID, 0), id="sign-init-key", marks=only_full),
        pytest.param((Door.SIGN_INIT, Ckr.USER_NOT_LOGGED_IN, 1), id="sign-init-login"),
        pytest.param((Door.SIGN, Ckr.USER_NOT_LOGGED_IN, 1), id="sign-login", marks=only_full),
    ],
)
@pytest.mark.parametrize("sessions", [1, pytest.param(3, marks=only_full)])
def test_a_forgotten_session_or_login_is_made_anew_without_a_restart(
    forgotten: tuple[Door, Ckr, int], sessions: int, rig: Rig, documents: dict[str, bytes], record: Record
) -> None:
    door, ckr, logins = forgotten
    with rig.daemon(token={"processes": 1, "sessions": sessions}) as daemon:
        wait_until_ready(daemon, 1)
        served, before = daemon.worker_pids("school-token"), rig.shim.calls(Door.LOGIN)
        rig.shim.strike(door, Action.FAIL_BEFORE, ckr, after=2, count=1)
        delivery = sign_until_done(rig.channel, documents, f"{door}-{ckr}-{sessions}", PLAN)
        assert daemon.worker_pids("school-token") == served
        assert rig.shim.calls(Door.LOGIN) == before + logins
        assert delivery.rounds[0].reasons == {}, "nobody was told"
        told = [event for event in daemon.events() if event["event"] == "token fault"]
        assert [event["process"] for event in told] == ["token:school-token"] * logins
        assert {event["request_id"] for event in told} <= {delivery.request_id}, "a worker's line says for whom it is"
        check(rig, record, f"{door.name} answers {ckr.name}, {sessions} sessions", delivery, heal_s=longest_wait_s(delivery), logins=logins)


def test_a_login_that_is_forgotten_at_once_again_is_not_made_anew_for_ever(rig: Rig, documents: dict[str, bytes], record: Record) -> None:
    """One login in the worker, then one in each fresh worker, with growing pauses: never a storm of logins."""
    with rig.daemon(token={"processes": 1}) as daemon:
        wait_until_ready(daemon, 1)
        before = rig.shim.calls(Door.LOGIN)
        rig.shim.strike(Door.SIGN_INIT, Action.FAIL_BEFORE, Ckr.USER_NOT_LOGGED_IN)
        with rig.channel() as channel:
            first = sign_batch(channel, documents, "forgetful", PLAN, timeout_s=8)
        wait_until(lambda: rig.shim.calls(Door.LOGIN) - before >= 2, "a fresh worker logs in as well")
        logins = rig.shim.calls(Door.LOGIN) - before
        assert set(first.reasons.values()) == {"TOKEN_UNAVAILABLE"}
        assert logins <= 16
        rig.shim.calm()
        calm_s = time.monotonic()
        delivery = Delivery("forgetful", documents)
        delivery.add(first)
        sign_until_done(rig.channel, documents, "forgetful", PLAN, delivery=delivery)
        heal_s = min(result.at_s for result in delivery.rounds[-1].results) - calm_s
        check(rig, record, "the token forgets each login at once", delivery, heal_s=heal_s, logins=logins)


@pytest.mark.parametrize("sessions", [1, 3])
def test_idle_sessions_are_kept_alive(rig: Rig, documents: dict[str, bytes], sessions: int) -> None:
    with rig.daemon(token={"processes": 1, "sessions": sessions, "keep_alive_s": IDLE_S / 16}) as daemon:
        wait_until_ready(daemon, 1)
        rig.shim.expire(IDLE_S)
        touched = rig.shim.calls(Door.GENERATE_RANDOM)
        time.sleep(IDLE_S * 1.25)
        wait_until(lambda: rig.shim.calls(Door.GENERATE_RANDOM) > touched + sessions, "each session is touched again")
        assert sign_until_done(rig.channel, documents, f"idle-{sessions}", PLAN).lost == 0
        assert rig.shim.given_up == 0


def test_a_session_that_expired_all_the_same_costs_a_moment(rig: Rig, documents: dict[str, bytes], record: Record) -> None:
    with rig.daemon(token={"processes": 1, "keep_alive_s": 0}) as daemon:
        wait_until_ready(daemon, 1)
        served = daemon.worker_pids("school-token")
        rig.shim.expire(0.5)
        time.sleep(1.0)
        delivery = sign_until_done(rig.channel, documents, "expired", PLAN)
        assert rig.shim.given_up >= 1
        assert daemon.worker_pids("school-token") == served
        check(rig, record, "the token expired an idle session", delivery, heal_s=longest_wait_s(delivery), logins=0)


@pytest.mark.parametrize(
    ("door", "ckr"),
    [
        pytest.param(Door.INITIALIZE, Ckr.DEVICE_ERROR, id="initialize-device"),
        pytest.param(Door.INITIALIZE, Ckr.HOST_MEMORY, id="initialize-memory", marks=only_full),
        pytest.param(Door.OPEN_SESSION, Ckr.SESSION_COUNT, id="open-session-count"),
        pytest.param(Door.OPEN_SESSION, Ckr.TOKEN_NOT_PRESENT, id="open-session-absent", marks=only_full),
    ],
)
def test_a_token_that_can_not_be_had_is_looked_for_without_its_pin_until_it_is_there(
    rig: Rig, documents: dict[str, bytes], record: Record, door: Door, ckr: Ckr
) -> None:
    with rig.daemon(token={"processes": 1}) as daemon:
        wait_until_ready(daemon, 1)
        logins, calls = rig.shim.calls(Door.LOGIN), rig.shim.calls(door)
        rig.shim.strike(door, Action.FAIL_BEFORE, ckr)
        kill(daemon.worker_pids("school-token")[0])
        wait_until(lambda: rig.shim.calls(door) >= calls + 3, "three looks")
        assert rig.shim.calls(Door.LOGIN) == logins
        rig.shim.calm()
        back_s = time.monotonic()
        delivery = sign_until_done(rig.channel, documents, f"{door}-{ckr}", PLAN)
        heal_s = min(result.at_s for result in delivery.rounds[0].results) - back_s
        assert rig.shim.calls(Door.LOGIN) == logins + 1
        check(rig, record, f"{door.name} answers {ckr.name} until it is back", delivery, heal_s=heal_s, logins=1)
