"""CAdES over gRPC: any bytes, detached and attached, from documents and from digests, judged by openssl and pyHanko."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import grpc
import pytest

from signer.errors import InvalidArgument, NotServedYet, RequestIdReused
from signer.v1 import common_pb2, plan_pb2, signing_pb2
from tests.support import cms_judges as judges
from tests.support.calls import chunk, fresh_id, intents, reason_of, refused, sign_batch, sign_digests, sign_document, start
from tests.support.daemon import World

B_B, B_T = common_pb2.LEVEL_B_B, common_pb2.LEVEL_B_T
DETACHED, ENVELOPING = common_pb2.PACKAGING_DETACHED, common_pb2.PACKAGING_ENVELOPING
DOCUMENTS = {"text": "học bạ số\r\n".encode(), "one-byte": b"\x00", "binary": bytes(range(256)) * 300}
CMS = signing_pb2.DIGEST_OUTPUT_CMS_DETACHED


def plan(level: Any = B_B, packaging: Any = DETACHED, *, credential: str = "gvcn", content_type: str = "", **more: Any) -> Any:
    options = plan_pb2.CadesOptions(packaging=packaging, content_type=content_type)
    return plan_pb2.SigningPlan(credential_id=credential, profile=common_pb2.PROFILE_CADES, level=level, cades=options, **more)


def content_of(packaging: Any, document: bytes) -> bytes | None:
    return document if packaging == DETACHED else None


@pytest.mark.parametrize("packaging", [DETACHED, ENVELOPING], ids=["detached", "attached"])
@pytest.mark.parametrize("level", [B_B, B_T], ids=["b-b", "b-t"])
def test_any_bytes_are_signed_and_stand_for_openssl_and_pyhanko(
    level: Any, packaging: Any, school: grpc.Channel, world: World, tmp_path: Path
) -> None:
    answers = sign_batch(school, DOCUMENTS, plan=plan(level, packaging))
    assert answers.reasons() == {}
    for result in answers.results:
        document, signed = DOCUMENTS[result.document_id], answers.contents[result.index]
        content = content_of(packaging, document)
        judged = judges.openssl(signed, world.root_file, tmp_path, content)
        assert (judged.returncode, judged.stdout) == (0, document), judged.stderr
        found = judges.pyhanko(signed, world.root_file, content)
        assert (found.intact, found.valid, found.trusted) == (True, True, True)
        assert (found.stamped_at is not None) == (level == B_T)
        assert (result.info.profile, result.info.level, result.info.field_name) == (common_pb2.PROFILE_CADES, level, "")
        assert result.info.signed_sha256 == hashlib.sha256(signed).digest()
        assert result.info.source_sha256 == hashlib.sha256(document).digest()
        assert result.info.HasField("timestamp_time") == (level == B_T)


@pytest.mark.parametrize("packaging", [DETACHED, ENVELOPING], ids=["detached", "attached"])
def test_what_was_tampered_with_is_refused_and_without_its_timestamp_the_level_drops(
    packaging: Any, school: grpc.Channel, world: World, tmp_path: Path
) -> None:
    document = DOCUMENTS["text"]
    signed = sign_document(school, document, plan=plan(B_T, packaging)).content
    tampered = document.replace(b"s", b"S")
    changed = signed if packaging == DETACHED else signed.replace(document, tampered)
    content = content_of(packaging, tampered)
    assert judges.openssl(changed, world.root_file, tmp_path, content).returncode != 0
    assert not judges.pyhanko(changed, world.root_file, content).intact

    content = content_of(packaging, document)
    other = judges.with_certificate(signed, world.token.key("cbql").certificate_der)
    assert judges.openssl(other, world.root_file, tmp_path, content).returncode != 0

    bare = judges.without_timestamp(signed)
    assert judges.openssl(bare, world.root_file, tmp_path, content).returncode == 0
    assert judges.pyhanko(signed, world.root_file, content).stamped_at is not None
    assert judges.pyhanko(bare, world.root_file, content) == judges.Judged(intact=True, valid=True, trusted=True, stamped_at=None)


@pytest.mark.parametrize(
    ("credential", "algorithm"),
    [("gvcn", "RSA_PKCS1_SHA512"), ("gvcn", "RSA_PSS_SHA256"), ("ec", "ECDSA_SHA256"), ("ec384", "ECDSA_SHA384")],
)
def test_every_family_signs(credential: str, algorithm: str, school: grpc.Channel, world: World, tmp_path: Path) -> None:
    number = common_pb2.SignatureAlgorithm.Value(f"SIGNATURE_ALGORITHM_{algorithm}")
    document = DOCUMENTS["binary"] * 16  # 1.2 MB: hashed beside the event loop where the digest is not SHA-256
    signed = sign_document(school, document, plan=plan(credential=credential, algorithm=number)).content
    assert judges.openssl(signed, world.root_file, tmp_path, document).returncode == 0


def test_the_attributes_are_those_of_a_baseline_signature_and_the_content_type_is_hinted(school: grpc.Channel) -> None:
    signed = sign_document(school, b"<HOC_BA/>", plan=plan(content_type="application/xml")).content
    found = judges.attributes(signed)
    assert set(found) == {"content_type", "message_digest", "signing_time", "signing_certificate_v2", "1.2.840.113549.1.9.16.2.4"}
    assert b"\x0c\x0fapplication/xml" in found["1.2.840.113549.1.9.16.2.4"].dump()
    plain = judges.attributes(sign_document(school, b"<HOC_BA/>", plan=plan()).content)
    assert set(found) - set(plain) == {"1.2.840.113549.1.9.16.2.4"}


@pytest.mark.parametrize("packaging", [DETACHED, ENVELOPING], ids=["detached", "attached"])
def test_the_same_ids_return_the_same_signature_and_use_the_key_once(packaging: Any, school: grpc.Channel, world: World) -> None:
    request_id = fresh_id()
    first = sign_batch(school, DOCUMENTS, plan=plan(B_T, packaging), request_id=request_id)
    again = sign_batch(school, DOCUMENTS, plan=plan(B_T, packaging), request_id=request_id)
    assert first.signed() == again.signed()
    assert [result.replayed for result in again.results] == [True] * len(DOCUMENTS)
    assert sorted(intents(world.folder / "shared.db", request_id)) == sorted(DOCUMENTS)
    other = sign_batch(school, DOCUMENTS, plan=plan(B_T, packaging, content_type="text/plain"), request_id=request_id)
    assert set(other.reasons().values()) == {RequestIdReused.reason.value}


def test_a_large_document_comes_back_around_its_signature_in_chunks(school: grpc.Channel, world: World, tmp_path: Path) -> None:
    document = bytes(range(256)) * (6 * 4096)
    pieces = [start("large", document, data=document[:1_000_000])]
    pieces += [chunk(document[at : at + 1_000_000]) for at in range(1_000_000, len(document), 1_000_000)]
    signed = sign_batch(school, pieces, plan=plan(packaging=ENVELOPING)).signed()["large"]
    judged = judges.openssl(signed, world.root_file, tmp_path)
    assert (judged.returncode, judged.stdout) == (0, document)


@pytest.mark.parametrize(
    ("changes", "kind", "field"),
    [
        ({"plan": plan(packaging=common_pb2.PACKAGING_ENVELOPED)}, InvalidArgument, "plan.cades.packaging"),
        ({"plan": plan(packaging=9)}, InvalidArgument, "plan.cades.packaging"),
        ({"plan": plan(content_type="no type")}, InvalidArgument, "plan.cades.content_type"),
        ({"plan": plan(content_type="a/" + "b" * 300)}, InvalidArgument, "plan.cades.content_type"),
        ({"plan": plan(common_pb2.LEVEL_B_LT)}, NotServedYet, None),
        ({"result_form": plan_pb2.RESULT_FORM_APPENDED_BYTES}, InvalidArgument, "result_form"),
    ],
    ids=str,
)
def test_what_no_cms_has_is_refused_before_the_key_is_used(
    changes: dict[str, Any], kind: type, field: str | None, school: grpc.Channel, world: World
) -> None:
    request_id = fresh_id()
    with refused(kind, **({"field": field} if field else {})):
        sign_document(school, b"x", **({"plan": plan(), "request_id": request_id} | changes))
    assert intents(world.folder / "shared.db", request_id) == []


def test_options_of_another_profile_are_refused(school: grpc.Channel) -> None:
    wrong = plan_pb2.SigningPlan(
        credential_id="gvcn", profile=common_pb2.PROFILE_CADES, level=B_B, pades=plan_pb2.PadesOptions(field_name="F")
    )
    with refused(InvalidArgument, field="plan.pades"):
        sign_document(school, b"x", plan=wrong)


def test_a_field_s_name_fails_the_document_that_has_it_alone(school: grpc.Channel) -> None:
    answers = sign_batch(school, [start("a", b"a", field_name="F"), start("b", b"b")], plan=plan())
    assert answers.reasons() == {0: "INVALID_ARGUMENT"}
    assert set(answers.signed()) == {"b"}


@pytest.mark.parametrize("level", [B_B, B_T], ids=["b-b", "b-t"])
def test_digests_get_a_cms_that_stands_over_the_document_that_never_left(
    level: Any, school: grpc.Channel, world: World, tmp_path: Path
) -> None:
    request_id = fresh_id()
    digests = {name: hashlib.sha256(content).digest() for name, content in DOCUMENTS.items()}
    wanted = {"output": CMS, "level": level, "request_id": request_id}
    answer = sign_digests(school, digests | {"short": b"short"}, **wanted)
    *signed, short = answer.results
    assert reason_of(short.status) == "INVALID_ARGUMENT"
    for result in signed:
        document = DOCUMENTS[result.document_id]
        assert judges.openssl(result.signature, world.root_file, tmp_path, document).returncode == 0
        assert judges.pyhanko(result.signature, world.root_file, document).stamped_at is not None or level == B_B
        assert (result.info.profile, result.info.level) == (common_pb2.PROFILE_CADES, level)
        assert (result.info.source_sha256, result.info.signed_sha256) == (b"", b"")
    again = sign_digests(school, digests, **wanted)
    assert [result.signature for result in again.results] == [result.signature for result in signed]
    assert sorted(intents(world.folder / "shared.db", request_id)) == sorted(DOCUMENTS)
    (other,) = sign_digests(school, {"text": bytes(32)}, **wanted).results
    assert reason_of(other.status) == RequestIdReused.reason.value


def test_a_bare_signature_and_a_cms_are_not_each_other_s_repeat(school: grpc.Channel) -> None:
    request_id = fresh_id()
    sign_digests(school, {"d": bytes(32)}, request_id=request_id)
    (result,) = sign_digests(school, {"d": bytes(32)}, request_id=request_id, output=CMS, level=B_B).results
    assert reason_of(result.status) == RequestIdReused.reason.value


def test_a_cms_without_a_level_is_refused(school: grpc.Channel) -> None:
    with refused(InvalidArgument, field="level"):
        sign_digests(school, {"d": bytes(32)}, output=CMS)
