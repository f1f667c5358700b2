"""Whom the appliance believes: known CAs by fingerprint, impostors refused, purposes kept, files read anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from signer.errors import AnchorImpostor, ConfigError, InvalidArgument
from signer.formats.status.path import find_path
from signer.tokens.chains import Issuers
from signer.trust.admit import require_genuine, warnings
from signer.trust.anchor import EVERY_PURPOSE, Anchor, TrustPurpose
from signer.trust.book import TrustBook
from signer.trust.files import read_anchors, read_certificate, render
from signer.trust.known import known_cas, known_name, recognise
from tests.support import pki
from tests.support.sha1 import sha1_signed

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PUBLIC = Path(__file__).parents[3] / "shared" / "trust"
"""The government's own certificates: public, but not the project's to ship."""
needs_public = pytest.mark.skipif(not PUBLIC.is_dir(), reason=f"no government CA certificates in {PUBLIC}: only fingerprints are shipped")
SIGNING = frozenset({TrustPurpose.SIGNING})


def put(folder: Path, name: str, *certificates: pki.Issued, head: str = "") -> Path:
    file = folder / name
    file.write_bytes(head.encode() + b"".join(each.pem for each in certificates))
    return file


def named(common_name: str) -> pki.Issued:
    return pki.issue(common_name, pki.rsa_key(140), is_ca=True)


@needs_public
def test_each_government_ca_is_known_by_its_own_certificate() -> None:
    files = sorted(PUBLIC.glob("*.pem"))
    found = [recognise(read_certificate(file.read_bytes())) for file in files]
    assert [each and each.known_as for each in found] == [
        "G1 root",
        "G1 state agencies",
        "G2 party agencies",
        "G2 root",
        "G2 state agencies",
    ]
    for file in files:
        certificate = read_certificate(file.read_bytes())
        require_genuine(certificate, (), None)
        assert known_name(certificate) == recognise(certificate)


@needs_public
def test_the_governments_first_generation_chains_when_configured_and_tells_its_end() -> None:
    book = TrustBook(sorted(PUBLIC.glob("g1-*.pem")))
    [state] = [each for each in book.anchors if not each.is_root]
    roots = tuple(each.certificate for each in book.anchors if each.is_root)
    assert find_path(state.certificate, (), roots, NOW, configured=book.certificates)
    assert any("2030-03-04" in each for each in warnings(state.certificate, NOW))
    assert any("SHA-1" in each for each in warnings(state.certificate, NOW))
    [root] = [each for each in book.anchors if each.is_root]
    assert ["2030-03-05" in each for each in warnings(root.certificate, NOW)] == [True]


def test_a_look_alike_of_the_first_generation_chains_when_configured_and_only_then() -> None:
    root = pki.issue("Root G1 (DEMO)", pki.rsa_key(141), is_ca=True, not_after=datetime(2030, 3, 5, tzinfo=UTC))
    old = sha1_signed(pki.issue("CA G1 (DEMO)", pki.rsa_key(142), root, is_ca=True, not_after=datetime(2030, 3, 4, tzinfo=UTC)), root)
    leaf = pki.issue("Giáo viên G1", pki.rsa_key(1), old)
    assert Issuers([old.x509, root.x509]).path_of(leaf.x509).issuers == (old.der,), "a leaf-only token gets its chain"
    above = sha1_signed(pki.issue("CA G1 below (DEMO)", pki.rsa_key(143), old, is_ca=True), old)
    below = pki.issue("Giáo viên", pki.rsa_key(1), above)
    assert Issuers([above.x509, old.x509, root.x509]).path_of(below.x509).issuers == (above.der, old.der)
    assert Issuers([root.x509]).path_of(old.x509).issuers == (), "its own issuer is known, but SHA-1 is for configured certificates"


@pytest.mark.parametrize("known", known_cas(), ids=lambda known: known.known_as)
def test_an_impostor_of_a_known_name_is_refused_whatever_its_operator_says(known: object) -> None:
    name = getattr(known, "common_name", "")
    for impostor in (named(name), named(name.upper()), named(f"  {name.replace(' ', '  ')} ")):
        sha256 = Anchor(impostor.x509).anchor_id
        for said in (None, sha256):
            with pytest.raises(AnchorImpostor) as refused:
                require_genuine(impostor.x509, (), said)
            assert refused.value.metadata["sha256"] == sha256


def test_an_impostor_without_accents_is_one_as_well() -> None:
    with pytest.raises(AnchorImpostor):
        require_genuine(named("CA phuc vu cac co quan Dang G2").x509, (), None)


def test_a_namesake_of_a_believed_ca_needs_the_operators_word() -> None:
    believed = [Anchor(named("CA Trường").x509)]
    other = pki.issue("CA Trường", pki.rsa_key(144), is_ca=True)
    with pytest.raises(AnchorImpostor, match="believed already"):
        require_genuine(other.x509, believed, None)
    require_genuine(other.x509, believed, Anchor(other.x509).anchor_id)
    require_genuine(believed[0].certificate, believed, None)


def test_what_is_no_ca_or_not_the_one_meant_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="not a CA"):
        require_genuine(pki.issue("Teacher", pki.rsa_key(1), pki.root()).x509, (), None)
    with pytest.raises(InvalidArgument, match="not the 00"):
        require_genuine(pki.root().x509, (), "00" * 32)


@pytest.mark.parametrize(
    ("not_after", "words"),
    [
        (NOW - timedelta(days=1), "ended"),
        (NOW + timedelta(days=900), "B-LTA"),
        (NOW + timedelta(days=7000), ""),
    ],
)
def test_an_end_that_signatures_would_outlive_is_told(not_after: datetime, words: str) -> None:
    told = list(warnings(pki.issue("CA", pki.rsa_key(140), is_ca=True, not_after=not_after).x509, NOW))
    assert [words in each for each in told] == ([True] if words else [])


def test_purposes_are_read_as_written_and_default_to_all(tmp_path: Path) -> None:
    plain = put(tmp_path, "plain.pem", pki.authority(), pki.root())
    assert [each.purposes for each in read_anchors(plain)] == [EVERY_PURPOSE, EVERY_PURPOSE]
    file = tmp_path / "one.pem"
    file.write_bytes(render(Anchor(pki.root().x509, SIGNING)) + pki.authority().pem)
    assert [each.purposes for each in read_anchors(file)] == [SIGNING, EVERY_PURPOSE], "a line speaks for the certificate after it"
    with pytest.raises(ConfigError, match="known are signing, validation, timestamp"):
        read_anchors(put(tmp_path, "odd.pem", pki.root(), head="Purposes: everything\n"))


@pytest.mark.parametrize("content", [b"", b"rubbish", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_file_without_a_certificate_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pem").write_bytes(content)
    with pytest.raises(ConfigError, match=r"x\.pem"):
        read_anchors(tmp_path / "x.pem")
    with pytest.raises(ConfigError):
        read_certificate(content)


def test_only_self_signed_ones_are_anchors_and_each_for_its_purposes(tmp_path: Path) -> None:
    tsa_root = named("TSA root")
    book = TrustBook([put(tmp_path, "ca.pem", pki.authority(), pki.root())], tsa_files=[put(tmp_path, "tsa.pem", tsa_root, pki.root())])
    assert book.roots(TrustPurpose.SIGNING) == book.roots(TrustPurpose.VALIDATION) == (pki.root().der,)
    assert set(book.roots(TrustPurpose.TIMESTAMP)) == {pki.root().der, tsa_root.der}
    assert book.intermediates == (pki.authority().der,)
    assert len(book.certificates) == 3


def test_what_is_added_lasts_and_what_is_removed_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "trust"
    book = TrustBook([], folder)
    added = book.add(Anchor(pki.root().x509, SIGNING))
    assert book.roots(TrustPurpose.SIGNING) == (pki.root().der,)
    assert book.roots(TrustPurpose.VALIDATION) == ()
    assert TrustBook([], folder).anchors == book.anchors == (added,)
    book.add(Anchor(pki.root().x509, EVERY_PURPOSE))
    assert book.roots(TrustPurpose.VALIDATION) == (pki.root().der,), "adding again sets the purposes anew"
    assert book.remove(added.anchor_id)
    assert not book.remove(added.anchor_id)
    assert not TrustBook([], folder).anchors
    assert not book.anchors


def test_a_running_book_takes_in_what_another_process_changed(tmp_path: Path) -> None:
    folder = tmp_path / "trust"
    running, beside = TrustBook([], folder), TrustBook([], folder)
    assert not running.refresh()
    added = beside.add(Anchor(pki.root().x509))
    assert running.refresh()
    assert running.anchors == (added,)
    assert not running.refresh()
    (folder / "junk.pem").write_bytes(b"junk")
    with pytest.raises(ConfigError):
        running.refresh()
    assert running.anchors == (added,), "a bad file leaves what was believed"


def test_a_ca_of_a_configured_file_is_removed_there(tmp_path: Path) -> None:
    book = TrustBook([put(tmp_path, "ca.pem", pki.root())], tmp_path / "trust")
    with pytest.raises(ConfigError, match="remove it there"):
        book.remove(Anchor(pki.root().x509).anchor_id)


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="folder"):
        TrustBook([]).add(Anchor(pki.root().x509))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="can't be written"):
        TrustBook([], tmp_path / "file" / "trust").add(Anchor(pki.root().x509))
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
