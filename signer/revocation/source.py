from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from signer.errors import CertificateRevoked, CertificateStatusUnavailable, DeadlineExceeded, SignerError
from signer.formats.status import crl, ocsp
from signer.formats.status.answer import Answer, AnswerKind, AnswerRefused, Terms
from signer.formats.status.question import Question
from signer.revocation.settings import RevocationSettings
from signer.revocation.web import FetchFailed, Web
from signer.telemetry.logs import get_logger
from signer.telemetry.metrics import Metrics

_log = get_logger(__name__)
_T = TypeVar("_T")
_CRLS_MAX: Final = 64
_RETRY_AFTER_S: Final = 5.0
_GOOD, _REVOKED, _REFUSED, _PAUSED, _REMEMBERED = "good", "revoked", "refused", "paused", "remembered"


class StatusSource:
    """Asks, judges, remembers. Owned by the event loop.

    web: who fetches. utc_now: our clock, aware. A question that several ask at once goes out once.
    """

    def __init__(self, settings: RevocationSettings, web: Web, metrics: Metrics, utc_now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._web = web
        self._metrics = metrics
        self._utc_now = utc_now
        self._answers: _Memory[Answer] = _Memory(settings.cache_entries_max)
        self._crls: _Memory[crl.Crl] = _Memory(_CRLS_MAX)
        self._left_alone: _Memory[str] = _Memory(settings.cache_entries_max)
        self._asked: dict[Hashable, asyncio.Task[Any]] = {}
        self._turns = asyncio.Semaphore(settings.concurrency_max)
        metrics.revocation_remembered.set_function(lambda: float(len(self._answers) + len(self._crls)))

    def left_alone(self) -> list[str]:
        """Why addresses that failed a moment ago are not asked now, one reason each."""
        return self._left_alone.values(self._utc_now())

    async def answer(self, question: Question, deadline_s: float, *, fresh: bool = False) -> Answer:
        """A verified "not revoked", as of now or as fresh as the CA's answers are. deadline_s: on the loop's clock.

        fresh: CAs are asked whatever is remembered; addresses that failed a moment ago are still left alone.

        Raises:
            CertificateRevoked: a verified answer says so.
            CertificateStatusUnavailable: nobody could tell.
            DeadlineExceeded: the deadline came first.
        """
        now = self._utc_now()
        found = None if fresh else self._answers.get(question.key, now)
        if found is None:
            try:
                async with asyncio.timeout_at(deadline_s):
                    found = await self._once((*question.key, fresh), self._ask(question, fresh=fresh))
            except TimeoutError:
                raise DeadlineExceeded("the deadline came before the CA's answer about a certificate; repeat with the same ids") from None
            except SignerError as shared:
                raise shared.copy() from shared
        else:
            self._count(found.kind, _REMEMBERED)
        self._metrics.revocation_answer_age_seconds.labels(source=found.kind.value).observe(
            max(0.0, (now - found.this_update).total_seconds())
        )
        return found

    async def _once(self, key: Hashable, work: Coroutine[Any, Any, _T]) -> _T:
        """One task for all that ask the same meanwhile; it goes on when one of them gives up."""
        task: asyncio.Task[_T] | None = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(work)
            task.add_done_callback(lambda _done: self._asked.pop(key, None))
            task.add_done_callback(_retrieve)
        else:
            work.close()
        return await asyncio.shield(task)

    async def _ask(self, question: Question, *, fresh: bool) -> Answer:
        said: list[str] = []
        for kind, url in _sources(question):
            try:
                answer = await (self._ask_ocsp(url, question) if kind is AnswerKind.OCSP else self._ask_crl(url, question, fresh=fresh))
            except CertificateRevoked as revoked:
                revoked.metadata["source"] = f"{kind.value}:{url}"
                self._count(kind, _REVOKED)
                self._forget(question)
                raise
            except (AnswerRefused, FetchFailed, _LeftAlone) as failed:
                said.append(f"{kind.value} {url}: {failed.text}")
                continue
            answer = replace(answer, source=f"{kind.value}:{url}")
            self._count(kind, _GOOD)
            self._answers.put(question.key, answer, self._forget_at(answer.good_until))
            return answer
        raise CertificateStatusUnavailable(
            f"nobody could tell whether the certificate with serial {question.serial} is revoked: "
            + ("; ".join(said) or "it names neither an OCSP responder nor a CRL over http"),
            retry_after_s=_RETRY_AFTER_S if said else None,
            serial=question.serial,
        )

    def _forget(self, question: Question) -> None:
        """It is revoked by now: no older answer counts any more."""
        self._answers.forget(question.key)
        for url in question.crl_urls:
            self._crls.forget((url, question.key[1]))

    async def _ask_ocsp(self, url: str, question: Question) -> Answer:
        self._require_not_left_alone(AnswerKind.OCSP, (url, *question.key))
        encoded = await self._fetch(AnswerKind.OCSP, url, ocsp.build_request(question), self._settings.ocsp_bytes_max)
        with self._refusing(AnswerKind.OCSP, (url, *question.key)):
            return ocsp.judge(encoded, question, self._terms())

    async def _ask_crl(self, url: str, question: Question, *, fresh: bool) -> Answer:
        key = (url, question.key[1])
        known = None if fresh else self._crls.get(key, self._utc_now())
        if known is not None:
            return crl.judge(known, question, self._terms())
        self._require_not_left_alone(AnswerKind.CRL, key)
        fetched = await self._once(key, self._fetch_crl(url, key))
        with self._refusing(AnswerKind.CRL, key):
            answer = crl.judge(fetched, question, self._terms())
        self._crls.put(key, fetched, self._forget_at(answer.good_until))
        return answer

    async def _fetch_crl(self, url: str, key: Hashable) -> crl.Crl:
        encoded = await self._fetch(AnswerKind.CRL, url, None, self._settings.crl_bytes_max)
        with self._refusing(AnswerKind.CRL, key):
            return crl.Crl.read(encoded)

    async def _fetch(self, kind: AnswerKind, url: str, body: bytes | None, bytes_max: int) -> bytes:
        self._require_not_left_alone(kind, url)
        clock_s = asyncio.get_running_loop().time
        async with self._turns:
            started_s = clock_s()
            try:
                encoded = await self._web.fetch(url, body, bytes_max)
            except FetchFailed as failed:
                self._count(kind, failed.outcome.value)
                self._leave_alone(url, failed.text)
                _log.warning(
                    "certificate status not fetched", source=kind.value, url=url, outcome=failed.outcome.value, message=failed.text
                )
                raise
        self._metrics.revocation_request_duration_seconds.labels(source=kind.value).observe(clock_s() - started_s)
        return encoded

    @contextmanager
    def _refusing(self, kind: AnswerKind, key: Hashable) -> Iterator[None]:
        """A block that judges a fresh answer: one that does not stand up is counted, logged, and not asked for again for a moment."""
        try:
            yield
        except AnswerRefused as refused:
            self._count(kind, _REFUSED)
            self._metrics.revocation_refused.labels(source=kind.value, check=refused.check).inc()
            self._leave_alone(key, refused.text)
            _log.error("certificate status refused", source=kind.value, check=refused.check, message=refused.text)
            raise

    def _require_not_left_alone(self, kind: AnswerKind, key: Hashable) -> None:
        why = self._left_alone.get(key, self._utc_now())
        if why is not None:
            self._count(kind, _PAUSED)
            raise _LeftAlone(why)

    def _leave_alone(self, key: Hashable, why: str) -> None:
        self._left_alone.put(key, why, self._utc_now() + timedelta(seconds=self._settings.pause_s))

    def _terms(self) -> Terms:
        now, settings = self._utc_now(), self._settings
        return Terms(at=now, now=now, age_max=timedelta(seconds=settings.answer_s_max), allow_sha1=settings.allow_sha1)

    def _forget_at(self, good_until: datetime) -> datetime:
        return min(good_until, self._utc_now() + timedelta(seconds=self._settings.cache_s_max))

    def _count(self, kind: AnswerKind, outcome: str) -> None:
        self._metrics.revocation_questions.labels(source=kind.value, outcome=outcome).inc()


class _LeftAlone(Exception):
    """It failed a moment ago; the text says how."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.text = f"left alone for a moment, because: {why}"


class _Memory(Generic[_T]):
    """What is remembered until a moment; bounded, the oldest goes first."""

    def __init__(self, entries_max: int) -> None:
        self._entries_max = entries_max
        self._entries: OrderedDict[Hashable, tuple[_T, datetime]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable, now: datetime) -> _T | None:
        """What is remembered, None when nothing is, or no more."""
        value, until = self._entries.get(key, (None, now))
        if value is not None and now >= until:
            del self._entries[key]
            return None
        return value

    def forget(self, key: Hashable) -> None:
        """Whatever is remembered."""
        self._entries.pop(key, None)

    def values(self, now: datetime) -> list[_T]:
        """All that is remembered."""
        return [value for value, until in self._entries.values() if now < until]

    def put(self, key: Hashable, value: _T, until: datetime) -> None:
        """Remembers a value until a moment."""
        self._entries.pop(key, None)
        self._entries[key] = (value, until)
        while len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)


def _sources(question: Question) -> Iterator[tuple[AnswerKind, str]]:
    for url in question.ocsp_urls:
        yield AnswerKind.OCSP, url
    for url in question.crl_urls:
        yield AnswerKind.CRL, url


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Takes the exception of a task that nobody waits for any more, so that it is not reported as lost."""
    if not task.cancelled():
        task.exception()
