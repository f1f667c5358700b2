"""A batch from its first document to its last outcome, over as many streams as it takes.

Each document gets exactly one `DocumentResult`. What ends the batch as a whole is raised: a refused header, a daemon that can't be
reached, the caller's deadline. Documents without an outcome are then simply signed later: the same request_id continues.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from dataclasses import astuple
from types import TracebackType
from typing import Self

from signer.client.channel import Connection
from signer.client.orders import Order
from signer.client.retries import RetryPolicy, allowed_s, is_interruption, is_passing, is_tls_failure
from signer.client.stream import Answer, End, Stream
from signer.client.supply import Supply
from signer.client.time_values import BatchEvidence
from signer.client.values import Document, DocumentResult, Phase, Progress, Summary
from signer.errors import DeadlineExceeded, ServiceUnreachable, SignerError
from signer.model import StageTimes

OnProgress = Callable[[Progress], None]

_STREAM_S_MAX = 1800.0
"""A longer batch takes several streams: beginning anew costs two round trips."""
_RATE_WINDOW = 256


class DocumentBatch(Iterator[DocumentResult]):
    """Iterate over it for the results, in the order they are ready. Not for several threads at once.

    Breaking off: `close` (or leaving its `with` block) ends the stream; the daemon then uses no key for what had not reached one.
    """

    def __init__(
        self,
        connection: Connection,
        documents: Iterable[Document],
        order: Order,
        request_id: str,
        *,
        policy: RetryPolicy,
        timeout_s: float,
        label: str = "",
        total: int | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        self.request_id = request_id
        self._connection = connection
        self._order = order
        self._policy = policy
        self._label = label
        self._total = len(documents) if total is None and isinstance(documents, Sized) else total
        self._on_progress = on_progress or (lambda _progress: None)
        self._supply = Supply(documents)
        self._timeout_s = timeout_s
        self._stream_s_max = _STREAM_S_MAX
        self._started_s = time.monotonic()
        self._tally = _Tally()
        self._was_accepted = False
        self._failures_in_row = 0
        self._interruptions = 0
        self._evidence: BatchEvidence | None = None
        self._evidence_failures = 0
        self._results = self._run()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> DocumentResult:
        return next(self._results)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the stream, if one is open."""
        self._results.close()

    @property
    def evidence(self) -> BatchEvidence | None:
        """The evidence record over all that the request has released; None before the iteration has ended, or where none was asked for."""
        return self._evidence

    @property
    def summary(self) -> Summary:
        """Counts of the final outcomes so far; complete when the iteration has ended."""
        return self._tally.summary(time.monotonic() - self._started_s, self._interruptions)

    def _run(self) -> Generator[DocumentResult]:
        self._started_s = time.monotonic()
        self._tell(Phase.CONNECTING)
        while not self._supply.is_done or self._wants_evidence():
            passing: SignerError | None = None
            self._evidence = None  # of this stream, which brings it last: it covers what the ones before released, too
            try:
                for event in self._open_stream().events():
                    self._was_accepted = True
                    if isinstance(event, Answer) and self._is_to_repeat(event):
                        passing = event.result.error
                        self._supply.put_back(event.item)
                    elif isinstance(event, Answer):
                        yield self._settled(event.result)
                    elif isinstance(event, End):
                        self._evidence = event.evidence
                    yield from map(self._settled, self._supply.refused())
                    self._tell(Phase.SIGNING)
                yield from map(self._settled, self._supply.refused())
                if self._supply.sent_count:
                    raise ServiceUnreachable(f"the daemon ended the batch without an outcome for {self._supply.sent_count} documents")
            except SignerError as error:
                passing = error
            self._wait_between(passing)
        if self._supply.source_error is not None:
            raise self._supply.source_error

    def _wants_evidence(self) -> bool:
        """Whether a further stream, with no document to send, is worth opening for the evidence record."""
        if not self._order.wants_evidence:
            return False
        if self._evidence is None:
            return True
        error = self._evidence.error
        return error is not None and is_passing(error) and self._evidence_failures < self._policy.attempts_max and self._left_s() > 0

    def _wait_between(self, passing: SignerError | None) -> None:
        """Returns when it is time for another stream, or none is needed; raises what ends the batch. passing: how the last one failed."""
        error = self._evidence.error if self._evidence is not None else None
        if passing is not None:
            self._wait_out(passing)
        elif error is not None and self._supply.is_done and self._wants_evidence():
            self._evidence_failures += 1
            self._tell(Phase.WAITING, error)
            time.sleep(max(0.0, min(self._policy.backoff_s(self._evidence_failures, error), self._left_s())))

    def _open_stream(self) -> Stream:
        left_s = self._left_s()
        if left_s <= 0:
            raise self._too_late()
        header = self._order.header(self.request_id, self._label, max(0, (self._total or 0) - self._tally.done))
        timeout_s = min(left_s, self._stream_s_max)
        return Stream(self._connection, self._supply, self._order, header, timeout_s=timeout_s, stall_s=self._policy.stall_s)

    def _is_to_repeat(self, answer: Answer) -> bool:
        error = answer.result.error
        return error is not None and is_passing(error) and answer.item.attempts < self._policy.attempts_max and self._left_s() > 0

    def _settled(self, result: DocumentResult) -> DocumentResult:
        self._failures_in_row = 0
        self._tally.add(result)
        return result

    def _wait_out(self, error: SignerError) -> None:
        """Returns when it is time for another stream; raises what ends the batch."""
        if allowed_s(error) < self._stream_s_max:
            self._stream_s_max = allowed_s(error)
            return
        if not is_interruption(error):
            raise error
        elapsed_s = time.monotonic() - self._started_s
        if not self._was_accepted and (is_tls_failure(error) or elapsed_s >= self._policy.connect_timeout_s):
            raise error
        if self._left_s() <= 0:
            raise self._too_late() from error
        self._failures_in_row += 1
        self._interruptions += 1
        self._tell(Phase.WAITING if self._was_accepted else Phase.CONNECTING, error)
        time.sleep(min(self._policy.backoff_s(self._failures_in_row, error), self._left_s()))

    def _too_late(self) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"the deadline of {self._timeout_s:g} s has passed; {self._tally.done} documents have their outcome, "
            "the others continue when the same request is made again"
        )

    def _left_s(self) -> float:
        return self._started_s + self._timeout_s - time.monotonic()

    def _tell(self, phase: Phase, problem: SignerError | None = None) -> None:
        elapsed_s = time.monotonic() - self._started_s
        rate = self._tally.per_second()
        left = None if self._total is None else self._total - self._tally.done
        self._on_progress(
            Progress(
                phase=phase,
                total=self._total,
                signed=self._tally.signed + self._tally.replayed,
                failed=self._tally.failed,
                elapsed_s=elapsed_s,
                signatures_per_second=rate,
                remaining_s=left / rate if left is not None and rate else None,
                interruptions=self._interruptions,
                problem=problem,
            )
        )


