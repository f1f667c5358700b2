"""GetSignatureStates: what became of a class, for who lost the answer; no key is used, no document needed."""

from __future__ import annotations

import hashlib

import grpc
import pytest

from signer.client import SignerClient
from signer.errors import InvalidArgument, SchoolNotFound
from signer.model import Level
from signer.v1 import common_pb2
from tests.support import pdfs
from tests.support.calls import fresh_id, metric, plan, sign_batch, sign_digests
from tests.support.daemon import OTHER_SCHOOL, SCHOOL, Running, World

DIGEST = hashlib.sha256(b"x").digest()


@pytest.fixture(scope="module")
def client(world: World, daemon: Running) -> SignerClient:
    pki = world.pki
    files = (pki / "tls-ca.crt", pki / "school.crt", pki / "school.key")
    return SignerClient(f"localhost:{daemon.port}", ca=files[0], certificate=files[1], key=files[2])


def test_a_class_is_told_document_by_document(client: SignerClient, school: grpc.Channel, daemon: Running) -> None:
    request_id = fresh_id()
    documents = {"good": pdfs.report_card(1), "empty": b"", "rubbish": b"no PDF at all"}
    sign_batch(school, documents, request_id=request_id, plan=plan(level=common_pb2.LEVEL_B_T))
    signed = metric(daemon.metrics_port(), "signer_signatures_total", outcome="signed")
    good, strange, rubbish = client.signature_states(SCHOOL, request_id, ["good", "never-sent", "rubbish"])
    assert (good.document_id, good.state, good.error) == ("good", "SIGNED", None)
    assert good.info is not None
    assert (good.info.credential_id, good.info.level) == ("gvcn", Level.B_T)
    assert good.accepted is not None
    assert good.changed is not None
    assert good.expires is not None
    assert good.accepted <= good.changed < good.expires
    assert [strange.state, rubbish.state] == ["UNKNOWN_ID", "UNKNOWN_ID"], (
        "no key was meant to be used for it: the journal never heard of it"
    )
    assert [each.document_id for each in client.signature_states(SCHOOL, request_id)] == ["good"]
    assert metric(daemon.metrics_port(), "signer_signatures_total", outcome="signed") == signed


def test_a_long_list_comes_page_by_page(client: SignerClient, school: grpc.Channel) -> None:
    request_id = fresh_id()
    names = [f"{number:04d}" for number in range(1_100)]
    sign_digests(school, dict.fromkeys(names[:40], DIGEST), request_id=request_id)
    told = list(client.signature_states(SCHOOL, request_id, names))
    assert [each.document_id for each in told] == names
    assert [each.state for each in told] == ["SIGNED"] * 40 + ["UNKNOWN_ID"] * 1_060
    assert [each.document_id for each in client.signature_states(SCHOOL, request_id)] == names[:40]


def test_another_schools_signatures_do_not_exist(client: SignerClient) -> None:
    with pytest.raises(SchoolNotFound):
        list(client.signature_states(OTHER_SCHOOL, "any"))
    with pytest.raises(InvalidArgument):
        list(client.signature_states(SCHOOL, "no id"))
