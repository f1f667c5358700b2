"""One process's login to its token: opened once, under the start-up lock, and shared by all its sessions.

 1. the module is initialised, and the token found by label, serial and what it shows without a PIN      `module`, `identity`
    until then nothing was tried: while it is not there, it is looked for again and again
 2. its PIN counter is asked                                                                            `pin_guard`
 3. the PIN is read from its source and tried, once
 4. what it holds is read                                                                               `discovery`

C_Login is per application and token (PKCS#11 v3.0 §5.6.8): the first session logs in, the others are opened without a PIN, and the first is
never closed while the process works, because C_Logout would end them all. A login that the token has forgotten is made anew by the same
four steps in a finalised module: what a module says of a token that was pulled or swapped is not to be believed before that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from pkcs11 import Mechanism, Session, Token
from pkcs11.exceptions import PKCS11Error

from signer.errors import SignerError, TokenRemoved
from signer.secrets import PinReference, Secret
from signer.tokens.discovery import Inventory, take_inventory
from signer.tokens.faults import Absent, FaultClass, classify, translate
from signer.tokens.identity import identity_of, require_known
from signer.tokens.module import Module, find_token, serial_of
from signer.tokens.pin_guard import guard_pin
from signer.tokens.safe_copy import SafeCopy
from signer.tokens.session_signer import SessionSigner
from signer.tokens.start_lock import start_lock
from signer.tokens.wire import Identity, PinCount, Ready, Start

_LOOKED_FOR = (FaultClass.SESSION, FaultClass.LOGIN, FaultClass.DEVICE)
"""What a module may answer before the PIN is used that time alone may mend."""


def leave_at_once(error: SignerError) -> None:
    """For who does not wait for a token that is not there."""
    raise error


class Login:
    """The module, the token and what it shows. Made on the program's main thread.

    wait: called with the reason each time the token is not there; returns when it is to be looked for again, or raises. Raises SignerError
    or PKCS11Error when the token can't be had; a refused PIN was tried once.
    """

    module: Module
    token: Token
    session: Session
    inventory: Inventory
    pin: Secret
    _identity: Identity
    _pin_count: PinCount

    def __init__(self, start: Start, wait: Callable[[SignerError], None] = leave_at_once) -> None:
        self.start = start
        self._restored: list[str] = []
        self._known = start.known
        self._may_renew = True
        self.module = Module(start.module, threads=start.sessions > 1)
        self._enter(wait)

    def signers(self) -> list[SessionSigner]:
        """One signer a configured session; each belongs to one thread."""
        first = SessionSigner(self, self.session, dict(self.inventory.keys))
        return [first, *[SessionSigner(self, self.token.open(), {}) for _ in range(self.start.sessions - 1)]]

    def renew(self) -> bool:
        """Logs in anew, once between two signatures; False when that was done already. Raises as the first time. No signer is in use."""
        if not self._may_renew:
            return False
        self._may_renew = False
        self.module.close()
        self._enter(leave_at_once)
        return True

    def prove(self) -> None:
        """A signature was made with this login: it may be renewed once more."""
        self._may_renew = True

    def ready(self) -> Ready:
        """What READY says."""
        token = self.token
        return Ready(
            label=token.label,
            serial=serial_of(token),
            model=str(token.model),
            manufacturer=str(token.manufacturer_id),
            slot=int(token.slot.slot_id),
            keys=[key.found for key in self.inventory.keys.values()],
            orphan_certificates=self.inventory.orphan_certificates,
            restored_files=self._restored,
            identity=self._identity,
            pin_count=self._pin_count,
            mechanisms=sorted(_name(mechanism) for mechanism in token.slot.get_mechanisms()),
        )

    def is_in_its_slot(self) -> bool:
        """Whether the token is still there. It takes C_GetSlotList to make some modules look."""
        return any(slot.slot_id == self.token.slot.slot_id for slot in self.module.slots())

    def finalize(self) -> None:
        """Ends every session; exit-time crashes are known, so the program calls it before it leaves."""
        self.module.close()

    def _enter(self, wait: Callable[[SignerError], None]) -> None:
        while True:
            try:
                with start_lock(Path(self.start.lock_path)), self._guarded_token_file():
                    self._log_in(self._find())
                break
            except Absent as absent:
                self.module.close()
                error = absent.error
            wait(error)
        self.inventory = take_inventory(self.session)

    def _find(self) -> Token:
        """Step 1."""
        start = self.start
        try:
            self.module.open()
            token = find_token(self.module, name=start.name, label=start.label, serial=start.serial, uri=start.uri)
            require_known(token, self._known, start.name)
            self._identity = self._known = identity_of(token)
        except TokenRemoved as error:
            raise Absent(error) from error
        except PKCS11Error as error:
            if classify(error).reach not in _LOOKED_FOR:
                raise
            raise Absent(translate(error, start.name)) from error
        return token

    def _log_in(self, token: Token) -> None:
        """Steps 2 and 3."""
        self._pin_count = guard_pin(token, self.start)
        self.pin = PinReference.parse(self.start.pin).read()
        self.token = token
        self.session = token.open(user_pin=self.pin.reveal())

    @contextlib.contextmanager
    def _guarded_token_file(self) -> Iterator[None]:
        """SoftHSM: the token file put back before the module is loaded if it is spoiled, and copied before and after the login.

        Before, because already the first login can spoil it.
        """
        if not self.start.softhsm_token_directory:
            yield
            return
        copy = SafeCopy(Path(self.start.softhsm_token_directory), Path(self.start.safe_copy_directory))
        self._restored = copy.restore()
        copy.refresh()
        yield
        copy.refresh()


def _name(mechanism: Mechanism | int) -> str:
    return f"CKM_{mechanism.name}" if isinstance(mechanism, Mechanism) else f"0x{mechanism:08x}"
