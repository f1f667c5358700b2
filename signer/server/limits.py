"""Limits that several methods share; each is answered with a reason of its own."""

from __future__ import annotations

from signer.errors import DocumentTooLarge


def require_size(size_bytes: int, limit_bytes: int) -> None:
    """DocumentTooLarge beyond the limit."""
    if size_bytes > limit_bytes:
        raise DocumentTooLarge(
            f"the document has {size_bytes} bytes, the limit is {limit_bytes} (server.limits.document_bytes_max)", limitBytes=limit_bytes
        )
