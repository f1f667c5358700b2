"""What the daemon and a token worker say to one another (bodies of `workers.frames`)."""

from __future__ import annotations

from enum import Enum

import msgspec

from signer.algorithms import KeyFamily, SignatureAlgorithm
from signer.model import KeptKey, Problem

COUNT = "pinCount"
"""Metadata of PinHeld and PinLocked: the token's `PinCount`."""
FOREIGN = "foreign"
"""Metadata of the TokenRemoved that says: a token is there, but another one."""


class PinCaution(Enum):
    """From which state of the token's PIN counter on its PIN is tried only after an operator released it."""

    COUNT_LOW = "count-low"
    FINAL_TRY = "final-try"
    LOCKED = "locked"


class PinCount(Enum):
    """What a token tells of its PIN counter (CKF_USER_PIN_*)."""

    FULL = "full"
    COUNT_LOW = "count-low"
    FINAL_TRY = "final-try"
    LOCKED = "locked"


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """Something a token shows to anybody: SHA-256 of a certificate, or of a public key's number, and its CKA_ID."""

    key_id: bytes
    sha256: bytes


class Identity(msgspec.Struct, frozen=True, array_like=True):
    """What a token is known by, without its PIN. Empty: nothing is known yet."""

    serial: str = ""
    marks: list[Mark] = []


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """START: which token, and where the PIN is to be found. Holds no secret.

    label, serial, uri: the token must match each that is not empty. kept_keys_max: keys of the store that a session holds at once;
    kept_key_idle_s: and how long unused.
    lock_path: file locked while a process initialises and logs in. softhsm_token_directory, safe_copy_directory: empty for other modules.
    known: what it was known by when it was last ready. keep_alive_s: an idle session is used this often, 0 for never. look_s: pause between
    two looks for a token that is not there; 0: the worker leaves at once. network: whether the module reaches its token over one.
    """

    name: str
    module: str
    label: str
    serial: str
    uri: str = ""
    pin: str
    sessions: int
    kept_keys_max: int
    kept_key_idle_s: float
    lock_path: str
    softhsm_token_directory: str
    safe_copy_directory: str
    log_level: str
    pin_caution: PinCaution = PinCaution.COUNT_LOW
    known: Identity = Identity()
    keep_alive_s: float = 0.0
    look_s: float = 0.0
    network: bool = False


class FoundKey(msgspec.Struct, frozen=True, kw_only=True):
    """A private key on the token with what shares its CKA_ID.

    public_key: SubjectPublicKeyInfo DER, empty when neither certificate nor public key object tells it. problems: why it can't sign.
    """

    key_id: bytes
    label: str
    family: KeyFamily | None
    bits: int
    certificates: list[bytes]
    public_key: bytes
    problems: list[Problem]


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """READY: the token as this worker found it.

    orphan_certificates: certificates without a private key, by subject. pin_count: before this login. mechanisms: by name, `CKM_RSA_PKCS`.
    """

    label: str
    serial: str
    model: str
    manufacturer: str
    slot: int
    keys: list[FoundKey]
    orphan_certificates: list[str]
    restored_files: list[str]
    identity: Identity = Identity()
    pin_count: PinCount = PinCount.FULL
    mechanisms: list[str] = []


class SignItem(msgspec.Struct, frozen=True, array_like=True):
    """One digest to sign. job_id is the daemon's."""

    job_id: int
    key_id: bytes
    algorithm: SignatureAlgorithm
    digest: bytes


class SignCall(msgspec.Struct, frozen=True, array_like=True):
    """CALL: digests, signed in this order. kept: the keys among theirs that the worker can't know from its token's inventory."""

    items: list[SignItem]
    kept: list[KeptKey] = []


class SignAnswer(msgspec.Struct, frozen=True, array_like=True):
    """The outcome of one item: a verified signature, or a reason and message with signature empty. sign_s: time inside the token."""

    job_id: int
    signature: bytes
    sign_s: float
    reason: str = ""
    message: str = ""
    ckr: str = ""


class SignReply(msgspec.Struct, frozen=True, array_like=True):
    """REPLY: some of a call's answers, as they became ready."""

    answers: list[SignAnswer]
