"""What each client may see: its own school's, and nothing that tells of another's. Operators' methods are operators'."""

from __future__ import annotations

import grpc
import pytest

from signer.errors import CertificateUnusable, CredentialNotFound, InvalidArgument, RoleRefused, SchoolNotFound, SignerError
from signer.v1 import admin_pb2_grpc, admin_tokens_pb2, common_pb2, credential_pb2, credential_pb2_grpc
from tests.support import pdfs
from tests.support.calls import fresh_id, intents, our_errors, plan, refused, sign_batch, sign_digests, sign_document
from tests.support.daemon import OTHER_SCHOOL, SCHOOL, Running, World

OURS = {"gvcn", "cbql", "seal", "ec", "ec384", "expired", "wrong-usage", "bare"}


def list_credentials(channel: grpc.Channel, school_id: str = SCHOOL, **options: object) -> list[credential_pb2.Credential]:
    request = credential_pb2.ListCredentialsRequest(school_id=school_id, **options)  # type: ignore[arg-type]
    with our_errors():
        return list(credential_pb2_grpc.CredentialServiceStub(channel).ListCredentials(request, timeout=60).credentials)


def get_credential(channel: grpc.Channel, credential_id: str, school_id: str = SCHOOL) -> credential_pb2.GetCredentialResponse:
    request = credential_pb2.GetCredentialRequest(school_id=school_id, credential_id=credential_id)
    with our_errors():
        return credential_pb2_grpc.CredentialServiceStub(channel).GetCredential(request, timeout=60)


def list_tokens(channel: grpc.Channel) -> list[admin_tokens_pb2.Token]:
    with our_errors():
        return list(admin_pb2_grpc.AdminServiceStub(channel).ListTokens(admin_tokens_pb2.ListTokensRequest(), timeout=60).tokens)


def told(error: SignerError, *names: str) -> tuple[object, ...]:
    """All that an error says, without the names that the caller itself gave."""
    message, metadata = error.message, dict(error.metadata)
    for name in names:
        message = message.replace(name, "…")
        metadata = {key: value.replace(name, "…") for key, value in metadata.items()}
    return type(error), message, metadata, error.retry_after_s


def test_a_school_sees_its_credentials_and_what_keeps_each_from_signing(school: grpc.Channel, world: World) -> None:
    found = {credential.credential_id: credential for credential in list_credentials(school)}
    assert found.keys() == OURS
    assert {name for name, credential in found.items() if credential.usable} == {"gvcn", "cbql", "seal", "ec", "ec384"}
    problems = {name: [finding.problem for finding in credential.findings] for name, credential in found.items() if credential.findings}
    assert problems == {
        "expired": [credential_pb2.CREDENTIAL_PROBLEM_EXPIRED],
        "wrong-usage": [credential_pb2.CREDENTIAL_PROBLEM_KEY_USAGE],
        "bare": [credential_pb2.CREDENTIAL_PROBLEM_CERTIFICATE_MISSING],
    }
    assert found["gvcn"].certificate.der == world.token.key("gvcn").certificate_der
    assert "Nguyễn Thị gvcn (DEMO)" in found["gvcn"].certificate.subject
    kinds = {name: found[name].key_kind for name in ("gvcn", "ec", "ec384")}
    assert kinds == {"gvcn": common_pb2.KEY_KIND_RSA_2048, "ec": common_pb2.KEY_KIND_EC_P256, "ec384": common_pb2.KEY_KIND_EC_P384}
    assert found["ec"].algorithms[0] == common_pb2.SIGNATURE_ALGORITHM_ECDSA_SHA256
    assert {credential.credential_id for credential in list_credentials(school, usable_only=True)} == OURS - problems.keys()


def test_pages_of_credentials_join_to_the_whole_list(school: grpc.Channel) -> None:
    stub = credential_pb2_grpc.CredentialServiceStub(school)
    names, token, pages = [], "", 0
    while pages == 0 or token:
        request = credential_pb2.ListCredentialsRequest(school_id=SCHOOL, page_size=3, page_token=token)
        answer = stub.ListCredentials(request, timeout=60)
        assert len(answer.credentials) <= 3
        names += [credential.credential_id for credential in answer.credentials]
        token, pages = answer.next_page_token, pages + 1
    assert (names, pages) == (sorted(OURS), 3)
    with refused(InvalidArgument, field="page_token"):
        list_credentials(school, page_token="no such page")


