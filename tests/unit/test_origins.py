"""For whom a line is: told once, wherever it is written."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest

from signer.telemetry import origins, traces
from signer.telemetry.origins import Origin, OriginIds, Span
from signer.telemetry.steps import Step

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"


class Kept(Span):
    """A span that remembers what became of it."""

    def __init__(self, name: str = "call") -> None:
        self.name = name
        self.children: list[Kept] = []
        self.ended: str | None = None

    @property
    def traceparent(self) -> str:
        return TRACEPARENT

    def child(self, step: Step, attributes: dict[str, Any]) -> Kept:  # noqa: ARG002
        self.children.append(Kept(step.value))
        return self.children[-1]

    def record(self, step: Step, started_ns: int, ended_ns: int, attributes: dict[str, Any]) -> None:  # noqa: ARG002
        self.child(step, attributes).end()

    def note(self, attributes: dict[str, Any]) -> None:
        pass

    def end(self, reason: str = "") -> None:
        self.ended = reason


def identified(event: dict[str, Any]) -> dict[str, Any]:
    origins.add_identifiers(event)
    return event


def in_a_context(act: Any) -> Any:
    return contextvars.copy_context().run(act)


def test_a_line_of_the_appliance_itself_is_for_nobody() -> None:
    assert in_a_context(lambda: identified({"event": "x"})) == {"event": "x"}


def test_a_line_says_what_is_known_and_no_more() -> None:
    def say(origin: Origin) -> dict[str, Any]:
        origins.enter(origin)
        return identified({})

    assert in_a_context(lambda: say(Origin("", "01"))) == {"rpc_id": "01"}
    assert in_a_context(lambda: say(Origin("class", "01"))) == {"request_id": "class", "rpc_id": "01"}
    assert in_a_context(lambda: say(Origin("class", "01", Kept()))) == {"request_id": "class", "rpc_id": "01", "trace_id": TRACE_ID}


def test_what_an_event_says_itself_counts() -> None:
    def say() -> dict[str, Any]:
        origins.enter(Origin("class", "01"))
        return identified({"request_id": "its own"})

    assert in_a_context(say) == {"request_id": "its own", "rpc_id": "01"}


def test_in_a_worker_a_line_is_for_those_of_the_call_the_first_few_by_name() -> None:
    def say(count: int) -> dict[str, Any]:
        origins.work_for([OriginIds(f"r{number}", f"{number}") for number in range(count)])
        return identified({})

    assert in_a_context(lambda: say(1)) == {"request_id": "r0", "rpc_id": "0"}
    assert len(in_a_context(lambda: say(64))["requests"]) == 8


async def test_tasks_started_inside_work_for_the_same() -> None:
    origin = Origin("class", "01")
    token = origins.enter(origin)
    task = asyncio.create_task(asyncio.sleep(0, origins.current))
    origins.leave(token)
    assert (await task)() is not origin
    assert await asyncio.create_task(_current(), context=_with(origin)) is origin


async def _current() -> Origin | None:
    return origins.current()


def _with(origin: Origin) -> contextvars.Context:
    context = contextvars.copy_context()
    context.run(origins.enter, origin)
    return context


def test_steps_inside_steps_are_parts_of_them_and_an_error_ends_both() -> None:
    span = Kept()

    def act() -> None:
        origins.enter(Origin("class", "01", span))
        with traces.step(Step.SIGN):
            with traces.step(Step.QUEUE):
                pass
            raise KeyError

    with pytest.raises(KeyError):
        in_a_context(act)
    (sign,) = span.children
    (queue,) = sign.children
    assert (sign.name, sign.ended, queue.name, queue.ended) == ("token.sign", "INTERNAL_ERROR", "token.queue", "")
    assert origins.current() is None


def test_where_nothing_is_traced_a_step_is_one_shared_nothing() -> None:
    assert traces.step(Step.SIGN, items=1) is traces.step(Step.QUEUE)


def test_each_origin_is_told_once_in_order() -> None:
    first, second = Origin("a", "1"), Origin("a", "1")
    assert origins.distinct([None, second, first, second, None]) == [second, first]
