"""What tokens show, under the names and for the schools of the configuration, and what keeps each from signing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from signer.algorithms import KeyFamily, SignatureAlgorithm
from signer.errors import (
    AlgorithmUnsupported,
    CertificateExpired,
    CertificateNotYetValid,
    CertificateUnusable,
    CredentialNotFound,
    PinHeld,
    TokenUnavailable,
)
from signer.model import Problem, ProblemKind
from signer.tokens.chains import Issuers
from signer.tokens.credentials import CredentialTable
from signer.tokens.settings import CredentialSettings
from signer.tokens.wire import FoundKey, Ready
from tests.support import pki

NOW = datetime(2026, 5, 30, tzinfo=UTC)
KEY = pki.rsa_key(1)
LEAF = pki.issue("Hiệu trưởng (DEMO)", KEY, pki.authority())
ENTRY = CredentialSettings("cbql", "token", key_label="cbql", school="1")


def found(
    *certificates: pki.Issued | bytes,
    key: pki.Key = KEY,
    label: str = "cbql",
    key_id: bytes = b"\x01",
    problems: tuple[Problem, ...] = (),
    bits: int | None = None,
    with_public_key: bool = True,
) -> FoundKey:
    public = key.public_key()
    return FoundKey(
        key_id=key_id,
        label=label,
        family=KeyFamily.RSA if isinstance(public, rsa.RSAPublicKey) else KeyFamily.EC,
        bits=bits or public.key_size,
        certificates=[one if isinstance(one, bytes) else one.der for one in certificates],
        public_key=public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) if with_public_key else b"",
        problems=list(problems),
    )


def ready(*keys: FoundKey) -> Ready:
    return Ready(label="t", serial="1", model="m", manufacturer="f", slot=0, keys=list(keys), orphan_certificates=[], restored_files=[])


def table(*keys: FoundKey, entries: tuple[CredentialSettings, ...] = (ENTRY,)) -> CredentialTable:
    made = CredentialTable(entries, Issuers([pki.authority().x509, pki.root().x509]))
    made.refresh("token", ready(*keys))
    return made


def kinds(made: CredentialTable, now: datetime = NOW) -> list[ProblemKind]:
    (credential,) = made.list_for(["1"])
    return [problem.kind for problem in made.findings(credential, now)]


def test_a_key_with_its_certificate_is_a_credential_with_its_chain() -> None:
    made = table(found(LEAF))
    credential = made.resolve("cbql", "1")
    assert (credential.key_id, credential.certificate, credential.chain) == (b"\x01", LEAF.der, (pki.authority().der,))
    assert credential.algorithms[0] is SignatureAlgorithm.RSA_PKCS1_SHA256
    assert {algorithm.family for algorithm in credential.algorithms} == {KeyFamily.RSA}
    assert len(credential.algorithms) == 6
    assert kinds(made) == []
    validity = made.require_usable(credential, NOW)
    assert validity.serial == f"{LEAF.x509.serial_number:x}"


def test_the_first_algorithm_is_the_default_and_others_are_chosen_by_name() -> None:
    made = table(found(pki.issue("ec", pki.ec_key(1), pki.authority()), key=pki.ec_key(1)))
    credential = made.resolve("cbql", "1")
    assert made.choose_algorithm(credential, None) is SignatureAlgorithm.ECDSA_SHA256
    assert made.choose_algorithm(credential, SignatureAlgorithm.ECDSA_SHA384) is SignatureAlgorithm.ECDSA_SHA384
    with pytest.raises(AlgorithmUnsupported, match="it can: ecdsa-sha256"):
        made.choose_algorithm(credential, SignatureAlgorithm.RSA_PSS_SHA256)


def without_usage() -> bytes:
    """A certificate for encryption alone."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(pki.name("encryption"))
        .issuer_name(pki.authority().x509.subject)
        .public_key(KEY.public_key())
        .serial_number(7)
        .not_valid_before(pki.NOT_BEFORE)
        .not_valid_after(pki.NOT_AFTER)
    )
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=True,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return builder.add_extension(usage, critical=True).sign(pki.authority().key, SHA256()).public_bytes(Encoding.DER)


