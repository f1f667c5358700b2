from __future__ import annotations

import zlib

from signer.errors import JournalDamaged

RAW, ZLIB = 0, 1
_BYTES_MIN = 512
_ZERO_RUN = bytes(64)
_ZERO_SHARE_MIN = 3  # compressed when at least a third is runs of zeros


def pack(content: bytes) -> tuple[int, bytes]:
    """Encoding and bytes to store.

    Padding shrinks, DER and signature values don't, and trying costs 0.1 ms on 6 KB: so the share of zeros decides, and the run-length
    strategy (half the time of the default, same size on padding) does the work.
    """
    if len(content) < _BYTES_MIN or content.count(_ZERO_RUN) * len(_ZERO_RUN) * _ZERO_SHARE_MIN < len(content):
        return RAW, content
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    return ZLIB, packer.compress(content) + packer.flush()


def unpack(encoding: int, content: bytes) -> bytes:
    """What `pack` was given.

    Raises:
        JournalDamaged: the stored bytes are no longer what was written.
    """
    if encoding == RAW:
        return content
    try:
        return zlib.decompress(content)
    except zlib.error as error:
        raise JournalDamaged("stored signature material is damaged: verify the journal") from error
