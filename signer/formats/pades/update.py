"""The incremental update as bytes: what a document worker prepared, checked, hashed and completed by the daemon.

An update looks like this; the offsets of /ByteRange count from the start of the whole file (ISO 32000-2 12.8.1):

    12 0 obj << … /Contents <0000…0000> /ByteRange [0 a b c] … >> endobj … startxref … %%EOF
                            ^ a: offset of '<'
                                       ^ b: offset after '>'; c: bytes from there to the end

Rules:
- /ByteRange stands right after the hole, separated by white space only: whoever writes an update (the complete path, later the fast
  one) puts it there, so that `check` needs no parser;
- the daemon trusts nothing of a `PreparedUpdate` that came from a worker until `check` has passed.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from signer.algorithms import DigestAlgorithm
from signer.errors import InternalError

_CONTENTS_KEY = re.compile(rb"/Contents[\x00\t\n\f\r ]*<\Z")
_BYTE_RANGE = re.compile(rb">[\x00\t\n\f\r ]*/ByteRange[\x00\t\n\f\r ]*\[ *(\d{1,20}) +(\d{1,20}) +(\d{1,20}) +(\d{1,20}) *\]")
_KEY_WINDOW_BYTES = 32


@dataclass(frozen=True, slots=True)
class PreparedUpdate:
    """An update that is complete but for the hole in /Contents.

    update: the bytes to append to the original. contents_offset: offset in `update` of the hole's first hex digit.
    contents_digits: number of hex digits, two a byte.
    """

    update: bytes
    contents_offset: int
    contents_digits: int

    @property
    def contents_end(self) -> int:
        """Offset in `update` of the '>' that ends the hole."""
        return self.contents_offset + self.contents_digits


@dataclass(frozen=True, slots=True)
class SourceAndRange:
    """source_sha256: SHA-256 of the original. byte_range_digest: what the signature signs, in the algorithm asked for."""

    source_sha256: bytes
    byte_range_digest: bytes


def check(original_length: int, prepared: PreparedUpdate) -> None:
    """Make sure that the update's /ByteRange covers every byte but the hole, and that the hole is empty.

    Args:
        original_length: bytes of the document before the update.
        prepared: what the worker sent.

    Raises:
        InternalError: the worker's answer is not what our code makes; nothing may be signed from it.
    """
    _check_hole(prepared)
    hole_start = original_length + prepared.contents_offset - 1
    hole_end = original_length + prepared.contents_end + 1
    file_length = original_length + len(prepared.update)
    found = _BYTE_RANGE.match(prepared.update, prepared.contents_end)
    if found is None:
        raise InternalError("the prepared update has no /ByteRange right after its hole; the document was not signed")
    if tuple(int(number) for number in found.groups()) != (0, hole_start, hole_end, file_length - hole_end):
        raise InternalError("the prepared update's /ByteRange does not cover the whole file; the document was not signed")


def _check_hole(prepared: PreparedUpdate) -> None:
    update, start, digits = prepared.update, prepared.contents_offset, prepared.contents_digits
    if not (start > 0 and digits > 0 and digits % 2 == 0 and prepared.contents_end < len(update)):
        raise InternalError("the prepared update's hole lies outside of it; the document was not signed")
    if _CONTENTS_KEY.search(update, max(0, start - _KEY_WINDOW_BYTES), start) is None:
        raise InternalError("the prepared update's hole is not the value of /Contents; the document was not signed")
    if update[start : prepared.contents_end] != b"0" * digits:
        raise InternalError("the prepared update's hole is not empty; the document was not signed")


def byte_range_digest(source: hashlib._Hash, original: bytes, prepared: PreparedUpdate, digest_algorithm: DigestAlgorithm) -> bytes:
    """What the signature signs: the digest of every byte but the hole.

    Args:
        source: SHA-256 state after the whole original; left as it is. With SHA-256 the original is not hashed a second time.
        original: the document before the update.
        prepared: a checked update.
        digest_algorithm: of the signature.
    """
    covered = source.copy() if digest_algorithm is DigestAlgorithm.SHA256 else hashlib.new(digest_algorithm.value, original)
    update = memoryview(prepared.update)
    covered.update(update[: prepared.contents_offset - 1])
    covered.update(update[prepared.contents_end + 1 :])
    return covered.digest()


def digests(original: bytes, prepared: PreparedUpdate, digest_algorithm: DigestAlgorithm) -> SourceAndRange:
    """Hash the document for the journal and the byte range for the signature."""
    source = hashlib.sha256(original)
    return SourceAndRange(source.digest(), byte_range_digest(source, original, prepared, digest_algorithm))


def splice(prepared: PreparedUpdate, cms: bytes) -> bytes:
    """Fill the hole with the CMS (hex, padded with zeros) and return the finished update.

    Raises:
        InternalError: the CMS is larger than the room that was reserved for it.
    """
    reserved_bytes = prepared.contents_digits // 2
    if len(cms) > reserved_bytes:
        raise InternalError(f"a CMS of {len(cms)} bytes does not fit the {reserved_bytes} bytes reserved for it; reserve more")
    digits = cms.hex().encode("ascii").ljust(prepared.contents_digits, b"0")
    return prepared.update[: prepared.contents_offset] + digits + prepared.update[prepared.contents_end :]
