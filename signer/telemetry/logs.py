"""JSON events on standard error: structlog for ours, the standard library's logging for everybody else's, one format for both.

An event has `timestamp` (UTC, ISO 8601), `level`, `event`, `process`, `logger`, for whom it is (`origins`: `request_id`, `rpc_id`, and
`trace_id` where it is traced) and its own keys. Everything outside printable ASCII is a JSON escape, so CR, LF, ANSI, bidi controls and
U+2028/2029 in a pupil's name stay text.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from enum import Enum
from types import TracebackType
from typing import Any, BinaryIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from signer.secrets import Secret
from signer.telemetry.origins import add_identifiers

HIDDEN = "[hidden]"
"""What stands in place of a value that must not be logged."""

_SECRET_WORDS = frozenset({"pin", "puk", "password", "passwd", "passphrase", "secret", "sad", "otp"})
_CAMEL_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_DEPTH_MAX = 8


def configure_logs(level: str, *, process: str, stream: BinaryIO | None = None) -> None:
    """Set up logging for this process; once, before its first event.

    level: the value of a `LogLevel` (workers get it in their START frame, and need not load the settings' validators). process: `daemon`,
    or a worker's name such as `token:school-1#0`. stream: standard error by default, never standard output, which may carry frames.
    Python's warnings and uncaught exceptions become events too.
    """
    output = stream or sys.stderr.buffer
    severity = _LEVELS[level]
    shared = _shared_processors(process)
    structlog.configure(
        processors=[structlog.stdlib.add_logger_name, *shared, _render_bytes],
        wrapper_class=structlog.make_filtering_bound_logger(severity),
        logger_factory=lambda name="": _NamedLogger(output, name),
        cache_logger_on_first_use=True,
    )
    handler = _LineHandler(_NamedLogger(output, "root"))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shared, _render_text],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(severity)
    logging.captureWarnings(capture=True)
    _log_uncaught()


def get_logger(name: str) -> FilteringBoundLogger:
    """A module's logger, named as the module; it adopts the set-up at its first event."""
    return cast("FilteringBoundLogger", structlog.get_logger(name))


def context(**identifiers: str) -> AbstractContextManager[None]:
    """Every event inside carries these identifiers (`rpc_id`, …), also in tasks started inside."""
    return cast("AbstractContextManager[None]", structlog.contextvars.bound_contextvars(**identifiers))


def _shared_processors(process: str) -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _Stamp(process),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]


class _NamedLogger(structlog.BytesLogger):
    """Writes whole lines, each with its newline in one write; `name` is what `get_logger` was asked for."""

    def __init__(self, output: BinaryIO, name: str) -> None:
        super().__init__(cast("Any", output))
        self.name = name


class _Stamp:
    """Says which process an event is of, and for whom."""

    def __init__(self, process: str) -> None:
        self._process = process

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["process"] = self._process
        add_identifiers(event)
        return event


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Processor: a `Secret`, and whatever stands under a key named like one (`pin`, `user_pin`, `soPin`, `sad`…), becomes `HIDDEN`."""
    for key, value in event.items():
        if type(value) is int or type(value) is float:
            # Most values of the busiest events; only their key can be a secret's.
            if _names_a_secret(key):
                event[key] = HIDDEN
        else:
            event[key] = HIDDEN if _names_a_secret(key) else _plain(value)
    return event


_SECRET_NAMES: dict[str, bool] = {}
_SECRET_NAMES_MAX = 4096


def _names_a_secret(key: str) -> bool:
    """Whether the last word of a key names a secret: `user_pin` does, `pin_state` does not. Remembered, for keys are few."""
    known = _SECRET_NAMES.get(key)
    if known is None:
        known = re.split(r"[^a-z0-9]+", _CAMEL_CASE.sub("_", key).lower())[-1] in _SECRET_WORDS
        if len(_SECRET_NAMES) < _SECRET_NAMES_MAX:
            _SECRET_NAMES[key] = known
    return known


def _plain(value: Any, depth: int = 0) -> Any:
    """A value JSON can hold, without secrets; bytes only by their length, for they may be anything."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Secret) or depth > _DEPTH_MAX:
        return HIDDEN
    if isinstance(value, Enum):
        return _plain(value.value, depth + 1)
    if isinstance(value, Mapping):
        return {str(key): HIDDEN if _names_a_secret(str(key)) else _plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(inner, depth + 1) for inner in value]
    return f"[{len(value)} bytes]" if isinstance(value, (bytes, bytearray, memoryview)) else repr(value)


def _render_text(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    # ensure_ascii is the injection guard: no control, separator or bidi character reaches the line unescaped.
    return json.dumps(event, ensure_ascii=True, separators=(",", ":"), default=repr)


def _render_bytes(logger: WrappedLogger, method: str, event: EventDict) -> bytes:
    return _render_text(logger, method, event).encode("ascii")


class _LineHandler(logging.Handler):
    """Writes other libraries' records through the same door as ours: a whole line in one write."""

    def __init__(self, output: _NamedLogger) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._output.msg(self.format(record).encode("ascii"))
        except Exception:  # noqa: BLE001  # logging's own rule: a record that can't be written must not break its caller
            self.handleError(record)


def _log_uncaught() -> None:
    log = get_logger("uncaught")

    def in_process(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
            return
        log.critical("uncaught exception", exc_info=(kind, error, trace))

    def in_thread(uncaught: threading.ExceptHookArgs) -> None:
        if uncaught.exc_value is not None and not issubclass(uncaught.exc_type, SystemExit):
            log.critical("uncaught exception", thread=uncaught.thread.name if uncaught.thread else "", exc_info=uncaught.exc_value)

    sys.excepthook = in_process
    threading.excepthook = in_thread