def test_without_a_school_a_client_sees_all_of_its_own(world: World, school: grpc.Channel, operator: grpc.Channel, daemon: Running) -> None:
    assert {credential.credential_id for credential in list_credentials(school, "")} == OURS
    with world.channel(daemon.port, "other-school") as channel:
        assert {credential.credential_id for credential in list_credentials(channel, "")} == {"other"}
    assert {credential.credential_id for credential in list_credentials(operator, "")} == OURS | {"other", "tsa"}


def test_the_appliances_own_credentials_are_shown_to_operators_only(school: grpc.Channel, operator: grpc.Channel) -> None:
    assert get_credential(operator, "tsa", "").credential.school_id == ""
    with refused(InvalidArgument, field="school_id"):
        get_credential(school, "tsa", "")


def test_a_credential_comes_with_its_issuers(school: grpc.Channel) -> None:
    answer = get_credential(school, "gvcn")
    assert [issuer.subject for issuer in answer.chain] == [answer.credential.certificate.issuer]


def test_another_schools_credential_looks_exactly_like_one_that_does_not_exist(school: grpc.Channel) -> None:
    errors = []
    for name in ("other", "nobody"):
        with pytest.raises(CredentialNotFound) as caught:
            get_credential(school, name)
        errors.append(told(caught.value, name))
    assert errors[0] == errors[1]


def test_another_school_looks_exactly_like_one_that_does_not_exist(school: grpc.Channel) -> None:
    errors = []
    for name in (OTHER_SCHOOL, "no-such-school"):
        for act in (lambda where: list_credentials(school, where), lambda where: get_credential(school, "gvcn", where)):
            with pytest.raises(SchoolNotFound) as caught:
                act(name)
            errors.append(told(caught.value, name))
    assert len(set(map(str, errors))) == 1


def test_every_signing_method_refuses_another_schools_key_as_unknown(school: grpc.Channel, world: World) -> None:
    document, request_id = pdfs.report_card(pages=1), fresh_id()
    for name in ("other", "nobody"):
        with refused(CredentialNotFound, credential=name):
            sign_digests(school, {"d": bytes(32)}, credential_id=name, request_id=request_id)
        with refused(CredentialNotFound, credential=name):
            sign_document(school, document, plan=plan(name), request_id=request_id)
        with refused(CredentialNotFound, credential=name):
            sign_batch(school, {"d": document}, plan=plan(name), request_id=request_id)
    assert intents(world.folder / "shared.db", request_id) == []


def test_the_owner_may_use_the_key_that_others_may_not(world: World, daemon: Running) -> None:
    with world.channel(daemon.port, "other-school") as channel:
        answer = sign_digests(channel, {"d": bytes(32)}, credential_id="other", school_id=OTHER_SCHOOL)
        assert answer.results[0].signature
        with refused(SchoolNotFound):
            sign_digests(channel, {"d": bytes(32)}, credential_id="gvcn")
        with refused(CredentialNotFound):
            sign_digests(channel, {"d": bytes(32)}, credential_id="gvcn", school_id=OTHER_SCHOOL)


def test_nobody_signs_with_the_timestamp_authoritys_key(school: grpc.Channel, operator: grpc.Channel) -> None:
    for channel in (school, operator):
        with refused(CredentialNotFound):
            sign_digests(channel, {"d": bytes(32)}, credential_id="tsa")
        with refused(InvalidArgument, field="school_id"):
            sign_digests(channel, {"d": bytes(32)}, credential_id="tsa", school_id="")


def test_tokens_are_listed_for_operators(operator: grpc.Channel, world: World) -> None:
    (token,) = list_tokens(operator)
    assert (token.token_name, token.label, token.serial) == ("school-token", world.token.label, world.token.serial)
    assert token.state == admin_tokens_pb2.TOKEN_STATE_READY
    assert (token.workers_ready, token.workers_configured, token.message) == (2, 2, "")
    assert set(token.credential_ids) == OURS | {"other", "tsa"}


def test_tokens_are_refused_to_everybody_else(school: grpc.Channel) -> None:
    with refused(RoleRefused, grpcCode="PERMISSION_DENIED"):
        list_tokens(school)


def test_a_credential_that_cannot_sign_says_why_and_what_to_do(school: grpc.Channel) -> None:
    with pytest.raises(CertificateUnusable, match="import the issued one"):
        sign_digests(school, {"d": bytes(32)}, credential_id="bare")