def odd_extension() -> bytes:
    """Parses as a certificate, but its key usage can't be decoded: an empty BIT STRING value of another type."""
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.15"), b"\x04\x00")
    builder = (
        x509.CertificateBuilder()
        .subject_name(pki.name("odd"))
        .issuer_name(pki.authority().x509.subject)
        .public_key(KEY.public_key())
        .serial_number(8)
        .not_valid_before(pki.NOT_BEFORE)
        .not_valid_after(pki.NOT_AFTER)
        .add_extension(odd, critical=True)
    )
    return builder.sign(pki.authority().key, SHA256()).public_bytes(Encoding.DER)


K = ProblemKind
FINDINGS: dict[str, tuple[Callable[[], list[FoundKey]], list[ProblemKind]]] = {
    "no certificate": (lambda: [found()], [K.CERTIFICATE_MISSING]),
    "no key": (lambda: [found(LEAF, label="other")], [K.KEY_MISSING]),
    "nothing at all": (list, [K.KEY_MISSING]),
    "two keys of one label": (lambda: [found(LEAF), found(LEAF, key_id=b"\x02")], [K.AMBIGUOUS]),
    "another key's certificate": (lambda: [found(pki.issue("x", pki.rsa_key(2), pki.authority()))], [K.KEY_MISMATCH]),
    "a certificate that is none": (lambda: [found(b"rubbish")], [K.CERTIFICATE_MISSING]),
    "rubbish beside the right one": (lambda: [found(b"rubbish", LEAF)], []),
    "another key's beside the right one": (lambda: [found(pki.issue("x", pki.rsa_key(2), pki.authority()), LEAF)], []),
    "two certificates that both fit": (lambda: [found(LEAF, pki.issue("renewed", KEY, pki.authority()))], [K.AMBIGUOUS]),
    "the same certificate twice": (lambda: [found(LEAF, LEAF)], []),
    "for encryption alone": (lambda: [found(without_usage())], [K.KEY_USAGE]),
    "undecodable usage": (lambda: [found(odd_extension())], [K.KEY_USAGE]),
    "a short RSA key": (lambda: [found(LEAF, bits=1024)], [K.KEY_UNSUPPORTED]),
    "what the worker found": (lambda: [found(LEAF, problems=(Problem(K.AMBIGUOUS, "two"),))], [K.AMBIGUOUS]),
    "expired": (lambda: [found(pki.issue("x", KEY, pki.authority(), not_after=NOW - timedelta(seconds=1)))], [K.EXPIRED]),
    "not yet valid": (lambda: [found(pki.issue("x", KEY, pki.authority(), not_before=NOW + timedelta(seconds=1)))], [K.NOT_YET_VALID]),
    "another curve": (
        lambda: [found(pki.issue("x", pki.ec_key(5, ec.SECP521R1), pki.authority()), key=pki.ec_key(5, ec.SECP521R1))],
        [K.KEY_UNSUPPORTED],
    ),
}


@pytest.mark.parametrize("name", list(FINDINGS))
def test_each_finding_is_told_and_keeps_the_credential_from_signing(name: str) -> None:
    keys, expected = FINDINGS[name]
    made = table(*keys())
    assert kinds(made) == expected
    credential = made.resolve("cbql", "1")
    if expected:
        with pytest.raises((CertificateUnusable, CertificateExpired, CertificateNotYetValid)):
            made.require_usable(credential, NOW)
    else:
        assert made.require_usable(credential, NOW)
        assert credential.certificate == LEAF.der


def test_validity_is_judged_at_the_moment_asked_for() -> None:
    made = table(found(LEAF))
    credential = made.resolve("cbql", "1")
    made.require_usable(credential, pki.NOT_AFTER)
    with pytest.raises(CertificateExpired, match="2034-01-01"):
        made.require_usable(credential, pki.NOT_AFTER + timedelta(seconds=1))
    with pytest.raises(CertificateNotYetValid, match="check the clock"):
        made.require_usable(credential, pki.NOT_BEFORE - timedelta(seconds=1))


