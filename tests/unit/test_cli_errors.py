"""Errors on the command line: an exit code for scripts, a cause and a next step for people, in both languages."""

from __future__ import annotations

import string

import pytest

from signer.cli.advice import ADVICE, advice_for
from signer.cli.exits import MEANINGS, ExitCode, exit_code
from signer.cli.failure import error_members, explanation
from signer.cli.record_words import PROBLEMS
from signer.errors import (
    CallerUnknown,
    CertificateExpired,
    ConfigError,
    DeadlineExceeded,
    InternalError,
    InvalidArgument,
    NotServedYet,
    QueueFull,
    Reason,
    RecordUnfit,
    RequestIdReused,
    SchoolNotFound,
    ServiceUnreachable,
    ShuttingDown,
    SignerError,
    Unrecognized,
    leaves,
)
from signer.records.problem import RecordProblem

VIETNAMESE = set("àáạảãăắằẳẵặâấầẩẫậđèéẹẻẽêếềểễệìíịỉĩòóọỏõôốồổỗộơớờởỡợùúụủũưứừửữựỳýỵỷỹ")


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_explained_in_both_languages(reason: Reason) -> None:
    advice = ADVICE[reason]
    for text in (advice.cause, advice.step):
        assert text.en
        assert VIETNAMESE & set(text.vi)
        assert not VIETNAMESE & set(text.en)
        assert not any(field for _, field, _, _ in string.Formatter().parse(text.en + text.vi))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ServiceUnreachable(""), ExitCode.UNREACHABLE),
        (ShuttingDown(""), ExitCode.UNREACHABLE),
        (QueueFull(""), ExitCode.UNREACHABLE),
        (CallerUnknown(""), ExitCode.REFUSED),
        (SchoolNotFound(""), ExitCode.REFUSED),
        (CertificateExpired(""), ExitCode.REFUSED),
        (NotServedYet(""), ExitCode.REFUSED),
        (RequestIdReused(""), ExitCode.REFUSED),
        (InvalidArgument(""), ExitCode.USAGE),
        (ConfigError(""), ExitCode.USAGE),
        (DeadlineExceeded(""), ExitCode.INCOMPLETE),
        (InternalError(""), ExitCode.DAEMON_FAILED),
        (Unrecognized("", code="PERMISSION_DENIED", remoteReason="NEW_REASON"), ExitCode.REFUSED),
        (Unrecognized("", code="UNKNOWN"), ExitCode.DAEMON_FAILED),
    ],
)
def test_an_error_ends_with_the_code_that_scripts_expect(error: SignerError, code: ExitCode) -> None:
    assert exit_code(error) == code


def test_every_error_has_a_code_that_says_it_failed() -> None:
    for kind in leaves().values():
        assert exit_code(kind("")) in set(MEANINGS) - {ExitCode.OK}


def test_a_reason_of_a_newer_daemon_is_shown_as_it_is_named_there() -> None:
    error = Unrecognized("ask the ministry", code="FAILED_PRECONDITION", remoteReason="MINISTRY_CLOSED")
    assert error_members(error)["reason"] == "MINISTRY_CLOSED"
    assert error_members(error)["message"] == "ask the ministry"
    assert error_members(error)["next_step"]
    assert advice_for(error.reason)


@pytest.mark.parametrize("problem", RecordProblem)
def test_what_a_record_lacks_is_explained_in_both_languages(problem: RecordProblem, monkeypatch: pytest.MonkeyPatch) -> None:
    text = PROBLEMS[problem]
    assert VIETNAMESE & set(text.vi)
    assert not VIETNAMESE & set(text.en)
    monkeypatch.setenv("LC_ALL", "vi_VN.UTF-8")
    unfit = RecordUnfit("in English", finding=problem.name)
    assert explanation(unfit).endswith(text.vi)
    assert explanation(RecordUnfit("from a newer daemon", finding="TOO_NEW")).endswith("chưa biết")
