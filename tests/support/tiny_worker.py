"""A worker program that does what it is told: for tests of the room that starts, calls and gives up on workers.

START's body is a word: what to do instead of becoming ready, or `ready`. CALL's body is a word and its argument.
"""

from __future__ import annotations

import os
import sys
import time

from signer.errors import PinHeld, QueueFull, TokenRemoved
from signer.workers.frames import Kind, WorkerChannel

FOREVER_S = 3600.0
MODULE = "tests.support.tiny_worker"


def begin(channel: WorkerChannel, word: str) -> None:
    if word == "ready":
        channel.send(Kind.READY, 0, b"facts")
    elif word == "refuse":
        channel.fail(0, TokenRemoved("no token", token="t"))
        sys.exit(3)
    elif word == "held":
        channel.fail(0, PinHeld("refused once", token="t"))
        sys.exit(3)
    elif word == "die":
        os._exit(9)
    elif word.startswith("looks "):
        look_for_device(channel, int(word.removeprefix("looks ")))
    elif word == "silent":
        time.sleep(FOREVER_S)
    elif word == "wrong":
        channel.send(Kind.DONE, 0)
    elif word == "babble":
        os.write(channel._connection.fileno(), b"\xff" * 100)
        time.sleep(FOREVER_S)


def look_for_device(channel: WorkerChannel, times: int) -> None:
    for _ in range(times):
        channel.wait(TokenRemoved("not there yet", token="t"))
        if not channel.is_quiet_for(0.3):
            sys.exit(0)
    channel.send(Kind.READY, 0, b"facts")


def log_in_anew(channel: WorkerChannel, call_id: int, seconds: float) -> None:
    channel.wait(TokenRemoved("logs in anew", token="t"))
    time.sleep(seconds)
    channel.send(Kind.READY, 0, b"facts")
    channel.send(Kind.DONE, call_id)


def answer(channel: WorkerChannel, call_id: int, word: str, argument: str) -> None:
    if word == "echo":
        channel.send(Kind.REPLY, call_id, argument.encode())
        channel.send(Kind.DONE, call_id)
    elif word == "fail":
        channel.fail(call_id, QueueFull("full", retry_after_s=2.0, token="t"))
    elif word in {"die", "babble"}:
        begin(channel, word)
    elif word == "hang":
        time.sleep(FOREVER_S)
    elif word == "fault":
        channel.fail(0, TokenRemoved("pulled", token="t"))
        channel.wait_for_close()
        sys.exit(3)
    elif word == "renew":
        log_in_anew(channel, call_id, float(argument))
    elif word == "stubborn":
        channel.send(Kind.DONE, call_id)
        while channel.receive() is not None:
            pass
        time.sleep(FOREVER_S)
    elif word == "environment":
        channel.send(Kind.REPLY, call_id, "\n".join(sorted(os.environ)).encode())
        channel.send(Kind.DONE, call_id)


def main() -> None:
    channel = WorkerChannel.from_fd(int(sys.argv[1]))
    frame = channel.receive()
    if frame is None:
        return
    begin(channel, frame.body.decode())
    while (frame := channel.receive()) is not None:
        word, _, argument = frame.body.decode().partition(" ")
        answer(channel, frame.call_id, word, argument)


if __name__ == "__main__":
    main()
