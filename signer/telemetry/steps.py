"""The steps that spans are made of; the value is the span's name."""

from __future__ import annotations

from enum import Enum


class Step(Enum):
    """A part of a request's way."""

    STATUS = "certificate.status"
    LOOK_UP = "journal.look-up"
    PREPARE = "document.prepare"
    DOCUMENT_WORK = "document.work"
    INTEND = "journal.intend"
    SIGN = "token.sign"
    QUEUE = "token.queue"
    TOKEN_WORK = "token.work"
    STAMP = "timestamp"
    ASSEMBLE = "assemble"
    RAISE = "raise-level"
    SETTLE = "journal.settle"


class WorkerStep(Enum):
    """What a worker may say that it did; any other word is babble."""

    DOCUMENT_WORK = Step.DOCUMENT_WORK.value
    TOKEN_WORK = Step.TOKEN_WORK.value
