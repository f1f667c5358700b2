"""Every field of a message is checked once, and named in the error when it is wrong."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.algorithms import SignatureAlgorithm
from signer.errors import InvalidArgument, NotServedYet
from signer.model import Level, Profile, StageTimes
from signer.server import convert, convert_pades
from signer.server.served import require_served
from signer.v1 import batch_pb2, common_pb2, plan_pb2, signing_pb2


@given(st.from_regex(r"[A-Za-z0-9._:@/-]{1,128}", fullmatch=True))
def test_an_identifier_is_taken_as_it_is(value: str) -> None:
    assert convert.identifier(value, "f") == value


@given(st.text(max_size=140).filter(lambda text: not re.fullmatch(r"[A-Za-z0-9._:@/-]{1,128}", text)))
def test_anything_else_is_no_identifier_and_the_field_is_named(value: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        convert.identifier(value, "request_id")
    assert caught.value.metadata == {"field": "request_id"}
    assert len(caught.value.message) < 200, "what came is not repeated"


@pytest.mark.parametrize("value", ["a\n", "a\0", "x" * 129, "á", " a", ""])
def test_identifiers_that_come_close_are_refused(value: str) -> None:
    with pytest.raises(InvalidArgument):
        convert.identifier(value, "f")


@given(st.binary(max_size=64))
def test_a_sha256_is_empty_or_32_bytes(value: bytes) -> None:
    if len(value) in {0, 32}:
        assert convert.sha256(value, "f") == value
    else:
        with pytest.raises(InvalidArgument):
            convert.sha256(value, "f")


@given(st.integers(-(2**31), 2**31 - 1))
def test_every_number_is_an_algorithm_the_default_or_refused(number: int) -> None:
    try:
        found = convert.algorithm(number)
    except InvalidArgument as error:
        assert error.metadata == {"field": "algorithm"}  # noqa: PT017 - both ways are right
        return
    assert (found is None) == (number == 0)
    if found is not None:
        assert convert.ALGORITHM_NUMBERS[found] == number


def test_the_tables_hold_every_member_of_ours_and_of_the_contract() -> None:
    assert set(convert.ALGORITHM_NUMBERS) == set(SignatureAlgorithm)
    assert set(convert.ALGORITHMS) | {0} == set(common_pb2.SignatureAlgorithm.values())
    assert set(convert.LEVEL_NUMBERS) == set(Level)
    assert set(convert.LEVELS) | {0} == set(common_pb2.Level.values())
    assert set(convert.PROFILE_NUMBERS) == set(Profile) - {Profile.DIGEST}
    assert set(convert.PROFILES) | {0} == set(common_pb2.Profile.values())


@pytest.mark.parametrize(("act", "number"), [(convert.level, 0), (convert.level, 9), (convert.profile, 0), (convert.profile, -1)])
def test_levels_and_profiles_are_required(act: Any, number: int) -> None:
    with pytest.raises(InvalidArgument):
        act(number)


def test_a_field_name_is_bounded_in_bytes_and_has_no_full_stop() -> None:
    assert convert.field_name("ế" * 42) == "ế" * 42
    for value in ("ế" * 43, "a.b"):
        with pytest.raises(InvalidArgument):
            convert.field_name(value)


def test_a_placement_defaults_to_a_named_field_and_keeps_its_texts() -> None:
    placement = convert_pades.placement(plan_pb2.PadesOptions(reason="Xác nhận"))
    assert (placement.field_name, placement.name, placement.reason, placement.location) == ("Signature", "", "Xác nhận", "")


@given(st.floats(0, 1e6))
def test_a_duration_is_right_to_the_nanosecond(seconds: float) -> None:
    assert convert.duration(seconds).ToNanoseconds() == pytest.approx(seconds * 1e9, abs=1)


def test_times_keep_stage_and_unit() -> None:
    message = convert.stage_times(StageTimes(queue_s=1, document_s=2, token_s=3, timestamp_s=4, journal_s=5))
    stages = (message.queue, message.document, message.token, message.timestamp, message.journal)
    assert [stage.ToSeconds() for stage in stages] == [1, 2, 3, 4, 5]
    assert convert.timestamp(datetime(2026, 5, 30, tzinfo=UTC)).ToDatetime(UTC) == datetime(2026, 5, 30, tzinfo=UTC)


@pytest.mark.parametrize("message", [signing_pb2.SignDigestsRequest(approval_ids=["x"]), batch_pb2.DocumentStart(approval_ids=["x"])])
def test_a_field_that_is_not_served_is_refused_by_its_path(message: Any) -> None:
    with pytest.raises(NotServedYet) as caught:
        require_served(message)
    assert caught.value.metadata == {"field": "approval_ids"}


def test_messages_that_set_only_what_is_served_pass() -> None:
    pades = plan_pb2.PadesOptions(field_name="f", name="n", reason="r", location="l")
    plan = plan_pb2.SigningPlan(
        credential_id="c",
        profile=common_pb2.PROFILE_PADES,
        level=common_pb2.LEVEL_B_T,
        algorithm=common_pb2.SIGNATURE_ALGORITHM_RSA_PSS_SHA256,
        pades=pades,
        evidence=plan_pb2.EvidencePlan(create=True, digest_algorithm=common_pb2.DIGEST_ALGORITHM_SHA384),
    )
    require_served(batch_pb2.BatchHeader(request_id="r", school_id="s", plan=plan, expected_documents=3, label="1A"))
    require_served(signing_pb2.SignDocumentRequest(document_id="d", plan=plan, document=b"x", file_name="f"))
    require_served(signing_pb2.SignDigestsRequest(items=[signing_pb2.DigestItem(document_id="d", digest=b"x")]))


@given(st.integers(0, 10**18 - 1))
def test_a_page_token_that_is_a_number_is_that_number(number: int) -> None:
    assert convert.page_number(str(number)) == number


@pytest.mark.parametrize("token", ["-1", "1.5", "1_0", " 1", "\u0661", "9" * 19, "9" * 5_000, "a"])
def test_a_page_token_that_no_answer_gave_is_refused_before_it_reaches_a_database(token: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        convert.page_number(token)
    assert caught.value.metadata == {"field": "page_token"}
