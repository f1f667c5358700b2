"""The token worker: a program that holds one token's login and signs the digests it is given.

    python -m signer.tokens.worker FD

1. START tells which token. Under the start-up lock: put back a spoiled SoftHSM token file, initialise the module, find the token, log in
   once, bring the safe copy up to date; then open the other sessions.                                        `login`
2. READY tells what was found.                                                                                `discovery`
3. CALL after CALL is worked off; each signature is verified with the public key before it is answered (Boneh, DeMillo and Lipton 1997:
   one faulty CRT signature gives the key away).                                                              `crew`
4. On a fault of session or device: every item in hand is answered as certainly not signed, then a FAILURE frame with call id 0 says that
   nothing else was started, and the program ends. A fresh process heals what a long-lived one cannot.
"""

from __future__ import annotations

import os
import sys

import msgspec
from pkcs11.exceptions import PKCS11Error

from signer.errors import SignerError
from signer.telemetry.logs import configure_logs, get_logger
from signer.tokens.crew import Crew
from signer.tokens.faults import translate
from signer.tokens.login import Broken, Login
from signer.tokens.wire import Start
from signer.workers.frames import Kind, WorkerChannel

_log = get_logger(__name__)
_EXIT_FAULT = 3


def run(channel: WorkerChannel) -> int:
    """The program: exit code 0 when the daemon let go, 3 when the token failed."""
    frame = channel.receive()
    if frame is None:
        return 0
    start = msgspec.msgpack.decode(frame.body, type=Start)
    configure_logs(start.log_level, process=f"token:{start.name}")
    try:
        login = Login(start)
    except (SignerError, PKCS11Error) as error:
        channel.fail(0, error if isinstance(error, SignerError) else translate(error, start.name))
        return _EXIT_FAULT
    try:
        channel.send(Kind.READY, 0, msgspec.msgpack.encode(login.ready()))
        Crew(channel, login.signers()).serve()
    except Broken as broken:
        _log.warning("token fault", token=start.name, reason=broken.error.reason.value, message=broken.error.message)
        channel.fail(0, broken.error)
        channel.wait_for_close()
        return _EXIT_FAULT
    finally:
        login.finalize()
    return 0


def main() -> None:
    """Entry point; leaves by os._exit because vendor modules crash in exit handlers."""
    try:
        code = run(WorkerChannel.from_fd(int(sys.argv[1])))
    except BrokenPipeError:  # the daemon is gone, and with it whoever would want to hear more
        code = 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
