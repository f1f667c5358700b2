"""OCSP answers and CRLs, judged: honest ones are believed, each lie is refused by the check that should catch it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import ocsp as x509_ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.errors import CertificateRevoked, VerificationFailed
from signer.formats.status import crl, ocsp
from signer.formats.status.answer import AnswerKind, AnswerRefused, Terms
from signer.formats.status.path import find_path, verified_path
from signer.formats.status.question import Question
from tests.support import cas, pki

NOW = datetime.now(UTC).replace(microsecond=0)
RECENTLY = NOW - timedelta(minutes=1)
"""A test may run long after NOW was."""
TERMS = Terms(at=NOW, now=NOW)
CRL_URL = "http://ca.example/a.crl"
REVOKED = x509_ocsp.OCSPCertStatus.REVOKED
UNKNOWN = x509_ocsp.OCSPCertStatus.UNKNOWN


@cache
def leaf(number: int = 1) -> pki.Issued:
    extensions = cas.places("http://ocsp.example/", CRL_URL)
    return pki.issue(f"Teacher {number} (DEMO)", pki.rsa_key(1), pki.authority(), extensions=extensions)


def question(of: pki.Issued | None = None) -> Question:
    return Question((of or leaf()).x509, pki.authority().x509)


def answer(**how: object) -> bytes:
    return cas.ocsp_answer(leaf().x509, pki.authority(), **({"at": RECENTLY} | how))  # type: ignore[arg-type]


STRANGER = pki.rsa_key(120)
HONEST: dict[str, Callable[[], bytes]] = {
    "by the CA": answer,
    "by a delegate": lambda: answer(responder=cas.responder_of(pki.authority())),
    "without nextUpdate": lambda: answer(good_for=None),
    "made in advance": lambda: answer(at=NOW - timedelta(hours=20)),
}


@pytest.mark.parametrize("make", HONEST.values(), ids=HONEST)
def test_an_honest_ocsp_answer_is_believed(make: Callable[[], bytes]) -> None:
    encoded = make()
    judged = ocsp.judge(encoded, question(), TERMS)
    assert judged.kind is AnswerKind.OCSP
    assert judged.encoded == encoded
    assert judged.this_update <= NOW < judged.good_until


LIES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "no answer": ("encoding", lambda: b"<html>log in</html>"),
    "cut short": ("encoding", lambda: answer()[:-40]),
    "try later": ("refused", lambda: bytes.fromhex("30030a0103")),
    "unknown to it": ("refused", lambda: answer(status=UNKNOWN)),
    "another certificate": ("certificate", lambda: cas.ocsp_answer(leaf(2).x509, pki.authority(), at=RECENTLY)),
    "the same serial of another CA": (
        "certificate",
        lambda: cas.ocsp_answer(
            pki.issue("x", pki.rsa_key(1), pki.root(), serial_number=leaf().x509.serial_number).x509,
            pki.root(),
            responder=pki.authority(),
            at=RECENTLY,
        ),
    ),
    "stale": ("time", lambda: answer(at=NOW - timedelta(days=3))),
    "stale without nextUpdate": ("time", lambda: answer(at=NOW - timedelta(days=3), good_for=None)),
    "from the future": ("time", lambda: answer(at=NOW + timedelta(hours=1))),
    "signed by a stranger": ("signature", lambda: answer(responder=impostor(), embed=False)),
    "another CA's delegate": ("signer", lambda: answer(responder=cas.responder_of(pki.root()))),
    "a teacher as delegate": ("signer", lambda: answer(responder=leaf(3))),
    "a delegate for something else": (
        "signer",
        lambda: answer(responder=cas.responder_of(pki.authority(), usages=(ExtendedKeyUsageOID.TIME_STAMPING,))),
    ),
    "a delegate of unknown status": ("signer", lambda: answer(responder=cas.responder_of(pki.authority(), no_check=False))),
    "a delegate expired": (
        "signer",
        lambda: answer(responder=cas.responder_of(pki.authority(), not_after=NOW - timedelta(days=1))),
    ),
    "a delegate not sent": ("signer", lambda: answer(responder=cas.responder_of(pki.authority()), embed=False)),
}


@pytest.mark.parametrize(("check", "make"), LIES.values(), ids=LIES)
def test_an_ocsp_lie_is_refused_by_its_check(check: str, make: Callable[[], bytes]) -> None:
    with pytest.raises(AnswerRefused) as refused:
        ocsp.judge(make(), question(), TERMS)
    assert refused.value.check == check, refused.value.text


def test_a_revoked_certificate_is_told_as_such_and_when() -> None:
    with pytest.raises(CertificateRevoked) as told:
        ocsp.judge(answer(status=REVOKED), question(), TERMS)
    assert told.value.metadata["serial"] == f"{leaf().x509.serial_number:x}"
    assert told.value.metadata["revocationTime"]


def test_a_stranger_can_revoke_nothing() -> None:
    with pytest.raises(AnswerRefused):
        ocsp.judge(answer(status=REVOKED, responder=impostor(), embed=False), question(), TERMS)


def test_sha1_is_taken_where_it_is_allowed_alone(tmp_path: Path) -> None:
    encoded = cas.OpensslOcsp(tmp_path, pki.authority()).answer(leaf().x509, "sha1")
    later = datetime.now(UTC)
    assert ocsp.judge(encoded, question(), Terms(at=later, now=later, allow_sha1=True))
    with pytest.raises(AnswerRefused) as refused:
        ocsp.judge(encoded, question(), Terms(at=later, now=later))
    assert refused.value.check == "signature"


def test_an_old_answer_is_good_for_its_own_time() -> None:
    old = answer(at=NOW - timedelta(days=30))
    assert ocsp.judge(old, question(), Terms(at=NOW - timedelta(days=29, hours=12), now=NOW))


def idp(**how: object) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    fields: dict[str, object] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    } | how
    return ((x509.IssuingDistributionPoint(**fields), True),)  # type: ignore[arg-type]


def named(url: str) -> list[x509.GeneralName]:
    return [x509.UniformResourceIdentifier(url)]


def list_(**how: object) -> crl.Crl:
    return crl.Crl.read(cas.crl(pki.authority(), **({"at": RECENTLY} | how)))  # type: ignore[arg-type]


@pytest.mark.parametrize("extensions", [(), idp(only_contains_user_certs=True), idp(full_name=named(CRL_URL))])
def test_an_honest_crl_is_believed(extensions: tuple[tuple[x509.ExtensionType, bool], ...]) -> None:
    judged = crl.judge(list_(extensions=extensions), question(), TERMS)
    assert judged.kind is AnswerKind.CRL
    assert judged.this_update <= NOW < judged.good_until


CRL_LIES: dict[str, tuple[str, Callable[[], crl.Crl]]] = {
    "another CA's": ("certificate", lambda: crl.Crl.read(cas.crl(pki.root(), at=RECENTLY))),
    "signed by a stranger": ("signature", lambda: list_(key=STRANGER)),
    "stale": ("time", lambda: list_(at=NOW - timedelta(days=9))),
    "from the future": ("time", lambda: list_(at=NOW + timedelta(hours=1))),
    "of CAs only": ("scope", lambda: list_(extensions=idp(only_contains_ca_certs=True))),
    "of another point": ("scope", lambda: list_(extensions=idp(full_name=named("http://ca.example/b.crl")))),
    "indirect": ("scope", lambda: list_(extensions=idp(indirect_crl=True))),
    "a delta": ("scope", lambda: list_(extensions=((x509.DeltaCRLIndicator(1), True),))),
    "no CRL": ("encoding", lambda: crl.Crl.read(b"<html>")),
}


@pytest.mark.parametrize(("check", "make"), CRL_LIES.values(), ids=CRL_LIES)
def test_a_crl_that_does_not_stand_up_is_refused_by_its_check(check: str, make: Callable[[], crl.Crl]) -> None:
    with pytest.raises(AnswerRefused) as refused:
        crl.judge(make(), question(), TERMS)
    assert refused.value.check == check, refused.value.text


def test_a_crl_revokes_those_it_names_alone() -> None:
    with_both = list_(revoked=(leaf().x509.serial_number, 12345))
    with pytest.raises(CertificateRevoked):
        crl.judge(with_both, question(), TERMS)
    assert crl.judge(with_both, question(leaf(2)), TERMS)


def test_a_path_leads_over_what_came_along_to_an_anchor() -> None:
    path = find_path(leaf().x509, [leaf(2).x509, pki.authority().x509], [pki.root().x509], NOW)
    assert path.certificates == (leaf().x509, pki.authority().x509, pki.root().x509)
    assert [each.certificate for each in path.questions] == [leaf().x509, pki.authority().x509]


def test_sha1_is_taken_on_a_certificate_that_the_configuration_names_alone(tmp_path: Path) -> None:
    """The government's first generation: a CA certificate that its root signed with SHA-1."""
    commands = (
        "openssl req -x509 -newkey rsa:2048 -nodes -sha1 -keyout root.key -out root.pem -subj /CN=G1-Root -days 30",
        "openssl req -newkey rsa:2048 -nodes -keyout ca.key -out ca.csr -subj /CN=G1-CA -addext basicConstraints=critical,CA:true",
        "openssl x509 -req -in ca.csr -CA root.pem -CAkey root.key -sha1 -out ca.pem -days 20 -copy_extensions copy",
    )
    for command in commands:
        subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=True)
    root, ca = (x509.load_pem_x509_certificate((tmp_path / name).read_bytes()) for name in ("root.pem", "ca.pem"))
    key = load_pem_private_key((tmp_path / "ca.key").read_bytes(), None)
    teacher = pki.issue("Teacher", pki.rsa_key(1), pki.Issued(ca, key))  # type: ignore[arg-type]
    now = datetime.now(UTC)
    assert find_path(teacher.x509, [], [root], now, configured=[ca]).certificates == (teacher.x509, ca, root)
    assert verified_path([teacher.x509, ca, root], [root], now, configured=[ca]).questions
    with pytest.raises(VerificationFailed):
        find_path(teacher.x509, [ca], [root], now)
    with pytest.raises(VerificationFailed):
        verified_path([teacher.x509, ca, root], [root], now)


