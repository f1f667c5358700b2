"""A client's certificate that its CA revoked is nobody's. The lists are made by `openssl ca`."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from signer.access.callers import CallerTable
from signer.access.client_crls import ClientCrls, read_client_crls
from signer.access.settings import ClientSettings
from signer.errors import CallerUnknown, ConfigError
from tests.support.openssl_ca import OpensslCa

NOW = datetime.now(UTC)
CLIENTS = (ClientSettings("a", common_name="school"),)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> OpensslCa:
    made = OpensslCa(tmp_path_factory.mktemp("ca") / "it")
    for name in ("lost", "good"):
        made.client(name, "school")
    made.revoke("lost")
    return made


def authority(ca: OpensslCa) -> x509.Certificate:
    return x509.load_pem_x509_certificate((ca.folder / "ca.crt").read_bytes())


def read(ca: OpensslCa, *files: Path, accepts_expired: bool = False) -> ClientCrls:
    return read_client_crls(files, [authority(ca)], accepts_expired=accepts_expired)


def refusal(ca: OpensslCa, file: str, crls: ClientCrls, now: datetime = NOW) -> str:
    """Why it is nobody's; empty when it is the client's."""
    table = CallerTable(CLIENTS)
    table.configure(CLIENTS, crls)
    try:
        assert table.identify((ca.folder / f"{file}.crt").read_bytes(), now).client_id == "a"
    except CallerUnknown as refused:
        return refused.message
    return ""


def test_what_its_ca_revoked_is_nobodys_and_the_rest_is_as_it_was(ca: OpensslCa) -> None:
    crls = read(ca, ca.crl())
    assert "revoked by its CA" in refusal(ca, "lost", crls)
    assert refusal(ca, "good", crls) == ""
    assert refusal(ca, "lost", ClientCrls()) == "", "without lists nobody is asked"


def test_der_is_read_as_well(ca: OpensslCa, tmp_path: Path) -> None:
    der = tmp_path / "list.der"
    subprocess.run(["openssl", "crl", "-in", ca.crl(), "-outform", "DER", "-out", der], check=True)
    assert "revoked" in refusal(ca, "lost", read(ca, der))


def test_an_expired_list_refuses_all_of_its_ca_or_the_revoked_alone_as_the_configuration_says(ca: OpensslCa) -> None:
    ends = NOW.replace(microsecond=0) + timedelta(hours=1)
    file = ca.crl(ends)
    for accepts_expired, after in ((False, "clients.crl"), (True, "")):
        crls = read(ca, file, accepts_expired=accepts_expired)
        assert crls.next_update == ends
        assert refusal(ca, "good", crls, ends - timedelta(seconds=1)) == ""
        told = refusal(ca, "good", crls, ends)
        assert after in told
        assert bool(told) == (not accepts_expired)
        assert "revoked by its CA" in refusal(ca, "lost", crls, ends)


def test_of_two_lists_of_one_ca_the_later_end_counts_and_both_revoke(ca: OpensslCa, tmp_path: Path) -> None:
    old = tmp_path / "old.crl"
    old.write_bytes(ca.crl(NOW - timedelta(days=1)).read_bytes())
    crls = read(ca, old, ca.crl())
    assert refusal(ca, "good", crls) == ""
    assert "revoked" in refusal(ca, "lost", crls)


def test_certificates_of_another_ca_are_not_asked_about(ca: OpensslCa, tmp_path: Path) -> None:
    other = OpensslCa(tmp_path / "other", "Another CA")
    other.client("theirs", "school")
    assert refusal(other, "theirs", read(ca, ca.crl(NOW - timedelta(days=1)))) == ""


@pytest.mark.parametrize(
    ("spoil", "why"), [("missing", "can't be read"), ("garbage", "no certificate revocation list"), ("forged", "signed by no CA")]
)
def test_a_list_that_cannot_be_believed_is_refused_with_its_name(ca: OpensslCa, tmp_path: Path, spoil: str, why: str) -> None:
    """The forger's CA has the name of ours."""
    file = tmp_path / "list.crl"
    if spoil == "garbage":
        file.write_bytes((ca.folder / "ca.crt").read_bytes())
    elif spoil == "forged":
        file.write_bytes(OpensslCa(tmp_path / "forger").crl().read_bytes())
    with pytest.raises(ConfigError, match=why) as caught:
        read(ca, file)
    assert str(file) in caught.value.message


USERS_ONLY = x509.IssuingDistributionPoint(
    full_name=None,
    relative_name=None,
    only_contains_user_certs=True,
    only_contains_ca_certs=False,
    only_some_reasons=None,
    indirect_crl=False,
    only_contains_attribute_certs=False,
)


@pytest.mark.parametrize("narrowed", [x509.DeltaCRLIndicator(1), USERS_ONLY])
def test_a_list_that_does_not_speak_for_all_certificates_is_refused(ca: OpensslCa, tmp_path: Path, narrowed: x509.ExtensionType) -> None:
    """Believed as a whole one, a delta would let in everybody that the list before it revoked."""
    key = serialization.load_pem_private_key((ca.folder / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    built = x509.CertificateRevocationListBuilder(authority(ca).subject, NOW, NOW + timedelta(days=1)).add_extension(
        narrowed, critical=True
    )
    file = tmp_path / "narrow.crl"
    file.write_bytes(built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    with pytest.raises(ConfigError, match="delta, indirect or partial"):
        read(ca, file)
