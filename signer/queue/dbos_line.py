"""The line, kept by DBOS: one queue, a partition a school with one turn at a time, an executor a daemon.

DBOS is one a process, and so is this. It recovers nothing by itself here: an executor's name is never used twice, and who went away is
found by `queue_worker`, on one machine as on many.
"""

from __future__ import annotations

import json
import logging
from typing import Any, Final

from dbos import DBOS, DBOSConfig, Serializer
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


class DbosLine:
    """`line.Line`."""

    def __init__(self, url: str, worker_id: str, batches_at_once: int, work: Work) -> None:
        self._url = url
        self._worker_id = worker_id
        self._at_once = batches_at_once
        self._work = work

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
        DBOS(config=config)
        _log_as_others()
        work = self._work

        def turn(batch_id: str, number: int) -> None:
            work(batch_id, number)

        DBOS.workflow(name=_WORKFLOW)(turn)
        try:
            DBOS.launch()
            DBOS.register_queue(_QUEUE, worker_concurrency=self._at_once, partition_concurrency=1, polling_interval_sec=_POLL_S)
        except SQLAlchemyError as error:
            raise ConfigError(f"[queue]: the line's database can't be used: {told(error)}") from error

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

    def take_out(self, batch_id: str, turn: int) -> None:
        """It is not taken any more, and stands in nobody's way."""
        DBOS.cancel_workflow(_name(batch_id, turn))

    def forget(self, batch_id: str, turns: int) -> None:
        """What is remembered of a batch's turns."""
        DBOS.delete_workflows([_name(batch_id, turn) for turn in range(turns)])

    def stop(self) -> None:
        """Takes nothing more; turns under way must have ended."""
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
