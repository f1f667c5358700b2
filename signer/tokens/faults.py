"""What a CKR_* means for the item, the session, the login, the worker and the token: one table (PKCS#11 v3.0 §5.1).

Every error that C_Sign *returns* is certain: no signature left the worker. Only a worker that dies or hangs leaves an outcome unknown.
An item that was certainly not released is tried again by the pipeline, as another attempt with an intent of its own: the module may have
used the key before it answered with an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pkcs11 import exceptions as ckr

from signer.errors import PinHeld, PinLocked, SignerError, TokenRefused, TokenRemoved, TokenUnavailable


class FaultClass(Enum):
    """How far a fault reaches, and so what heals it. What one class can't heal counts as the next one's.

    REQUEST: this item alone. SESSION: the session is left and another opened. LOGIN: the module is initialised anew and logged in to once.
    DEVICE: the worker ends and a fresh one looks for the token until it is there. FATAL: so does it, but an operator has to mend something
    first. HOLD: another try would cost a PIN attempt; nothing is tried before an operator releases the token.
    """

    REQUEST = "request"
    SESSION = "session"
    LOGIN = "login"
    DEVICE = "device"
    FATAL = "fatal"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Fault:
    """One row: its reach, the error the caller sees, and what to do, in words."""

    reach: FaultClass
    error: type[SignerError]
    advice: str


_REQUEST = Fault(FaultClass.REQUEST, TokenRefused, "the token refuses this key or mechanism; see `signer credentials`")
_SESSION = Fault(FaultClass.SESSION, TokenUnavailable, "the session is opened anew; repeat")
_LOGIN = Fault(FaultClass.LOGIN, TokenUnavailable, "the token is logged in to anew; repeat")
_DEVICE = Fault(FaultClass.DEVICE, TokenRemoved, "check that the token is plugged in or the HSM is reachable; it is tried again by itself")
_FATAL = Fault(
    FaultClass.FATAL, TokenUnavailable, "the module can't work on this machine: mend its installation; it is tried again by itself"
)
_PIN_WRONG = Fault(
    FaultClass.HOLD, PinHeld, "the PIN was refused once and is not tried again: correct the PIN source, then `signer tokens release-pin`"
)
_PIN_LOCKED = Fault(
    FaultClass.HOLD, PinLocked, "the token's security officer must unlock or reset the PIN; then `signer tokens release-pin`"
)

_TABLE: dict[type[ckr.PKCS11Error], Fault] = {
    ckr.DataInvalid: _REQUEST,
    ckr.DataLenRange: _REQUEST,
    ckr.MechanismInvalid: _REQUEST,
    ckr.MechanismParamInvalid: _REQUEST,
    ckr.KeySizeRange: _REQUEST,
    ckr.KeyTypeInconsistent: _REQUEST,
    ckr.FunctionRejected: _REQUEST,
    ckr.FunctionCancelled: _REQUEST,
    ckr.FunctionNotSupported: _REQUEST,
    ckr.RandomNoRNG: _REQUEST,
    ckr.KeyHandleInvalid: _SESSION,
    ckr.ObjectHandleInvalid: _SESSION,
    ckr.OperationActive: _SESSION,
    ckr.OperationNotInitialized: _SESSION,
    ckr.SessionClosed: _SESSION,
    ckr.SessionCount: _SESSION,
    ckr.SessionHandleInvalid: _SESSION,
    ckr.UserNotLoggedIn: _LOGIN,
    ckr.UserAlreadyLoggedIn: _LOGIN,
    ckr.AnotherUserAlreadyLoggedIn: _LOGIN,
    ckr.DeviceError: _DEVICE,
    ckr.DeviceMemory: _DEVICE,
    ckr.DeviceRemoved: _DEVICE,
    ckr.FunctionFailed: _DEVICE,
    ckr.GeneralError: _DEVICE,
    ckr.HostMemory: _DEVICE,
    ckr.SlotIDInvalid: _DEVICE,
    ckr.TokenNotPresent: _DEVICE,
    ckr.TokenNotRecognised: _DEVICE,
    ckr.ArgumentsBad: _FATAL,
    ckr.TokenWriteProtected: _FATAL,
    ckr.PinExpired: _PIN_WRONG,
    ckr.PinIncorrect: _PIN_WRONG,
    ckr.PinInvalid: _PIN_WRONG,
    ckr.PinLenRange: _PIN_WRONG,
    ckr.UserPinNotInitialized: _PIN_WRONG,
    ckr.PinLocked: _PIN_LOCKED,
}


def classify(error: ckr.PKCS11Error) -> Fault:
    """The row for an error; one that is not listed counts as the device's, the class that heals most."""
    return _TABLE.get(type(error), _DEVICE)


def translate(error: ckr.PKCS11Error, token_name: str) -> SignerError:
    """The error of our tree that the caller sees; its text names the CKR and the next step."""
    fault = classify(error)
    said = f" ({error})" if str(error) else ""
    return fault.error(f"token {token_name}: CKR {type(error).__name__}{said}: {fault.advice}", token=token_name, ckr=type(error).__name__)


class Broken(Exception):
    """The session, login or device is in doubt: this worker must stop signing; `reach` says what may heal it."""

    def __init__(self, error: SignerError, reach: FaultClass) -> None:
        super().__init__(error.message)
        self.error = error
        self.reach = reach


class Absent(Exception):
    """The token can't be had, and no PIN was used to find out: looking again costs nothing."""

    def __init__(self, error: SignerError) -> None:
        super().__init__(error.message)
        self.error = error
