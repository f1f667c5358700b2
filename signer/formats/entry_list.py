"""Lists of digests, 32 bytes for each whole one (`people.authorization.ListBinding`). Pure.

    DIGEST  SHA-256("signer.v1.SignableDigest" || 0x00 || entry length, 4 bytes || count, 8 bytes || entries), numbers big-endian
    ROOT    the root of the entries' Merkle tree (`formats.merkle`), of which a single entry can be proved as well

Both fix every entry, their order and their number. What is hashed for a digest begins with a letter, what is hashed in a tree with 0x00 or
0x01: no list has a digest that is the root of another. A digest is one hash, a tree two for each entry: ten thousand take half a
millisecond or fifteen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final

from signer.formats.merkle import root_of_entries
from signer.people.authorization import ListBinding, SignableList

_DOMAIN: Final = b"signer.v1.SignableDigest\x00"


def digest_of_entries(entries: Sequence[bytes]) -> bytes:
    """SHA-256 over a list of one entry or more, all of one length, 32 bytes."""
    return sha256(b"".join((_DOMAIN, len(entries[0]).to_bytes(4), len(entries).to_bytes(8), *entries))).digest()


_FOLDS: Final[Mapping[ListBinding, Callable[[Sequence[bytes]], bytes]]] = {
    ListBinding.DIGEST: digest_of_entries,
    ListBinding.ROOT: root_of_entries,
}


def is_of(signable: SignableList, entries: Sequence[bytes]) -> bool:
    """Whether these entries are the list: all of it, in its order; of one length, else others could join to the same bytes."""
    if len(entries) != signable.count or len(set(map(len, entries))) != 1:
        return False
    return _FOLDS[signable.binding](entries) == signable.sha256
