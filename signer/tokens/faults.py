"""What a CKR_* means for the item, the worker and the token: one table (PKCS#11 v3.0 §5.1).

Every error that C_Sign *returns* is certain: no signature left the token. Only a worker that dies or hangs leaves an outcome unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pkcs11 import exceptions as ckr

from signer.errors import PinHeld, PinLocked, SignerError, TokenRefused, TokenRemoved, TokenUnavailable


class FaultClass(Enum):
    """How far a fault reaches.

    REQUEST: this item alone. WORKER: sessions, login or device are in doubt; the worker stops and a fresh one initialises the module anew
    (what always recovered, see findings on pull and re-insert). HOLD: another try would cost a PIN attempt; an operator must act.
    """

    REQUEST = "request"
    WORKER = "worker"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Fault:
    """One row: its reach, the error the caller sees, and what to do, in words."""

    reach: FaultClass
    error: type[SignerError]
    advice: str


_REQUEST = Fault(FaultClass.REQUEST, TokenRefused, "the token refuses this key or mechanism; see `signer credentials`")
_SESSION = Fault(FaultClass.WORKER, TokenUnavailable, "the session is reopened by a fresh worker; repeat")
_DEVICE = Fault(FaultClass.WORKER, TokenRemoved, "check that the token is plugged in or the HSM is reachable; it is tried again by itself")
_PIN_WRONG = Fault(
    FaultClass.HOLD, PinHeld, "the PIN was refused once and is not tried again: correct the PIN source, then restart the daemon"
)
_PIN_LOCKED = Fault(FaultClass.HOLD, PinLocked, "the token's security officer must unlock or reset the PIN")

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
    ckr.KeyHandleInvalid: _SESSION,
    ckr.ObjectHandleInvalid: _SESSION,
    ckr.OperationActive: _SESSION,
    ckr.OperationNotInitialized: _SESSION,
    ckr.SessionClosed: _SESSION,
    ckr.SessionCount: _SESSION,
    ckr.SessionHandleInvalid: _SESSION,
    ckr.UserNotLoggedIn: _SESSION,
    ckr.UserAlreadyLoggedIn: _SESSION,
    ckr.DeviceError: _DEVICE,
    ckr.DeviceMemory: _DEVICE,
    ckr.DeviceRemoved: _DEVICE,
    ckr.FunctionFailed: _DEVICE,
    ckr.GeneralError: _DEVICE,
    ckr.HostMemory: _DEVICE,
    ckr.SlotIDInvalid: _DEVICE,
    ckr.TokenNotPresent: _DEVICE,
    ckr.TokenNotRecognised: _DEVICE,
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
