"""What the daemon signs, judged by others: pdfsig, pyHanko, `openssl cms -verify` and `openssl ts -verify`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import grpc
import pikepdf
import pytest
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signer.model import Level
from signer.v1 import common_pb2
from signer.validation.pdf import verify_pdf
from signer.validation.report import Changes, Coverage, Indication
from signer.validation.trust import TrustAnchors
from tests.support import pdfs, pki
from tests.support.calls import plan, sign_batch
from tests.support.daemon import POLICY_OID, World
from tests.support.judges import openssl_cms_verify, openssl_ts_verify, pdfsig, signatures

FIELDS = {"gvcn": "GVCN", "cbql": "CBQL", "seal": "VANTHU"}
B_B, B_T = common_pb2.LEVEL_B_B, common_pb2.LEVEL_B_T


def trust(world: World) -> TrustAnchors:
    root = x509.load_pem_x509_certificate(world.root_file.read_bytes()).public_bytes(Encoding.DER)
    return TrustAnchors(signing=(root,), timestamping=(root,))


@pytest.fixture(scope="module")
def thrice_signed(school: grpc.Channel) -> dict[str, bytes]:
    """A document of each structure, signed by homeroom teacher, principal and seal, one after the other."""
    documents = {name.replace(" ", "-"): make(1) for name, make in pdfs.VARIANTS.items()}
    for credential, field in FIELDS.items():
        answers = sign_batch(school, documents, plan=plan(credential, B_T, field_name=field))
        assert answers.reasons() == {}
        documents = answers.signed()
    return {name.replace("-", " "): document for name, document in documents.items()}


@pytest.mark.parametrize("variant", list(pdfs.VARIANTS))
def test_three_signatures_stand_for_pyhanko_at_level_b_t(variant: str, thrice_signed: dict[str, bytes], world: World) -> None:
    report = verify_pdf(thrice_signed[variant], trust(world))
    assert [signature.name for signature in report.signatures] == list(FIELDS.values())
    for number, signature in enumerate(report.signatures):
        last = number == len(FIELDS) - 1
        assert signature.indication is Indication.TOTAL_PASSED, signature.problems
        assert (signature.level, signature.intact, signature.trusted) == (Level.B_T, True, True)
        assert signature.coverage is (Coverage.DOCUMENT if last else Coverage.REVISION)
        assert signature.changes is (Changes.NONE if last else Changes.FORMS_AND_SIGNATURES)
        assert signature.timestamp is not None
        assert signature.timestamp.valid
        assert signature.problems == ()


@pytest.mark.parametrize("variant", list(pdfs.VARIANTS))
def test_three_signatures_stand_for_pdfsig(variant: str, thrice_signed: dict[str, bytes], tmp_path: Path) -> None:
    file = tmp_path / "signed.pdf"
    file.write_bytes(thrice_signed[variant])
    found = pdfsig(file)
    assert [one["Signature Validation"] for one in found] == ["Signature is Valid."] * 3
    assert [one["Signature Type"] for one in found] == ["ETSI.CAdES.detached"] * 3
    assert "Total document signed" in found[-1]


@pytest.mark.parametrize("variant", ["classic", "object streams"])
def test_each_signature_and_its_timestamp_stand_for_openssl(
    variant: str, thrice_signed: dict[str, bytes], world: World, tmp_path: Path
) -> None:
    for signature in signatures(thrice_signed[variant]):
        openssl_cms_verify(signature, world.root_file, tmp_path)
        openssl_ts_verify(signature, world.root_file, world.ca_file, tmp_path)


def test_a_changed_byte_is_seen_by_the_same_judges(thrice_signed: dict[str, bytes], world: World, tmp_path: Path) -> None:
    """They would say no: what they pass above means something."""
    document = bytearray(thrice_signed["classic"])
    document[1000] ^= 1
    (tmp_path / "changed.pdf").write_bytes(document)
    assert all(one["Signature Validation"] == "Digest Mismatch." for one in pdfsig(tmp_path / "changed.pdf"))
    with pytest.raises(AssertionError, match="verification failure"):
        openssl_cms_verify(signatures(bytes(document))[0], world.root_file, tmp_path)


def test_the_cms_is_a_pades_baseline_signature(thrice_signed: dict[str, bytes], world: World) -> None:
    for credential, signature in zip(FIELDS, signatures(thrice_signed["classic"]), strict=True):
        leaf = world.token.key(credential).certificate_der
        issuer = x509.load_pem_x509_certificates(world.ca_file.read_bytes())[0].public_bytes(Encoding.DER)
        assert set(signature.certificates) == {leaf, issuer}, "the chain is embedded, without the root"
        attributes = signature.signed_attributes
        assert attributes.keys() == {"content_type", "message_digest", "signing_certificate_v2"}, "no signing-time: /M has it"
        (cert_id,) = attributes["signing_certificate_v2"]["certs"]
        assert cert_id["cert_hash"] == x509.load_der_x509_certificate(leaf).fingerprint(
            x509.load_der_x509_certificate(leaf).signature_hash_algorithm  # type: ignore[arg-type]  # SHA-256, as the attribute's default
        )
        assert [attribute["type"].native for attribute in signature.signer_info["unsigned_attrs"]] == ["signature_time_stamp_token"]


def test_the_timestamp_is_of_the_configured_policy_and_of_now(thrice_signed: dict[str, bytes]) -> None:
    serials = set()
    for document in thrice_signed.values():
        for signature in signatures(document):
            info = cms.ContentInfo.load(signature.timestamp)["content"]["encap_content_info"]["content"].parsed
            assert info["policy"].native == POLICY_OID
            assert abs(info["gen_time"].native - datetime.now(UTC)) < timedelta(minutes=10)
            serials.add(info["serial_number"].native)
    assert len(serials) == 3 * len(thrice_signed), "no serial number comes twice"


ALGORITHMS = [
    ("gvcn", common_pb2.SIGNATURE_ALGORITHM_RSA_PKCS1_SHA256),
    ("gvcn", common_pb2.SIGNATURE_ALGORITHM_RSA_PKCS1_SHA512),
    ("gvcn", common_pb2.SIGNATURE_ALGORITHM_RSA_PSS_SHA256),
    ("gvcn", common_pb2.SIGNATURE_ALGORITHM_RSA_PSS_SHA384),
    ("ec", common_pb2.SIGNATURE_ALGORITHM_ECDSA_SHA256),
    ("ec", common_pb2.SIGNATURE_ALGORITHM_ECDSA_SHA512),
    ("ec384", common_pb2.SIGNATURE_ALGORITHM_ECDSA_SHA384),
]


@pytest.mark.parametrize("level", [B_B, B_T], ids=["b-b", "b-t"])
@pytest.mark.parametrize(("credential", "algorithm"), ALGORITHMS, ids=lambda value: value if isinstance(value, str) else None)
def test_every_kind_of_key_signs_at_every_served_level(  # noqa: PLR0917
    credential: str, algorithm: Any, level: Any, school: grpc.Channel, world: World, tmp_path: Path
) -> None:
    answers = sign_batch(school, {"d": pdfs.report_card(2, pages=1)}, plan=plan(credential, level, algorithm=algorithm))
    assert answers.results[0].info.algorithm == algorithm
    signed = answers.signed()["d"]
    (report,) = verify_pdf(signed, trust(world)).signatures
    assert (report.indication, report.level) == (Indication.TOTAL_PASSED, Level.B_B if level == B_B else Level.B_T), report.problems
    (signature,) = signatures(signed)
    openssl_cms_verify(signature, world.root_file, tmp_path)
    assert (signature.timestamp is None) == (level == B_B)


def test_what_others_signed_before_stays_valid(school: grpc.Channel, world: World) -> None:
    teacher = pki.issue("Giáo viên trường khác", pki.rsa_key(9), pki.authority())
    theirs = pdfs.signed(pdfs.report_card(), "THEIRS", signer=teacher, chain=(pki.authority(),))
    signed = sign_batch(school, {"d": theirs}, plan=plan(field_name="OURS")).signed()["d"]
    root = trust(world).signing[0]
    both = TrustAnchors(signing=(root, pki.root().der), timestamping=(root,))
    reports = verify_pdf(signed, both).signatures
    assert [(one.name, one.indication) for one in reports] == [
        ("THEIRS", Indication.TOTAL_PASSED),
        ("OURS", Indication.TOTAL_PASSED),
    ]


def test_the_signing_time_is_vietnams_and_stands_in_the_dictionary(school: grpc.Channel) -> None:
    result = sign_batch(school, {"d": pdfs.report_card(5)})
    with pikepdf.open(BytesIO(result.signed()["d"])) as pdf:
        moment = str(pdf.Root.AcroForm.Fields[0].V.M)
    assert moment.endswith("+07'00'")
    claimed = datetime.strptime(moment.replace("'", ""), "D:%Y%m%d%H%M%S%z")
    assert claimed == result.results[0].info.signing_time.ToDatetime(UTC)
    assert abs(claimed - datetime.now(UTC)) < timedelta(minutes=5)
