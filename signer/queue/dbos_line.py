"""The line, kept by DBOS: one queue, a partition a school with one turn at a time, an executor a daemon.

DBOS is one a process, and so is this. It recovers nothing by itself here: an executor's name is never used twice, and who went away is
found by `queue_worker`, on one machine as on many.

Its loop looks for turns once a second. What is put here must not wait for that, nor what waits for a turn that ends here: so the loop runs
on a thread of ours, with a pause that can be cut short (`_Pace`). That loop is no part of DBOS's interface: hence the release is pinned.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from typing import Any, Final

from dbos import DBOS, DBOSConfig, Serializer
from dbos._queue import queue_worker_thread
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import SQLAlchemyError

from signer.errors import ConfigError
from signer.queue.line import Place, Work
from signer.store.engine import open_engine, told

_QUEUE: Final = "signer-turns"
_WORKFLOW: Final = "signer-turn"
_VERSION: Final = "1"
"""Of what stands in the line: releases that share it take each other's turns."""
_SCHEMA: Final = "signer_queue"
_POLL_S: Final = 1.0
_AFTER_TURN_S: Final = (0.03, 0.12, 0.48)
"""Pauses after a turn's end, which the engine writes down a moment after it was told: until then its school's next one has to wait."""
_OVER: Final = frozenset({"SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})
_STOP_S_MAX: Final = 10.0
_THREADS_SPARE: Final = 2
_END_S_MAX: Final = 5


class _Json(Serializer):
    """What DBOS writes and reads: JSON, never a pickle."""

    def name(self) -> str:
        """As rows call it."""
        return "signer_json"

    def serialize(self, data: Any) -> str:
        """An exception as its kind alone: its words may be a document's."""
        return json.dumps(data, default=lambda value: type(value).__name__)

    def deserialize(self, serialized_data: str) -> Any:
        """What was serialised."""
        return json.loads(serialized_data)


class _Pace(threading.Event):
    """How the engine's loop waits between two looks, and what ends it: one loop waits, any thread hurries it."""

    def __init__(self) -> None:
        super().__init__()
        self._news = threading.Event()
        self._pauses: deque[float] = deque()

    def wait(self, timeout: float | None = None) -> bool:
        """A pause, cut short by news; whether the loop must end."""
        pause_s = self._pauses.popleft() if self._pauses else timeout
        self._news.wait(pause_s)
        self._news.clear()
        return self.is_set()

    def set(self) -> None:
        """Ends the loop."""
        super().set()
        self._news.set()

    def look_now(self) -> None:
        """Something was put."""
        self._news.set()

    def look_soon(self) -> None:
        """A turn is about to be over."""
        self._pauses = deque(_AFTER_TURN_S)
        self._news.set()


class DbosLine:
    """`line.Line`."""

    def __init__(self, url: str, worker_id: str, batches_at_once: int, work: Work) -> None:
        self._url = url
        self._worker_id = worker_id
        self._at_once = batches_at_once
        self._work = work
        self._pace = _Pace()
        self._looking: threading.Thread | None = None

    def start(self) -> None:
        """Opens it and begins to take. ConfigError when its database can't be used."""
        engine = open_engine(self._url)
        config: DBOSConfig = {
            "name": "signer",
            "executor_id": self._worker_id,
            "application_version": _VERSION,
            "dbos_system_schema": _SCHEMA,
            "system_database_url": self._url,
            "serializer": _Json(),
            "enable_otlp": False,
            "log_level": "WARNING",
            "max_executor_threads": self._at_once + _THREADS_SPARE,
        }
        if engine.dialect.name == "sqlite":
            with engine.connect():
                pass  # made with the mode that our files have
        else:
            config["system_database_engine"] = _named_parameters(engine)
            config["use_listen_notify"] = False  # nobody listens: turns are polled for
        engine_of_line = DBOS(config=config)
        _log_as_others()
        work, pace = self._work, self._pace

        def turn(batch_id: str, number: int) -> None:
            try:
                work(batch_id, number)
            finally:
                pace.look_soon()

        DBOS.workflow(name=_WORKFLOW)(turn)
        DBOS.listen_queues([])
        try:
            DBOS.launch()
            queue = DBOS.register_queue(_QUEUE, worker_concurrency=self._at_once, partition_concurrency=1, polling_interval_sec=_POLL_S)
        except SQLAlchemyError as error:
            raise ConfigError(f"[queue]: the line's database can't be used: {told(error)}") from error
        self._looking = threading.Thread(target=queue_worker_thread, args=(pace, engine_of_line, queue), name="line", daemon=True)
        self._looking.start()

    def put(self, place: Place) -> None:
        """At its school's end, once: the same turn again changes nothing."""
        DBOS.enqueue_workflow_with_options(
            {
                "workflow_name": _WORKFLOW,
                "queue_name": _QUEUE,
                "workflow_id": _name(place.batch_id, place.turn),
                "app_version": _VERSION,
                "queue_partition_key": place.school_id,
                "priority": int(place.priority),
                **({"delay_seconds": place.delay_s} if place.delay_s else {}),  # type: ignore[typeddict-item]
            },
            place.batch_id,
            place.turn,
        )
        if not place.delay_s:
            self._pace.look_now()

    def put_again(self, place: Place) -> None:
        """A name is given once: one whose turn is over here, but not in rows, is freed first."""
        name = _name(place.batch_id, place.turn)
        known = DBOS.get_workflow_status(name)
        if known is not None and known.status in _OVER:
            DBOS.delete_workflows([name])
        self.put(place)

    def take_out(self, batch_id: str, turn: int) -> None:
        """It is not taken any more, and stands in nobody's way."""
        DBOS.cancel_workflow(_name(batch_id, turn))

    def forget(self, batch_id: str, turns: int) -> None:
        """What is remembered of a batch's turns."""
        DBOS.delete_workflows([_name(batch_id, turn) for turn in range(turns)])

    def stop(self) -> None:
        """Takes nothing more; turns under way must have ended."""
        self._pace.set()
        if self._looking is not None:
            self._looking.join(_STOP_S_MAX)
        DBOS.destroy(workflow_completion_timeout_sec=_END_S_MAX)


def _name(batch_id: str, turn: int) -> str:
    return f"{batch_id}.{turn}"


def _named_parameters(engine: Engine) -> Engine:
    """Another engine over the same connections, passwords and time limits: DBOS names its statements' parameters, we number ours."""

    def connect() -> Any:
        pooled = engine.raw_connection()
        connection = pooled.driver_connection
        pooled.detach()
        return connection

    return create_engine(engine.url, creator=connect)


def _log_as_others() -> None:
    """Its lines go where all lines go."""
    logger = logging.getLogger("dbos")
    logger.handlers.clear()
    logger.propagate = True
