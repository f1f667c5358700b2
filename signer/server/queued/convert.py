"""Between the queue's messages and its values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from signer.errors import InvalidArgument
from signer.queue.model import QueuedBatch, QueuePriority, QueueState
from signer.queue.schedule import DAY_MINUTES, DailyHours, Interval, Schedule
from signer.server import convert
from signer.v1 import batch_pb2, common_pb2, queue_pb2

_WINDOWS_MAX: Final = 64
_PRIORITIES: Final[dict[int, QueuePriority]] = {
    queue_pb2.BATCH_PRIORITY_UNSPECIFIED: QueuePriority.NORMAL,
    **{queue_pb2.BatchPriority.Value(f"BATCH_PRIORITY_{each.name}"): each for each in QueuePriority},
}
_PRIORITY_NUMBERS: Final[dict[QueuePriority, Any]] = {value: number for number, value in _PRIORITIES.items() if number}
_STATES: Final[dict[QueueState, Any]] = {
    QueueState.QUEUED: queue_pb2.BATCH_STATE_QUEUED,
    QueueState.RUNNING: queue_pb2.BATCH_STATE_RUNNING,
    QueueState.WAITING: queue_pb2.BATCH_STATE_WAITING_FOR_TOKEN,
    QueueState.PAUSED: queue_pb2.BATCH_STATE_PAUSED,
    QueueState.COMPLETED: queue_pb2.BATCH_STATE_COMPLETED,
    QueueState.CANCELLED: queue_pb2.BATCH_STATE_CANCELLED,
    QueueState.EXPIRED: queue_pb2.BATCH_STATE_EXPIRED,
}
_STATES_BY_NUMBER: Final = {number: state for state, number in _STATES.items()}


def priority(number: int) -> QueuePriority:
    """A priority; unset: as NORMAL."""
    if number not in _PRIORITIES:
        raise InvalidArgument(f"priority {number} is not one of this contract", field="submission.priority")
    return _PRIORITIES[number]


def states(numbers: Any) -> frozenset[QueueState]:
    """States asked for."""
    if unknown := [number for number in numbers if number not in _STATES_BY_NUMBER]:
        raise InvalidArgument(f"state {unknown[0]} is not one of this contract", field="states")
    return frozenset(_STATES_BY_NUMBER[number] for number in numbers)


def schedule(message: queue_pb2.BatchSchedule, now: datetime, longest: timedelta) -> Schedule:
    """When a batch may be worked on; InvalidArgument where that is never, or later than allowed."""
    latest = now + longest
    deadline = _moment(message.deadline) if message.HasField("deadline") else latest
    if not now < deadline <= latest:
        raise InvalidArgument(
            f"submission.schedule.deadline must lie ahead, at most {longest.total_seconds() / 86_400:g} days (queue.deadline_days_max)",
            field="submission.schedule.deadline",
        )
    if len(message.windows) > _WINDOWS_MAX or len(message.daily_windows) > _WINDOWS_MAX:
        raise InvalidArgument(f"at most {_WINDOWS_MAX} windows of a kind", field="submission.schedule")
    made = read_schedule(message, deadline)
    if made.opens(now) is None:
        raise InvalidArgument("no window of submission.schedule opens before the deadline", field="submission.schedule")
    return made


def read_schedule(message: queue_pb2.BatchSchedule, deadline: datetime) -> Schedule:
    """One that was accepted."""
    return Schedule(deadline, tuple(_interval(each) for each in message.windows), tuple(_hours(each) for each in message.daily_windows))


def batch(value: QueuedBatch, now: datetime) -> queue_pb2.Batch:
    """A batch whose header is opened, without its summary."""
    submission = queue_pb2.BatchSubmission.FromString(value.header)
    made = queue_pb2.Batch(
        batch_id=value.ids.batch_id,
        request_id=value.ids.request_id,
        school_id=value.ids.school_id,
        label=submission.header.label,
        plan=submission.header.plan,
        state=_STATES[value.state],
        progress=batch_pb2.BatchProgress(
            expected=value.expected,
            received=value.received,
            signed=value.signed + value.replayed,
            failed=value.failed,
            queued=value.left,
            elapsed=convert.duration(((value.end or now) - value.created).total_seconds()),
        ),
        priority=_PRIORITY_NUMBERS[value.priority],
        schedule=submission.schedule,
        create_time=convert.timestamp(value.created),
    )
    made.schedule.deadline.FromDatetime(value.deadline)
    if value.waiting and value.state is QueueState.WAITING:
        made.waiting_status.ParseFromString(value.waiting)
    if value.end is not None and value.results_expire is not None:
        made.end_time.FromDatetime(value.end)
        made.results_expire_time.FromDatetime(value.results_expire)
    return made


def summary(value: QueuedBatch, failures: dict[str, int]) -> batch_pb2.BatchSummary:
    """Of a batch that has ended."""
    return batch_pb2.BatchSummary(
        expected=value.expected,
        received=value.received,
        signed=value.signed,
        replayed=value.replayed,
        failed=value.failed,
        not_received=max(0, value.expected - value.received),
        failures=[batch_pb2.ReasonCount(reason=reason, count=count) for reason, count in sorted(failures.items())],
        elapsed=convert.duration(((value.end or value.created) - value.created).total_seconds()),
    )


def _interval(message: common_pb2.TimeWindow) -> Interval:
    start = _moment(message.start) if message.HasField("start") else None
    end = _moment(message.end) if message.HasField("end") else None
    if start is not None and end is not None and start >= end:
        raise InvalidArgument("a window's end must be later than its start", field="submission.schedule.windows")
    return Interval(start, end)


def _hours(message: queue_pb2.DailyWindow) -> DailyHours:
    if message.start_minute >= DAY_MINUTES or not 1 <= message.end_minute <= DAY_MINUTES:
        raise InvalidArgument("minutes of a day: start 0 to 1439, end 1 to 1440", field="submission.schedule.daily_windows")
    return DailyHours(message.start_minute, message.end_minute)


def _moment(stamp: Timestamp) -> datetime:
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidArgument("a time of submission.schedule is none", field="submission.schedule") from error
