"""The token worker: a program that holds one token's login and signs the digests it is given.

    python -m signer.tokens.worker FD

1. START tells which token. The process shuts itself in.                                                       `program`
   Under the start-up lock: put back a spoiled SoftHSM token file, initialise the module, find the token, log in
   once, bring the safe copy up to date; then open the other sessions. While the token is not there, WAITING says so. `login`
2. READY tells what was found.                                                                                `discovery`
3. CALL after CALL is worked off; each signature is verified with the public key before it is answered (Boneh, DeMillo and Lipton 1997:
   one faulty CRT signature gives the key away).                                                              `crew`
4. On a fault that a session can't heal: every item in hand is answered as certainly not signed. A forgotten login is made anew, once
   between two signatures. Otherwise a FAILURE frame with call id 0 says that nothing else was started, and the program ends: a fresh
   process heals what a long-lived one cannot.                                                                   `faults`
"""

from __future__ import annotations

from time import monotonic

import msgspec
from pkcs11.exceptions import PKCS11Error

from signer.errors import SignerError
from signer.telemetry.logs import configure_logs, get_logger
from signer.tokens.crew import Crew
from signer.tokens.faults import Broken, FaultClass, classify, translate
from signer.tokens.login import Login
from signer.tokens.program import run_program, shut_in
from signer.tokens.wire import Start
from signer.workers.frames import Kind, WorkerChannel
from signer.workers.precedence import go_first

_log = get_logger(__name__)
_EXIT_FAULT = 3
_LOOKS_FOR_S = 60.0


def run(channel: WorkerChannel) -> int:
    """The program: exit code 0 when the daemon let go, 3 when the token failed."""
    frame = channel.receive()
    if frame is None:
        return 0
    start = msgspec.msgpack.decode(frame.body, type=Start)
    configure_logs(start.log_level, process=f"token:{start.name}")
    _log.info("worker precedence", first=go_first())
    shut_in(start)
    try:
        login = Login(start, Patience(channel, start))
    except DaemonGone:
        return 0
    except (SignerError, PKCS11Error) as error:
        channel.fail(0, error if isinstance(error, SignerError) else translate(error, start.name))
        return _EXIT_FAULT
    try:
        while (broken := serve(channel, login)) is not None:
            _log.warning("token fault", token=start.name, reach=broken.reach.value, message=broken.error.message)
            if (unhealed := heal(channel, login, broken)) is not None:
                channel.fail(0, unhealed)
                channel.wait_for_close()
                return _EXIT_FAULT
    finally:
        login.finalize()
    return 0


def serve(channel: WorkerChannel, login: Login) -> Broken | None:
    """Steps 2 and 3; what broke, or None when the daemon let go."""
    try:
        channel.send(Kind.READY, 0, msgspec.msgpack.encode(login.ready()))
        Crew(channel, login, login.signers()).serve()
    except Broken as broken:
        return broken
    except PKCS11Error as error:
        return Broken(translate(error, login.start.name), classify(error).reach)
    return None


def heal(channel: WorkerChannel, login: Login, broken: Broken) -> SignerError | None:
    """Makes the login anew where that may help; why it is to end with, if not. A PIN refused then is told in place of what broke."""
    if broken.reach is not FaultClass.LOGIN:
        return broken.error
    channel.wait(broken.error)
    try:
        is_renewed = login.renew()
    except SignerError as error:
        return error
    except PKCS11Error as error:
        return translate(error, login.start.name)
    if is_renewed:
        channel.receive_again()
    return None if is_renewed else broken.error


class DaemonGone(Exception):
    """The daemon let go while the token was looked for."""


class Patience:
    """Waits between two looks for a token, and tells the daemon why. After a minute a fresh process goes on looking: modules get stuck."""

    def __init__(self, channel: WorkerChannel, start: Start) -> None:
        self._channel = channel
        self._look_s = start.look_s
        self._until_s = monotonic() + _LOOKS_FOR_S

    def __call__(self, error: SignerError) -> None:
        """Raises the error when it is not worth waiting any longer, DaemonGone when nobody waits for this worker."""
        if not self._look_s or monotonic() > self._until_s:
            raise error
        self._channel.wait(error)
        if not self._channel.is_quiet_for(self._look_s):
            raise DaemonGone


if __name__ == "__main__":
    run_program(run)
