from __future__ import annotations

from signer.algorithms import DigestAlgorithm
from signer.formats.xml.values import Examined


def examine_detached(content: bytes, uri: str, digest_algorithm: DigestAlgorithm, canonicalization: str) -> Examined:
    """A signature over bytes that stay a file of their own, named by `uri` (percent-encoded where need be). Parses nothing."""
    raise NotImplementedError
