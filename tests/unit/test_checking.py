"""What a checker beside the worker says is what the worker would have said itself; without one, nothing changes but the speed."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from signer.errors import Reason
from signer.tokens.checking import Checking
from signer.tokens.session_signer import Signed
from signer.tokens.wire import SignAnswer, SignItem
from tests.support.waiting import WITHIN_S, until
from tests.unit.test_crew import ALGORITHM, KEY, Signer

SPOILT_ID = 7
UNMADE = SignAnswer(99, b"", 0.0, Reason.TOKEN_REFUSED.value, "the key is not there")
Made = list[Signed | SignAnswer]


def made(count: int) -> Made:
    """So many, of which one is spoilt, and one that was never signed."""
    items = [SignItem(job_id, b"k", ALGORITHM, _digest(job_id)) for job_id in range(count)]
    return [*map(Signer().sign, items), UNMADE]


def _digest(job_id: int) -> bytes:
    return hashlib.sha256(b"%d" % job_id).digest()


def ask(checking: Checking, asked: Made) -> tuple[list[SignAnswer], str]:
    """What is sent, and by which thread."""
    sent: SimpleQueue[tuple[list[SignAnswer], str]] = SimpleQueue()
    checking.answer(asked, lambda answers: sent.put((answers, threading.current_thread().name)))
    return sent.get(timeout=WITHIN_S)


def judge(answers: list[SignAnswer], count: int) -> None:
    """Each is answered in its place, and only what verifies left."""
    assert [answer.job_id for answer in answers] == [*range(count), UNMADE.job_id]
    assert [answer.reason for answer in answers if answer.reason] == [Reason.TOKEN_SIGNATURE_WRONG.value, UNMADE.reason]
    assert not answers[SPOILT_ID].signature
    for answer in answers[:count]:
        if answer.job_id != SPOILT_ID:
            KEY.public_key().verify(answer.signature, _digest(answer.job_id), ec.ECDSA(Prehashed(hashes.SHA256())))


@pytest.fixture
def checking() -> Iterator[Checking]:
    """One whose checker is ready."""
    started = Checking("t", cores=3)
    ask(started, made(8))
    until(lambda: started._checker is not None and started._checker.is_ready, "the checker to be ready")
    yield started
    started.close()


def test_a_class_is_checked_beside_the_thread_that_signs(checking: Checking) -> None:
    answers, thread = ask(checking, made(35))
    judge(answers, 35)
    assert thread == "checks"


def test_a_checker_shuts_itself_in(checking: Checking) -> None:
    assert checking._checker is not None
    status = Path(f"/proc/{checking._checker._process.pid}/status").read_text(encoding="ascii")
    assert "Seccomp:\t2\n" in status


def test_few_are_checked_at_once(checking: Checking) -> None:
    asked = made(7)
    answers, thread = ask(checking, asked)
    assert answers == [each.answer() if isinstance(each, Signed) else each for each in asked]
    assert thread == threading.current_thread().name


def test_a_checker_that_was_killed_costs_nothing_but_speed(checking: Checking) -> None:
    checker = checking._checker
    assert checker is not None
    os.kill(checker._process.pid, signal.SIGKILL)
    checker._process.wait(WITHIN_S)
    for _ in range(2):
        answers, _thread = ask(checking, made(35))
        judge(answers, 35)
    assert not checker.is_ready


def test_a_machine_of_two_cores_has_none_for_a_checker() -> None:
    checking = Checking("t", cores=2)
    for _ in range(2):
        answers, thread = ask(checking, made(35))
        judge(answers, 35)
        assert thread == threading.current_thread().name
    assert checking._checker is None
    checking.close()


def test_who_leaves_before_its_checker_is_ready_has_sent_everything() -> None:
    leaving = Checking("t", cores=3)
    sent: list[list[SignAnswer]] = []
    leaving.answer(made(35), sent.append)
    leaving.answer(made(35), sent.append)
    leaving.close()
    for answers in sent:
        judge(answers, 35)
    assert len(sent) == 2
