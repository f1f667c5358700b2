"""Certification and field locks over gRPC: made as asked for, part of what a request is, and refused where they would break something."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import grpc
import pytest
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import FieldMDPAction, MDPPerm

from signer.v1 import plan_pb2
from tests.support import pdfs
from tests.support.calls import fresh_id, plan, sign_batch

OPEN_TO_SEAL: dict[str, Any] = {"field_lock": plan_pb2.FIELD_LOCK_EXCLUDE, "locked_fields": ["VANTHU"]}


def restricting(field: str = "GVCN", **options: Any) -> plan_pb2.SigningPlan:
    made = plan(field_name=field)
    made.pades.MergeFrom(plan_pb2.PadesOptions(**options))
    return made


def test_a_class_is_certified_and_signed_on_until_its_lock(school: grpc.Channel) -> None:
    cards = {f"pupil-{number}": pdfs.report_card(number) for number in range(4)}
    certified = sign_batch(school, cards, plan=restricting(doc_mdp=plan_pb2.DOC_MDP_FILL_FORMS)).signed()
    principal = sign_batch(school, certified, plan=restricting("CBQL", **OPEN_TO_SEAL)).signed()
    sealed = sign_batch(school, principal, plan=restricting("VANTHU")).signed()
    assert sealed.keys() == cards.keys()
    for document in sealed.values():
        first, second, _ = PdfFileReader(BytesIO(document)).embedded_signatures
        assert first.docmdp_level is MDPPerm.FILL_FORMS
        assert (second.fieldmdp.action, second.fieldmdp.fields) == (FieldMDPAction.EXCLUDE, ["VANTHU"])
    late = sign_batch(school, principal, plan=restricting("GVBM"))
    assert set(late.reasons().values()) == {"DOCUMENT_LOCKED"}


@pytest.mark.parametrize("permission", [plan_pb2.DOC_MDP_NO_CHANGES, plan_pb2.DOC_MDP_ANNOTATE])
def test_only_the_first_signature_certifies(permission: plan_pb2.DocMdp.ValueType, school: grpc.Channel) -> None:
    signed = sign_batch(school, {"d": pdfs.report_card()}, plan=plan(field_name="GVCN")).signed()
    answers = sign_batch(school, signed, plan=restricting("CBQL", doc_mdp=permission))
    assert answers.reasons() == {0: "DOCUMENT_LOCKED"}


def test_what_a_signature_allows_is_part_of_what_was_asked_for(school: grpc.Channel) -> None:
    request_id, documents = fresh_id(), {"d": pdfs.report_card()}
    asked = restricting(doc_mdp=plan_pb2.DOC_MDP_FILL_FORMS, **OPEN_TO_SEAL)
    signed = sign_batch(school, documents, plan=asked, request_id=request_id).signed()
    assert sign_batch(school, documents, plan=asked, request_id=request_id).signed() == signed
    others = (
        restricting(),
        restricting(doc_mdp=plan_pb2.DOC_MDP_ANNOTATE, **OPEN_TO_SEAL),
        restricting(doc_mdp=plan_pb2.DOC_MDP_FILL_FORMS),
        restricting(doc_mdp=plan_pb2.DOC_MDP_FILL_FORMS, field_lock=plan_pb2.FIELD_LOCK_INCLUDE, locked_fields=["VANTHU"]),
    )
    for other in others:
        assert sign_batch(school, documents, plan=other, request_id=request_id).reasons() == {0: "REQUEST_ID_REUSED"}
