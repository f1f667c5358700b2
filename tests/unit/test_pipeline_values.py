"""What makes two requests the same, what is kept of a signature, and when the next item may begin."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.algorithms import SignatureAlgorithm
from signer.errors import Cancelled, DeadlineExceeded, InternalError, RequestIdReused, ShuttingDown
from signer.formats.insertions import Additions, Insertion
from signer.journal.model import SignatureState, Stored
from signer.model import CadesOptions, Credential, FieldPlacement, Level, Packaging, Profile, RecordPlan, Role, XadesOptions
from signer.pipeline.forms.form import Signer
from signer.pipeline.forms.pades import PadesPrepared
from signer.pipeline.material import Finished, Parked, decode, encode, stored_material
from signer.pipeline.plan import ReadyPlan, fingerprint
from signer.pipeline.request import Request

CREDENTIAL = Credential("gvcn", "token", b"\x01", "gvcn", "1", b"certificate", (), (SignatureAlgorithm.RSA_PKCS1_SHA256,))
PLACEMENT = FieldPlacement("GVCN", "name", "reason", "location")
PLAN = ReadyPlan(Profile.PADES, Level.B_T, CREDENTIAL, SignatureAlgorithm.RSA_PKCS1_SHA256, PLACEMENT, "1f")
CONTENT = b"c" * 32
NOW = datetime(2026, 5, 30, 8, 0, tzinfo=UTC)
FINISHED = Finished(Additions(b"appended"), NOW, NOW, "1f", SignatureAlgorithm.RSA_PKCS1_SHA256, b"s" * 32)
SIGNER = Signer(b"certificate", (b"issuer",), SignatureAlgorithm.ECDSA_SHA256)
PARKED = Parked(PadesPrepared(b"attributes", b"update", 10, 20), SIGNER, b"signature", NOW, "1f")
WITHIN = Finished(Additions(b"", (Insertion(7, b"<Signature/>"),)), NOW, None, "1f", SignatureAlgorithm.ECDSA_SHA512, b"s" * 32)


def test_anything_that_changes_the_signature_changes_the_fingerprint() -> None:
    variants = {
        "as it is": fingerprint(PLAN, PLACEMENT, CONTENT),
        "content": fingerprint(PLAN, PLACEMENT, b"d" * 32),
        "level": fingerprint(replace(PLAN, level=Level.B_B), PLACEMENT, CONTENT),
        "profile": fingerprint(replace(PLAN, profile=Profile.DIGEST), PLACEMENT, CONTENT),
        "credential": fingerprint(replace(PLAN, credential=replace(CREDENTIAL, id="cbql")), PLACEMENT, CONTENT),
        "algorithm": fingerprint(replace(PLAN, algorithm=SignatureAlgorithm.RSA_PSS_SHA256), PLACEMENT, CONTENT),
        "field": fingerprint(PLAN, replace(PLACEMENT, field_name="CBQL"), CONTENT),
        "name": fingerprint(PLAN, replace(PLACEMENT, name=""), CONTENT),
        "reason": fingerprint(PLAN, replace(PLACEMENT, reason=""), CONTENT),
        "location": fingerprint(PLAN, replace(PLACEMENT, location=""), CONTENT),
        "reason and location exchanged": fingerprint(PLAN, replace(PLACEMENT, reason="location", location="reason"), CONTENT),
        "cades": fingerprint(replace(PLAN, options=CadesOptions()), PLACEMENT, CONTENT),
        "cades attached": fingerprint(replace(PLAN, options=CadesOptions(Packaging.ENVELOPING)), PLACEMENT, CONTENT),
        "cades hinted": fingerprint(replace(PLAN, options=CadesOptions(content_type="a/b")), PLACEMENT, CONTENT),
        "xades": fingerprint(replace(PLAN, options=XadesOptions()), PLACEMENT, CONTENT),
        "xades of an element": fingerprint(replace(PLAN, options=XadesOptions(reference_id="a")), PLACEMENT, CONTENT),
        "xades at a place": fingerprint(replace(PLAN, options=XadesOptions(placement_xpath="a")), PLACEMENT, CONTENT),
        "a document's name": fingerprint(replace(PLAN, options=XadesOptions()), PLACEMENT, CONTENT, "name"),
        "a role": fingerprint(replace(PLAN, record=RecordPlan(Role.PRINCIPAL)), PLACEMENT, CONTENT),
        "another role": fingerprint(replace(PLAN, record=RecordPlan(Role.CLERK)), PLACEMENT, CONTENT),
        "a class": fingerprint(replace(PLAN, record=RecordPlan(Role.CLERK, class_id="1A")), PLACEMENT, CONTENT),
        "a border moved": fingerprint(PLAN, replace(PLACEMENT, name="namer", reason="eason"), CONTENT),
    }
    for (one, left), (other, right) in combinations(variants.items(), 2):
        assert left != right, f"{one} and {other}"
    assert {len(value) for value in variants.values()} == {32}


def test_a_renewed_certificate_does_not_make_a_repeat_look_like_other_content() -> None:
    renewed = replace(PLAN, credential=replace(CREDENTIAL, certificate=b"renewed", chain=(b"x",)), certificate_serial="2e")
    assert fingerprint(renewed, PLACEMENT, CONTENT) == fingerprint(PLAN, PLACEMENT, CONTENT)


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_texts_of_any_characters_have_one_fingerprint_each(a: str, b: str, c: str, d: str) -> None:
    first = fingerprint(PLAN, FieldPlacement("f", a, b), CONTENT)
    assert (first == fingerprint(PLAN, FieldPlacement("f", c, d), CONTENT)) == ((a, b) == (c, d))


@pytest.mark.parametrize("material", [FINISHED, PARKED, WITHIN])
def test_material_is_read_back_as_it_was_written(material: Finished | Parked) -> None:
    assert decode(encode(material)) == material


@given(st.binary(max_size=60))
def test_material_that_is_something_else_is_a_bug_of_ours_not_a_crash(raw: bytes) -> None:
    with pytest.raises(InternalError):
        decode(raw)


def stored(state: SignatureState, material: bytes = b"", print_: bytes = b"p") -> Stored:
    return Stored(print_, state, 1, material, b"")


@pytest.mark.parametrize(
    ("state", "material", "expected"),
    [
        (SignatureState.RELEASED, encode(FINISHED), FINISHED),
        (SignatureState.PARKED, encode(PARKED), PARKED),
        (SignatureState.FAILED, b"", None),
        (SignatureState.INTENDED, b"", None),
    ],
)
def test_a_repeat_gets_what_is_stored_or_another_attempt(state: SignatureState, material: bytes, expected: object) -> None:
    assert stored_material(stored(state, material), "d", b"p") == expected


@pytest.mark.parametrize("state", list(SignatureState))
def test_other_content_under_the_same_ids_is_refused_whatever_became_of_the_first(state: SignatureState) -> None:
    with pytest.raises(RequestIdReused, match="other content"):
        stored_material(stored(state, encode(FINISHED)), "d", b"other")


@pytest.mark.parametrize("state", [SignatureState.RELEASED, SignatureState.PARKED])
def test_a_signature_past_its_retention_is_not_made_anew_in_silence(state: SignatureState) -> None:
    with pytest.raises(RequestIdReused, match="retention"):
        stored_material(stored(state), "d", b"p")


async def test_the_next_item_may_begin_until_caller_daemon_or_clock_say_no() -> None:
    now_s = [100.0]
    request = Request("client", "1", "r", 110.0, lambda: now_s[0])
    request.check()
    assert request.remaining_s == 10
    now_s[0] = 110.0
    with pytest.raises(DeadlineExceeded):
        request.check()
    assert request.remaining_s == 0
    now_s[0] = 100.0
    request.drained.set()
    with pytest.raises(ShuttingDown) as caught:
        request.check()
    assert caught.value.retry_after_s
    request.cancel()
    with pytest.raises(Cancelled):
        request.check()
    await asyncio.sleep(0)
