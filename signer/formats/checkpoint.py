"""Checkpoints of a log as signed notes (C2SP tlog-checkpoint and signed-note), their signature a detached CMS (RFC 5652).

    signer.so-gddt.example/journal        origin: which log
    3051                                  how many entries it has
    qINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=      root over them (RFC 9162), base64

    — signer.so-gddt.example/journal 2Bzr4z…

The text is what is signed: all up to the blank line, its last newline included. The line after it names the key: four bytes of its id, then
the signature. signed-note leaves types above its own to others, who name them by an identifier (0xff): ours is a CMS that holds its
certificates, so a witness needs nothing but the CA, and `openssl cms -verify` judges it.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from signer.errors import InvalidArgument
from signer.formats.merkle import HASH_BYTES

NOTE_BYTES_MAX: Final = 64 * 1024
_SIGNATURE_TYPE: Final = b"\xff" + b"detached CMS (RFC 5652) over the text of a note"
_KEY_ID_BYTES: Final = 4
_NAME: Final = re.compile(r"[^\s+]{1,256}")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's size and root at a time. origin: names the log, without white space and `+`."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint with its signature. cms: detached, over the checkpoint's text, DER."""

    checkpoint: Checkpoint
    key_id: bytes
    cms: bytes

    @property
    def note(self) -> str:
        """As it is published."""
        return f"{self.checkpoint.text}\n— {self.checkpoint.origin} {b64encode(self.key_id + self.cms).decode()}\n"


def key_id(origin: str, public_key: bytes) -> bytes:
    """What names a key in a note. public_key: SubjectPublicKeyInfo, DER."""
    return sha256(origin.encode() + b"\n" + _SIGNATURE_TYPE + public_key).digest()[:_KEY_ID_BYTES]


def is_origin(text: str) -> bool:
    """Whether it can name a log."""
    return _NAME.fullmatch(text) is not None


def read_note(note: str) -> SignedCheckpoint:
    """A checkpoint of ours as it was published; nothing of it is believed yet. InvalidArgument for anything else."""
    text, _, signatures = note.partition("\n\n")
    lines = text.split("\n")
    if len(note) > NOTE_BYTES_MAX or len(lines) != 3 or not is_origin(lines[0]) or not _SIZE.fullmatch(lines[1]):  # noqa: PLR2004
        raise InvalidArgument("is no checkpoint: origin, size and root, a line each, then a blank line and the signature", field="note")
    root = _unbase64(lines[2])
    if len(root) != HASH_BYTES:
        raise InvalidArgument(f"a checkpoint's root has {HASH_BYTES} bytes", field="note")
    start = f"— {lines[0]} "
    ours = [_unbase64(line.removeprefix(start)) for line in signatures.splitlines() if line.startswith(start)]
    if len(ours) != 1 or len(ours[0]) <= _KEY_ID_BYTES:
        raise InvalidArgument(f"a checkpoint has one signature line that begins with {start!r}", field="note")
    return SignedCheckpoint(Checkpoint(lines[0], int(lines[1]), root), ours[0][:_KEY_ID_BYTES], ours[0][_KEY_ID_BYTES:])


def read_notes(notes: str) -> list[SignedCheckpoint]:
    """Notes one after the other, a blank line between them, as a witness file has them. InvalidArgument as `read_note`."""
    parts = notes.strip("\n").split("\n\n")
    return [read_note("\n\n".join(parts[at : at + 2])) for at in range(0, len(parts), 2)]


def _unbase64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError) as error:
        raise InvalidArgument("a checkpoint's root and signature are base64", field="note") from error
