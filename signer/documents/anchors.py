"""Whom to believe, parsed once: a worker is told the same for document after document."""

from __future__ import annotations

from functools import lru_cache

from signer.documents.wire import Trust
from signer.validation.trust import TrustAnchors


@lru_cache(maxsize=2)
def anchors(trust: Trust) -> TrustAnchors:
    """Anchors and intermediates as `validation` wants them."""
    return TrustAnchors(trust.signing, trust.timestamping, trust.intermediates)