def test_an_anchor_itself_has_nothing_to_be_asked() -> None:
    assert find_path(pki.root().x509, [], [pki.root().x509], NOW).questions == ()


def impostor() -> pki.Issued:
    """The CA's name, another key."""
    return pki.issue("CA phục vụ các cơ quan Nhà nước (DEMO)", STRANGER, pki.root(), is_ca=True)


NO_PATHS: dict[str, Callable[[], tuple[x509.Certificate, list[x509.Certificate], datetime]]] = {
    "no issuer": lambda: (leaf().x509, [], NOW),
    "an impostor as issuer": lambda: (leaf().x509, [impostor().x509], NOW),
    "a teacher as issuer": lambda: (
        pki.issue("x", pki.rsa_key(2), leaf()).x509,
        [leaf().x509, pki.authority().x509],
        NOW,
    ),
    "expired": lambda: (leaf().x509, [pki.authority().x509], pki.NOT_AFTER + timedelta(days=1)),
    "self-signed": lambda: (pki.issue("Root G2 (DEMO)", STRANGER, is_ca=True).x509, [], NOW),
}


@pytest.mark.parametrize("make", NO_PATHS.values(), ids=NO_PATHS)
def test_what_no_anchor_vouches_for_has_no_path(make: Callable[[], tuple[x509.Certificate, list[x509.Certificate], datetime]]) -> None:
    certificate, others, at = make()
    with pytest.raises(VerificationFailed):
        find_path(certificate, others, [pki.root().x509], at)


def test_crossing_certificates_cannot_make_the_search_long() -> None:
    ring = [pki.issue("Ring (DEMO)", pki.rsa_key(1), pki.Issued(leaf().x509, pki.rsa_key(1)), is_ca=True).x509 for _ in range(30)]
    crossing = [pki.issue("Teacher 1 (DEMO)", pki.rsa_key(1), pki.Issued(ring[0], pki.rsa_key(1)), is_ca=True).x509 for _ in range(30)]
    with pytest.raises(VerificationFailed):
        find_path(ring[0], [*ring, *crossing], [pki.root().x509], NOW)


@pytest.mark.parametrize(
    "url",
    ["https://ca.example/", "ldap://ca.example/", "http://user@ca.example/", "file:///etc/passwd", "http:///x", "http://" + "a" * 2000],
)
def test_only_plain_http_addresses_are_ever_called(url: str) -> None:
    issued = pki.issue("x", pki.rsa_key(1), pki.authority(), extensions=cas.places(url, url))
    assert question(issued).ocsp_urls == question(issued).crl_urls == ()
