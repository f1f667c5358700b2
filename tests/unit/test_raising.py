"""What a document worker says counts for nothing until it was verified: chains that are not what they seem make nobody call anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from signer.documents.wire import Chain, Trust
from signer.errors import InternalError, SignerError, VerificationFailed
from signer.pipeline.raising import path_of
from tests.support import pki

NOW = datetime.now(UTC)
STRANGER = pki.issue("Stranger CA", pki.rsa_key(130), is_ca=True)
MALLORY = pki.issue("Mallory", pki.rsa_key(1), STRANGER)
TEACHER = pki.issue("Teacher", pki.rsa_key(1), pki.authority())
TSA_ROOT = pki.issue("TSA Root", pki.rsa_key(131), is_ca=True)
TRUST = Trust(
    signing=(pki.root().der,), timestamping=(pki.root().der, TSA_ROOT.der), intermediates=(pki.authority().der,), allow_sha1=False
)


def chain(*certificates: pki.Issued, covered: int | None = None, is_timestamp: bool = False, at: str = NOW.isoformat()) -> Chain:
    count = len(certificates) - 1 if covered is None else covered
    encoded = tuple(each.der for each in certificates)
    return Chain(certificates=encoded, is_timestamp=is_timestamp, at=at, covered=(False,) * count)


def test_an_honest_chain_is_a_path_with_its_questions() -> None:
    path = path_of(chain(TEACHER, pki.authority(), pki.root()), TRUST)
    assert [question.certificate for question in path.questions] == [TEACHER.x509, pki.authority().x509]


LIES: dict[str, tuple[type[SignerError], Callable[[], Chain]]] = {
    "to nobody": (VerificationFailed, lambda: chain(MALLORY, STRANGER)),
    "an anchor put behind": (VerificationFailed, lambda: chain(MALLORY, STRANGER, pki.root())),
    "an anchor put beside": (VerificationFailed, lambda: chain(MALLORY, pki.authority(), pki.root())),
    "one more in between": (VerificationFailed, lambda: chain(TEACHER, STRANGER, pki.authority(), pki.root())),
    "too few answers": (InternalError, lambda: chain(TEACHER, pki.authority(), pki.root(), covered=1)),
    "another kind's anchor": (VerificationFailed, lambda: chain(pki.issue("x", pki.rsa_key(1), TSA_ROOT), TSA_ROOT)),
    "empty": (InternalError, chain),
    "no time": (InternalError, lambda: chain(TEACHER, pki.authority(), pki.root(), at="yesterday")),
    "no zone": (InternalError, lambda: chain(TEACHER, pki.authority(), pki.root(), at="2026-01-01T00:00:00")),
    "long ago": (VerificationFailed, lambda: chain(TEACHER, pki.authority(), pki.root(), at="1999-01-01T00:00:00+00:00")),
    "no certificates": (InternalError, lambda: Chain(certificates=(b"x", b"y"), is_timestamp=False, at=NOW.isoformat(), covered=(False,))),
}


@pytest.mark.parametrize(("kind", "make"), LIES.values(), ids=LIES)
def test_a_chain_that_is_not_what_it_seems_is_refused(kind: type[SignerError], make: Callable[[], Chain]) -> None:
    with pytest.raises(kind):
        path_of(make(), TRUST)


def test_timestamps_have_anchors_of_their_own() -> None:
    stamped = chain(pki.issue("x", pki.rsa_key(1), TSA_ROOT), TSA_ROOT, is_timestamp=True)
    assert path_of(stamped, TRUST).certificates[-1] == TSA_ROOT.x509
