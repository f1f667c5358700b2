import datetime as dt
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from signer.demo.certificate_profiles import LeafKind, Subject, Usage, Validity
from signer.demo.pem import write_certificates, write_crl, write_private_key
from signer.demo.pki import DemoPki
from signer.demo.tls_pki import TlsPki

PRINCIPAL = Subject(
    "Đặng Quốc Vượng (DEMO)",
    "DEMO - UBND Tỉnh Sao Khuê",
    ("Sở Giáo dục và Đào tạo", "TRƯỜNG TIỂU HỌC HOA GẠO"),
    "Tỉnh Sao Khuê",
)


@pytest.fixture(scope="module")
def pki() -> DemoPki:
    return DemoPki.create(key_bits=2048)


@pytest.fixture(scope="module")
def public_key() -> ec.EllipticCurvePublicKey:
    return ec.generate_private_key(ec.SECP256R1()).public_key()


@pytest.fixture(scope="module")
def trust(pki: DemoPki, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    directory = tmp_path_factory.mktemp("pki")
    root = write_certificates(directory / "root.pem", pki.root_certificate)
    subordinate = write_certificates(directory / "ca.pem", pki.subordinate_certificate)
    return ["-x509_strict", "-CAfile", str(root), "-untrusted", str(subordinate)]


def openssl_verify(leaf: Path, *options: str) -> str:
    done = subprocess.run(["openssl", "verify", *options, leaf], check=False, capture_output=True, text=True)
    return "OK" if done.returncode == 0 else done.stderr


@pytest.mark.parametrize("kind", LeafKind)
def test_openssl_chains_every_kind_of_leaf_to_the_root(
    pki: DemoPki, public_key: ec.EllipticCurvePublicKey, trust: list[str], tmp_path: Path, kind: LeafKind
) -> None:
    leaf = write_certificates(tmp_path / "leaf.pem", pki.issue_leaf(kind, PRINCIPAL, public_key))
    assert openssl_verify(leaf, *trust) == "OK"


@pytest.mark.parametrize("kind", LeafKind)
def test_openssl_accepts_only_the_tsa_for_timestamps(
    pki: DemoPki, public_key: ec.EllipticCurvePublicKey, trust: list[str], tmp_path: Path, kind: LeafKind
) -> None:
    leaf = write_certificates(tmp_path / "leaf.pem", pki.issue_leaf(kind, PRINCIPAL, public_key))
    verdict = openssl_verify(leaf, *trust, "-purpose", "timestampsign")
    assert (verdict == "OK") == (kind is LeafKind.TSA), verdict


def test_the_tsas_extended_key_usage_is_critical_and_alone(pki: DemoPki, public_key: ec.EllipticCurvePublicKey) -> None:
    extension = pki.issue_leaf(LeafKind.TSA, PRINCIPAL, public_key).extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert extension.critical
    assert list(extension.value) == [x509.oid.ExtendedKeyUsageOID.TIME_STAMPING]


def test_an_rsa_key_gets_a_leaf_too(pki: DemoPki, trust: list[str], tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    leaf = write_certificates(tmp_path / "leaf.pem", pki.issue_leaf(LeafKind.HOMEROOM_TEACHER, PRINCIPAL, key.public_key()))
    assert openssl_verify(leaf, *trust, "-purpose", "smimesign") == "OK"


@pytest.mark.parametrize("defect", ["certificate has expired", "certificate is not yet valid"])
def test_openssl_refuses_a_leaf_outside_its_validity(
    pki: DemoPki, public_key: ec.EllipticCurvePublicKey, trust: list[str], tmp_path: Path, defect: str
) -> None:
    validity = {"certificate has expired": Validity.expired, "certificate is not yet valid": Validity.not_yet}[defect](pki.now)
    certificate = pki.issue_leaf(LeafKind.PRINCIPAL, PRINCIPAL, public_key, validity=validity)
    assert defect in openssl_verify(write_certificates(tmp_path / "leaf.pem", certificate), *trust)


def test_a_leaf_for_encryption_may_not_sign(pki: DemoPki, public_key: ec.EllipticCurvePublicKey, trust: list[str], tmp_path: Path) -> None:
    certificate = pki.issue_leaf(LeafKind.PRINCIPAL, PRINCIPAL, public_key, usage=Usage.ENCRYPTION)
    leaf = write_certificates(tmp_path / "leaf.pem", certificate)
    assert openssl_verify(leaf, *trust, "-purpose", "smimesign") != "OK"
    assert not certificate.extensions.get_extension_for_class(x509.KeyUsage).value.content_commitment


def test_names_keep_their_order_and_letters_and_say_demo(pki: DemoPki, public_key: ec.EllipticCurvePublicKey) -> None:
    subject = Subject("Nguyễn Thị Thuỳ Dương (DEMO)", "TRƯỜNG TIỂU HỌC HOA GẠO", ("Tổ Một",), "Tỉnh Sao Khuê", uid="CCCD:000190000001")
    certificate = pki.issue_leaf(LeafKind.HOMEROOM_TEACHER, subject, public_key)
    parts = [str(attribute.value) for attribute in certificate.subject]
    assert parts == ["VN", "Tỉnh Sao Khuê", "TRƯỜNG TIỂU HỌC HOA GẠO", "Tổ Một", "Nguyễn Thị Thuỳ Dương (DEMO)", "CCCD:000190000001"]
    for authority in pki.chain:
        assert all("DEMO" in str(attribute.value) for attribute in authority.subject if attribute.oid != x509.NameOID.COUNTRY_NAME)


def test_a_revoked_leaf_is_refused_and_its_neighbour_is_not(
    pki: DemoPki, public_key: ec.EllipticCurvePublicKey, trust: list[str], tmp_path: Path
) -> None:
    revoked, good = (pki.issue_leaf(LeafKind.PRINCIPAL, PRINCIPAL, public_key) for _ in range(2))
    der = write_crl(tmp_path / "ca.crl", pki.crl([revoked]))
    crl = tmp_path / "crl.pem"
    subprocess.run(["openssl", "crl", "-inform", "DER", "-in", der, "-out", crl], check=True)
    check = [*trust, "-crl_check", "-CRLfile", str(crl)]
    assert "certificate revoked" in openssl_verify(write_certificates(tmp_path / "revoked.pem", revoked), *check)
    assert openssl_verify(write_certificates(tmp_path / "good.pem", good), *check) == "OK"


def test_the_subordinate_ca_may_issue_leaves_only(pki: DemoPki) -> None:
    constraints = pki.subordinate_certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)


def test_the_root_vouches_that_its_subordinate_is_not_revoked(pki: DemoPki) -> None:
    crl = pki.root_crl()
    assert crl.is_signature_valid(pki.root.key.public_key())
    assert crl.get_revoked_certificate_by_serial_number(pki.subordinate_certificate.serial_number) is None


@pytest.fixture(scope="module")
def tls() -> TlsPki:
    return TlsPki.create()


def test_the_servers_certificate_is_good_for_local_names_and_addresses(tls: TlsPki, tmp_path: Path) -> None:
    ca = ["-x509_strict", "-CAfile", str(write_certificates(tmp_path / "ca.pem", tls.certificate)), "-purpose", "sslserver"]
    server, _ = tls.server().write_pem(tmp_path, "server")
    for name in (["-verify_hostname", "localhost"], ["-verify_ip", "127.0.0.1"], ["-verify_ip", "::1"]):
        assert openssl_verify(server, *ca, *name) == "OK"
    assert openssl_verify(server, *ca, "-verify_hostname", "elsewhere.invalid") != "OK"


def test_a_client_certificate_is_a_clients_and_no_servers(tls: TlsPki, tmp_path: Path) -> None:
    ca = ["-x509_strict", "-CAfile", str(write_certificates(tmp_path / "ca.pem", tls.certificate))]
    client, _ = tls.client("school-software.demo").write_pem(tmp_path, "client")
    assert openssl_verify(client, *ca, "-purpose", "sslclient") == "OK"
    assert openssl_verify(client, *ca, "-purpose", "sslserver") != "OK"


def test_a_tls_client_can_be_expired_for_tests(tls: TlsPki, tmp_path: Path) -> None:
    ca = ["-CAfile", str(write_certificates(tmp_path / "ca.pem", tls.certificate))]
    client, _ = tls.client("late.demo", validity=Validity.expired(tls.now)).write_pem(tmp_path, "client")
    assert "certificate has expired" in openssl_verify(client, *ca)


def test_private_keys_are_readable_by_their_owner_only_even_over_an_open_file(tls: TlsPki, tmp_path: Path) -> None:
    path = tmp_path / "server.key"
    path.write_text("open to all")
    path.chmod(0o666)
    assert tls.server().write_pem(tmp_path, "server")[1] == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    fresh = write_private_key(tmp_path / "new" / "fresh.key", ec.generate_private_key(ec.SECP256R1()))
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o600


def test_a_pki_can_be_made_for_another_moment() -> None:
    moment = dt.datetime(2026, 5, 30, tzinfo=dt.UTC)
    leaf = TlsPki.create(moment).client("a.demo").certificate
    assert leaf.not_valid_before_utc < moment < leaf.not_valid_after_utc
