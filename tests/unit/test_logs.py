import io
import json
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from signer.secrets import Secret
from signer.telemetry.logs import HIDDEN, configure_logs, context, get_logger, hide_secrets

PIN = "1f6b-hunter2-9c"
NASTY = 'Nguyễn\r\nVăn\x1b[31m A\u2028\u2029\u0085\u202e\x00\x7f"}\n{"event":"forged"}\ud800'


@pytest.fixture
def lines() -> Iterator["Lines"]:
    """Logging set up for process `test`, at info, into memory; put back afterwards."""
    root = logging.getLogger()
    kept = root.handlers[:], root.level, sys.excepthook, threading.excepthook
    output = Lines()
    configure_logs("info", process="test", stream=output)
    yield output
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level, sys.excepthook, threading.excepthook = kept


class Lines(io.BytesIO):
    """What was written, read back as one event a line."""

    @property
    def events(self) -> list[dict[str, Any]]:
        raw = self.getvalue()
        assert raw.endswith(b"\n")
        assert all(0x20 <= byte < 0x7F or byte == 0x0A for byte in raw)
        return [json.loads(line) for line in raw.decode("ascii").removesuffix("\n").split("\n")]

    @property
    def event(self) -> dict[str, Any]:
        (only,) = self.events
        return only


def test_an_event_says_when_where_and_how_grave(lines: Lines) -> None:
    get_logger("signer.room").warning("token lost", token="school-1")
    event = lines.event
    assert event.pop("timestamp").endswith("Z")
    assert event == {"event": "token lost", "level": "warning", "logger": "signer.room", "process": "test", "token": "school-1"}


def test_events_below_the_level_are_dropped(lines: Lines) -> None:
    get_logger("x").debug("dropped")
    logging.getLogger("grpc").debug("dropped")
    assert lines.getvalue() == b""


def test_whatever_names_contain_an_event_is_one_line_of_ascii(lines: Lines) -> None:
    get_logger("x").info(NASTY, name=NASTY, deep={NASTY: [NASTY]})
    assert lines.event["event"] == NASTY
    assert lines.event["deep"] == {NASTY: [NASTY]}


def test_any_text_stays_inside_its_event(lines: Lines) -> None:
    @given(text=st.text(), key=st.text(min_size=1))
    def check(text: str, key: str) -> None:
        lines.seek(0)
        lines.truncate()
        get_logger("x").info(text, values={key: text})
        assert lines.event["event"] == text

    check()


@pytest.mark.parametrize(
    "key", ["pin", "user_pin", "soPin", "PIN", "password", "tls_password", "passphrase", "sad", "client_secret", "otp"]
)
@pytest.mark.parametrize("value", [PIN, 12345678, 1.5, [PIN], {"a": PIN}])
def test_what_stands_under_a_key_named_like_a_secret_is_hidden(lines: Lines, key: str, value: object) -> None:
    get_logger("x").info("login", **{key: value})
    get_logger("x").info("login", inside={"deeper": [{key: value}]})
    assert [event.get(key) for event in lines.events] == [HIDDEN, None]
    assert lines.events[1]["inside"] == {"deeper": [{key: HIDDEN}]}


@pytest.mark.parametrize("key", ["pin_state", "spinning", "sad_count", "secrets_total", "opinion"])
def test_keys_that_only_sound_like_a_secret_are_kept(lines: Lines, key: str) -> None:
    get_logger("x").info("state", **{key: "ready"})
    assert lines.event[key] == "ready"


def test_a_secret_is_hidden_under_any_key_and_in_any_depth(lines: Lines) -> None:
    secret = Secret(PIN)
    get_logger("x").info("login", value=secret, values=[secret], inside={"a": (secret,)}, text=f"with {secret}", error=ValueError(secret))
    logging.getLogger("pyhanko").warning("login with %s", secret, extra={"user_pin": PIN, "value": secret})
    assert PIN.encode() not in lines.getvalue()
    assert lines.events[0]["inside"] == {"a": [HIDDEN]}


def test_bytes_are_told_by_their_length_alone(lines: Lines) -> None:
    get_logger("x").info("document", content=PIN.encode())
    assert lines.event["content"] == "[15 bytes]"


def test_a_structure_that_contains_itself_ends(lines: Lines) -> None:
    endless: list[object] = []
    endless.append(endless)
    get_logger("x").info("endless", value=endless)
    assert HIDDEN in json.dumps(lines.event)


def test_other_libraries_records_are_events_of_the_same_form(lines: Lines) -> None:
    with context(request_id="r-1"):
        logging.getLogger("grpc._server").error("refused %s", NASTY, extra={"peer": "10.0.0.1"})
    event = lines.event
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": f"refused {NASTY}",
        "level": "error",
        "logger": "grpc._server",
        "peer": "10.0.0.1",
        "process": "test",
        "request_id": "r-1",
    }


def test_events_carry_the_request_they_belong_to_and_no_longer(lines: Lines) -> None:
    log = get_logger("x")
    with context(request_id="r-1", batch_id="b-1"):
        log.info("inside")
    log.info("outside")
    inside, outside = lines.events
    assert (inside["request_id"], inside["batch_id"]) == ("r-1", "b-1")
    assert "request_id" not in outside


def test_an_exception_is_told_inside_its_event_without_local_values(lines: Lines) -> None:
    def fail() -> None:
        user_pin = PIN
        message = "line one\nline two"
        raise ValueError(message, len(user_pin))

    for log in (get_logger("ours").exception, logging.getLogger("theirs").exception):
        try:
            fail()
        except ValueError:
            log("failed")
    for event in lines.events:
        assert "ValueError" in event["exception"]
        assert "in fail" in event["exception"]
    assert PIN.encode() not in lines.getvalue()


def test_python_warnings_are_events(lines: Lines) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old call", DeprecationWarning, stacklevel=1)
    assert lines.event["logger"] == "py.warnings"
    assert "old call" in lines.event["event"]


def test_an_uncaught_exception_in_a_thread_is_an_event(lines: Lines) -> None:
    thread = threading.Thread(target=lambda: 1 // 0, name="scraper")
    thread.start()
    thread.join()
    assert lines.event["level"] == "critical"
    assert lines.event["thread"] == "scraper"
    assert "ZeroDivisionError" in lines.event["exception"]


def test_a_process_that_dies_of_an_exception_says_so_in_one_line_on_standard_error() -> None:
    program = "from signer.telemetry.logs import configure_logs; configure_logs('info', process='token:a#0'); 1 // 0"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    (line,) = done.stderr.splitlines()
    event = json.loads(line)
    assert (event["process"], event["level"], done.stdout) == ("token:a#0", "critical", "")
    assert "ZeroDivisionError" in event["exception"]


def test_a_worker_can_log_without_loading_the_validators_of_settings() -> None:
    program = "import sys, signer.telemetry.logs; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_guard_does_not_change_harmless_events() -> None:
    event = {"event": "signed", "items": 35, "seconds": 0.5, "ok": True, "none": None, "names": ["a"]}
    assert hide_secrets(None, "info", dict(event)) == event
