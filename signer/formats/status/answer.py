from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final

from cryptography.hazmat.primitives import hashes

from signer.errors import CertificateRevoked

CLOCKS_APART_MAX: Final = timedelta(minutes=5)
"""How far a CA's clock may be from ours."""
_STRONG: Final = frozenset({"sha256", "sha384", "sha512"})
_WITH_SHA1: Final = _STRONG | {"sha1"}


class AnswerKind(Enum):
    """Who says it; the value is the `source` label of metrics."""

    OCSP = "ocsp"
    CRL = "crl"


@dataclass(frozen=True, slots=True)
class Answer:
    """A verified "not revoked".

    encoded: OCSPResponse or CertificateList, DER, as it came. this_update: since when it holds. good_until: to when it may be relied on.
    source: `ocsp:` or `crl:` and the address it came from; empty for one that a document held.
    """

    kind: AnswerKind
    encoded: bytes
    this_update: datetime
    good_until: datetime
    source: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """Which answers are taken.

    at: the moment the status is asked for: the answer is still good then, or made later. now: it was made before. age_max: how long an
    OCSP answer that names no end is good. allow_sha1: whether its signature may use SHA-1 (the government's first generation).
    """

    at: datetime
    now: datetime
    age_max: timedelta = timedelta(days=1)
    allow_sha1: bool = False


class AnswerRefused(Exception):
    """This answer can't be relied on. check: which test it failed, a label of metrics.

    encoding, refused (it answers nothing), certificate (another one's), time, signer, signature, scope (a CRL that is not about it).
    """

    def __init__(self, check: str, text: str) -> None:
        super().__init__(text)
        self.check = check
        self.text = text


@contextmanager
def refusing_what_is_no(kind: str) -> Iterator[None]:
    """A block that reads an answer. The parser is lazy and its errors differ by the field that is broken: all mean AnswerRefused."""
    try:
        yield
    except (AnswerRefused, CertificateRevoked):
        raise
    except Exception as unreadable:
        raise AnswerRefused("encoding", f"no {kind} in DER: {type(unreadable).__name__}") from unreadable


def check_time(this_update: datetime, good_until: datetime, terms: Terms) -> None:
    """AnswerRefused unless it was made by now and is still good at the moment asked for."""
    if this_update > terms.now + CLOCKS_APART_MAX:
        raise AnswerRefused("time", f"it is from the future: thisUpdate {_iso(this_update)}")
    if good_until + CLOCKS_APART_MAX < terms.at:
        raise AnswerRefused("time", f"it is stale: good until {_iso(good_until)}")


def check_digest(algorithm: hashes.HashAlgorithm | None, terms: Terms) -> None:
    """AnswerRefused for a signature whose digest is too weak, or not named."""
    name = algorithm.name if algorithm is not None else "none"
    if name not in (_WITH_SHA1 if terms.allow_sha1 else _STRONG):
        raise AnswerRefused("signature", f"it is signed with digest {name}, which is not accepted")


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
