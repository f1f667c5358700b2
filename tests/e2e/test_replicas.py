"""Two daemons on one PostgreSQL and one token: what is done with one holds for the other within a second (docs/replicas.md)."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from signer.errors import CallerUnknown, QuotaExceeded, SignatureInProgress, SignerError
from signer.v1 import admin_clients_pb2 as messages
from signer.v1 import admin_operations_pb2, admin_pb2_grpc, admin_tokens_pb2, signing_pb2
from tests.e2e.test_clients import asking, sha256
from tests.support.calls import fresh_id, refused, sign_digests
from tests.support.daemon import SCHOOL, World
from tests.support.postgres import cluster
from tests.support.replicas import Replicas, replicas
from tests.support.waiting import until
from tests.support.worlds import copy_of

RATE = 2.0
WINDOW = 10
NUMBERS = itertools.count()
EC = "ec"


@pytest.fixture(scope="module")
def two(pristine_world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    world = copy_of(pristine_world, tmp_path_factory.mktemp("replicas") / "it")
    with cluster() as postgres, replicas(world, postgres.database(), count=2) as made:
        yield made


@pytest.fixture(scope="module")
def channels(two: Replicas) -> Iterator[list[grpc.Channel]]:
    """School software's, to each."""
    with two.channel(0) as one, two.channel(1) as other:
        yield [one, other]


@pytest.fixture(scope="module")
def admins(two: Replicas) -> Iterator[list[Callable[..., Any]]]:
    """AdminService of each."""
    with two.channel(0, "operator") as one, two.channel(1, "operator") as other:
        yield [asking(one), asking(other)]


def sign(channel: grpc.Channel, count: int = 1, **changes: Any) -> signing_pb2.SignDigestsResponse:
    digests = {f"d{number}": hashlib.sha256(f"{next(NUMBERS)}".encode()).digest() for number in range(count)}
    return sign_digests(channel, digests, credential_id=EC, **changes)


def may_sign(channel: grpc.Channel) -> bool:
    try:
        sign(channel)
    except SignerError:
        return False
    return True


def test_a_client_that_was_made_with_one_daemon_calls_the_other_and_is_shut_out_of_both(
    two: Replicas, admins: list[Callable[..., Any]]
) -> None:
    certificate = messages.ClientCertificate(sha256=sha256(two.world, "unlisted"))
    wanted = messages.Client(
        client_id="newcomer",
        kind=messages.CLIENT_KIND_SCHOOL_SOFTWARE,
        school_ids=[SCHOOL],
        certificates=[certificate],
        may_sign_digests=True,
    )
    made = admins[0]("CreateClient", client=wanted).client
    with two.channel(0, "unlisted") as one, two.channel(1, "unlisted") as other:
        until(lambda: may_sign(other), "the other daemon to know the client")
        made.disabled = True
        admins[1]("UpdateClient", client=made)
        with refused(CallerUnknown):
            sign(other)
        until(lambda: not may_sign(one), "the first daemon to know it no more")


def test_an_operator_sees_with_the_next_call_what_was_done_with_the_other_daemon(admins: list[Callable[..., Any]]) -> None:
    for number in range(4):
        school = messages.School(school_id=f"7900010{number}", school_code=f"T{number}")
        admins[number % 2]("CreateSchool", school=school)
        admins[(number + 1) % 2]("SetQuota", quota=messages.Quota(school_id=school.school_id, signatures_per_day_max=5))


def test_the_same_request_to_both_at_once_is_signed_once(channels: list[grpc.Channel]) -> None:
    digests = {f"d{number}": hashlib.sha256(b"%d" % number).digest() for number in range(20)}
    request_id = fresh_id()

    def signed(channel: grpc.Channel) -> signing_pb2.SignDigestsResponse:
        while True:
            try:
                return sign_digests(channel, digests, credential_id=EC, request_id=request_id)
            except SignatureInProgress:
                continue

    with ThreadPoolExecutor(2) as both:
        first, second = both.map(signed, channels)
    assert [each.signature for each in first.results] == [each.signature for each in second.results]
    assert all(each.signature for each in first.results)


def test_a_doctor_says_what_a_daemon_shares_and_one_of_them_leads_in_each_task(two: Replicas) -> None:
    def told(number: int) -> str:
        with two.channel(number, "operator") as channel:
            asked = admin_operations_pb2.DiagnoseRequest(checks=["replicas"])
            [finding] = admin_pb2_grpc.AdminServiceStub(channel).Diagnose(asked, timeout=60).findings
        assert finding.severity == admin_operations_pb2.SEVERITY_OK
        return str(finding.message)

    said = [told(0), told(1)]
    assert sum("housekeeping" in each for each in said) == 1, said


def granted(channels: list[grpc.Channel], calls: int) -> int:
    """Signatures that so many calls to both daemons at once come to, three wanted by each."""

    def one(number: int) -> int:
        try:
            answer = sign(channels[number % 2], 3)
        except QuotaExceeded:
            return 0
        return sum(bool(each.signature) for each in answer.results)

    with ThreadPoolExecutor(8) as many:
        return sum(many.map(one, range(calls)))


def used_today(admins: list[Callable[..., Any]]) -> int:
    """What both say when it changes no more: all that was signed is counted, and what was left of slices is given back."""
    said: list[set[int]] = []

    def stays() -> bool:
        said.append({each.signatures_today for admin in admins for each in admin("ListQuotas").quotas if each.client_id == "school"})
        return len(said[-1]) == 1 and said[-3:] == [said[-1]] * 3

    until(stays, "both to say the same", poll_s=1.0)
    return said[-1].pop()


def test_a_rate_and_a_day_hold_for_both_together(admins: list[Callable[..., Any]], channels: list[grpc.Channel]) -> None:
    admins[0]("SetQuota", quota=messages.Quota(client_id="school", signatures_per_second_max=RATE))
    before = used_today(admins)
    rate_max = int(RATE * WINDOW)
    first = granted(channels, 16)
    assert rate_max // 2 < first <= rate_max, "each calls for what the other may have: little is left over"
    assert used_today(admins) == before + first
    admins[1]("SetQuota", quota=messages.Quota(client_id="school", signatures_per_day_max=before + first + 17))
    admins[0]("ListQuotas")
    second = granted(channels, 16)
    assert 17 // 2 < second <= 17
    assert used_today(admins) == before + first + second
    admins[0]("SetQuota", quota=messages.Quota(client_id="school"))
    admins[1]("ListQuotas")


def test_a_token_that_was_taken_out_of_use_with_one_daemon_rests_in_the_other(two: Replicas) -> None:
    with two.channel(0, "operator") as one, two.channel(1, "operator") as other:
        stubs = [admin_pb2_grpc.AdminServiceStub(channel) for channel in (one, other)]

        def state(number: int) -> int:
            asked = admin_tokens_pb2.GetTokenRequest(token_name="school-token")
            return stubs[number].GetToken(asked, timeout=60).token.state

        before = state(1)
        stubs[0].PauseToken(admin_tokens_pb2.PauseTokenRequest(token_name="school-token", reason="moved"), timeout=60)
        until(lambda: state(1) == state(0) != before, "the other daemon's workers to rest")
        stubs[1].ResumeToken(admin_tokens_pb2.ResumeTokenRequest(token_name="school-token"), timeout=60)
        until(lambda: state(0) == state(1) == before, "both to work again")
