"""Entries as bytes: RFC 8785 canonical JSON (members sorted, no spaces, UTF-8), strings and integers only, hashed as RFC 9162 leaves.

The bytes stored are the bytes hashed: a verifier needs no re-encoding. Binary values are lower-case hexadecimal, times RFC 3339 UTC with
microseconds. Members stand in alphabetical order in the classes below, which is what makes the encoding canonical.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

CHAIN_PREFIX = b"\x02"
"""Chain hash = SHA-256(0x02 || previous chain hash || leaf hash); 0x02 keeps it apart from the Merkle tree's leaves and nodes."""
CHAIN_START = sha256().digest()
"""The chain hash before entry 0: RFC 9162's hash of the empty tree."""
INTENT = "intent"
NOTE = "note"


class IntentEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A key is about to be used, or a document to be raised: then algorithm, certificate and credential are empty.

    actingFor, role, subject, delegation: of a record's signature; left out of other entries. authorization: under which the
    key's holder allowed it; left out where none is needed.
    """

    acting_for: str = msgspec.field(default="", name="actingFor")
    algorithm: str
    at: str
    attempt: int
    authorization: str = ""
    certificate: str
    client: str
    credential: str
    delegation: str = ""
    digest: str
    document: str
    fingerprint: str
    index: int
    kind: str
    plan: str
    record: str = ""
    request: str
    role: str = ""
    school: str
    subject: str = ""


class OutcomeEntry(msgspec.Struct, frozen=True):
    """How an attempt ended; `follows` is the index of its intent, or of its parked outcome."""

    at: str
    attempt: int
    detail: str
    document: str
    follows: int
    index: int
    kind: str
    material: str
    request: str
    school: str
    signature: str


class NoteEntry(msgspec.Struct, frozen=True):
    """Something else worth remembering."""

    at: str
    detail: dict[str, str | int]
    index: int
    kind: str
    note: str
    subject: str


encode = msgspec.json.Encoder().encode
"""An entry's canonical bytes; a note's detail must come sorted."""


class EntryHead(msgspec.Struct):
    """What every entry has."""

    at: str
    index: int
    kind: str


decode_head = msgspec.json.Decoder(EntryHead).decode
"""The head of an entry's bytes; raises msgspec.DecodeError (or its ValidationError) when they aren't an entry."""


def decode(body: bytes) -> dict[str, Any]:
    """An entry's members."""
    members: dict[str, Any] = msgspec.json.decode(body)
    return members


def chain_hash(previous: bytes, leaf: bytes) -> bytes:
    """The chain's hash after the entry whose leaf hash is `leaf`."""
    return sha256(CHAIN_PREFIX + previous + leaf).digest()