class _Tally:
    """Counts of final outcomes, and the present rate."""

    def __init__(self) -> None:
        self.signed = 0
        self.replayed = 0
        self.failed = 0
        self._failures: Counter[str] = Counter()
        self._times = StageTimes()
        self._moments: deque[float] = deque(maxlen=_RATE_WINDOW)

    @property
    def done(self) -> int:
        return self.signed + self.replayed + self.failed

    def add(self, result: DocumentResult) -> None:
        self._moments.append(time.monotonic())
        if result.error is not None:
            self.failed += 1
            self._failures[result.error.metadata.get("remoteReason", result.error.reason.value)] += 1
            return
        if result.replayed:
            self.replayed += 1
        else:
            self.signed += 1
        self._times = StageTimes(*(mine + its for mine, its in zip(astuple(self._times), astuple(result.times), strict=True)))

    def per_second(self) -> float:
        """Over the last outcomes; 0 until two have come."""
        if len(self._moments) < 2:  # noqa: PLR2004  # one moment spans no time
            return 0.0
        span_s = self._moments[-1] - self._moments[0]
        return (len(self._moments) - 1) / span_s if span_s > 0 else 0.0

    def summary(self, elapsed_s: float, interruptions: int) -> Summary:
        return Summary(self.signed, self.replayed, self.failed, dict(self._failures), elapsed_s, self._times, interruptions)
