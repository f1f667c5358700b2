"""What a PDF parser can raise, as our errors: one table.

pyHanko raises ValueError, KeyError, AssertionError, RecursionError, struct.error and more on broken input beside its own errors (design:
findings). Whatever is not in the table means damage. Messages name the cause and the next step, and hold nothing of the document;
the parser's own exception stays chained for debugging and must not be logged with its text. The parser's loggers, which write names from
certificates and documents, are cut off for the same reason.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pyhanko.pdf_utils.crypt import PdfKeyNotAvailableError
from pyhanko.pdf_utils.misc import PdfDecodeLimitError
from pyhanko.sign.general import SigningError

from signer.errors import (
    DocumentDamaged,
    DocumentEncrypted,
    DocumentError,
    DocumentTooCostly,
    DocumentUnsupported,
    SignerError,
)

ENCRYPTED: Final = "the PDF is encrypted; remove the encryption and send it again"
_DAMAGED: Final = "the PDF's structure is broken or truncated; export it again from its source"
_TABLE: Final[tuple[tuple[type[Exception], type[DocumentError], str], ...]] = (
    (PdfKeyNotAvailableError, DocumentEncrypted, ENCRYPTED),
    (PdfDecodeLimitError, DocumentTooCostly, "a stream of the PDF unpacks to more than the limit; export it again from its source"),
    (MemoryError, DocumentTooCostly, "reading the PDF takes more memory than the limit; export it again from its source"),
    (RecursionError, DocumentDamaged, "the PDF is nested too deeply to be read; export it again from its source"),
    (SigningError, DocumentUnsupported, "the signature field's own rules (seed values, lock) can't be kept; use another field"),
)

for _name in ("pyhanko", "pyhanko_certvalidator"):
    logging.getLogger(_name).addHandler(logging.NullHandler())
    logging.getLogger(_name).propagate = False


@contextmanager
def refusals() -> Iterator[None]:
    """Let our errors through and turn every other exception into the leaf that says why the document is refused."""
    try:
        yield
    except SignerError:
        raise
    except Exception as error:
        for kind, refusal, message in _TABLE:
            if isinstance(error, kind):
                raise refusal(message) from error
        raise DocumentDamaged(_DAMAGED) from error