def test_unknown_and_foreign_credentials_look_alike() -> None:
    made = table(found(LEAF), entries=(ENTRY, CredentialSettings("theirs", "token", key_label="theirs", school="2")))
    messages = []
    for name in ("theirs", "nobody"):
        with pytest.raises(CredentialNotFound) as caught:
            made.resolve(name, "1")
        messages.append(caught.value.message.replace(name, "…"))
    assert messages[0] == messages[1]
    with pytest.raises(CredentialNotFound):
        made.resolve("cbql", "")
    assert [credential.id for credential in made.list_for(["2"])] == ["theirs"]


def test_a_credential_of_a_token_never_seen_is_unavailable_or_says_what_holds_it() -> None:
    made = CredentialTable((ENTRY,), Issuers([]))
    with pytest.raises(TokenUnavailable):
        made.resolve("cbql", "1")
    made.hold("token", PinHeld("refused once"))
    with pytest.raises(PinHeld):
        made.resolve("cbql", "1")
    assert made.ids_on("token") == ["cbql"]


def test_a_credential_may_be_named_by_its_key_id_and_its_certificate_come_from_a_file(tmp_path: Path) -> None:
    for encoded in (LEAF.der, LEAF.pem, b"\n" + LEAF.pem):
        (tmp_path / "cbql.crt").write_bytes(encoded)
        entry = CredentialSettings("cbql", "token", key_id="01", school="1", certificate=tmp_path / "cbql.crt")
        made = table(found(label="whatever"), entries=(entry,))
        assert made.resolve("cbql", "1").certificate == LEAF.der
        assert kinds(made) == []


def test_a_certificate_file_that_is_gone_is_a_finding_and_harms_no_other_credential(tmp_path: Path) -> None:
    gone = CredentialSettings("gone", "token", key_label="other", school="1", certificate=tmp_path / "gone.crt")
    made = table(found(LEAF), found(LEAF, label="other", key_id=b"\x02"), entries=(gone, ENTRY))
    problems = {credential.id: [problem.kind for problem in credential.problems] for credential in made.list_for(["1"])}
    assert problems == {"gone": [K.CERTIFICATE_MISSING], "cbql": []}


def test_a_refresh_takes_in_what_changed_and_forgets_what_is_gone() -> None:
    made = table(found())
    assert kinds(made) == [K.CERTIFICATE_MISSING]
    made.refresh("token", ready(found(LEAF)))
    assert kinds(made) == []
    made.refresh("token", ready())
    assert kinds(made) == [K.KEY_MISSING]
    with pytest.raises(CertificateUnusable):
        made.require_usable(made.resolve("cbql", "1"), NOW)


def test_another_tokens_refresh_changes_nothing() -> None:
    made = table(found(LEAF))
    made.refresh("other-token", ready())
    assert kinds(made) == []


def test_keys_without_a_name_in_the_configuration_are_shown_as_unassigned() -> None:
    made = table(found(LEAF), found(label="stray", key_id=b"\xab"))
    assert made.unassigned["token"] == ["stray (CKA_ID ab)"]


def test_a_chain_goes_as_far_as_configured_and_leaves_the_root_out() -> None:
    leaf = LEAF.x509
    assert Issuers([]).path_of(leaf).issuers == ()
    assert Issuers([pki.root().x509]).path_of(leaf).issuers == ()
    assert Issuers([pki.authority().x509]).path_of(leaf).issuers == (pki.authority().der,)
    same_name = pki.issue("CA phục vụ các cơ quan Nhà nước (DEMO)", pki.rsa_key(55), pki.root(), is_ca=True)
    assert Issuers([same_name.x509, pki.authority().x509]).path_of(leaf).issuers == (pki.authority().der,), (
        "chosen by signature, not by name alone"
    )
