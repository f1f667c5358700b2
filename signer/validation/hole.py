"""What a signature's /ByteRange leaves out (ISO 32000-2 12.8.1: the value of /Contents, exactly).

pyHanko 0.38 adds up lengths: a signature "covers the entire file" when both ranges and the length of /Contents come to the file's length.
Someone who appends a changed page, and with it a copy of the signature dictionary whose /Contents is padded by the length of the
addition, makes that sum come out, and the change is never looked at. So the hole itself is compared here, byte by byte; afterwards the
sum and the truth are the same.
"""

from __future__ import annotations

from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

_RANGE_NUMBERS = 4


def leaves_out_only_itself(signature: EmbeddedPdfSignature) -> bool:
    """Whether the hole holds this very /Contents as a hex string, between two ranges that begin at byte 0 and lie in the file."""
    numbers = [int(number) for number in signature.byte_range]
    if len(numbers) != _RANGE_NUMBERS:
        return False
    start, first, second, length = numbers
    document: bytes = signature.reader.stream.getvalue()
    if not (start == 0 < first < second <= second + length <= len(document)):
        return False
    return _unhexed(document[first:second]) == signature.pkcs7_content


def _unhexed(hole: bytes) -> bytes | None:
    """The value of a hex string with its brackets; None for anything else."""
    if not (hole.startswith(b"<") and hole.endswith(b">")):
        return None
    digits = b"".join(hole[1:-1].split())
    try:
        return bytes.fromhex(digits.decode("ascii") + "0" * (len(digits) % 2))
    except ValueError:
        return None
