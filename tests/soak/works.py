"""Everything that one round does: every format, level and kind of key, and what goes wrong every day.

A work signs its documents under fresh ids and counts the signatures; it raises NotAsItShould when one of them is missing.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc

from signer.demo.ministry_xml import render_xml
from signer.demo.pupils import generate_class
from signer.errors import CredentialNotFound, SchoolNotFound
from signer.v1 import common_pb2, plan_pb2, record_pb2, record_pb2_grpc, signing_pb2_grpc, validation_pb2, validation_pb2_grpc
from tests.support import archive, calls, time_calls
from tests.support.calls import TIMEOUT_S, Answers, Request, fresh_id, header, plan, sign_batch, start
from tests.support.daemon import OTHER_SCHOOL, SCHOOL

B_B, B_T, B_LT, B_LTA = common_pb2.LEVEL_B_B, common_pb2.LEVEL_B_T, common_pb2.LEVEL_B_LT, common_pb2.LEVEL_B_LTA
_SLOTS = ((common_pb2.ROLE_HOMEROOM_TEACHER, "gvcn"), (common_pb2.ROLE_PRINCIPAL, "cbql"), (common_pb2.ROLE_CLERK, "seal"))
_BELOW = plan_pb2.PageRectangle(page=-1, x=320, y=90, width=180, height=70)
_LINES = ("Ký bởi: Nguyễn Thị Hiệu Trưởng", "Trường Tiểu học Thử Nghiệm")


class NotAsItShould(Exception):
    """The appliance did not do what the work asks for."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Who works: a connection, report cards to take by turns, and numbers of classes that nobody has seen before."""

    channel: grpc.Channel
    cards: list[bytes]
    class_numbers: Iterator[int]

    def some_cards(self, count: int) -> dict[str, bytes]:
        """Report cards under ids of their own."""
        return {f"card-{number}": content for number, content in enumerate(itertools.islice(itertools.cycle(self.cards), count))}

    def some_records(self, count: int) -> dict[str, bytes]:
        """Records that nobody has seen before."""
        school_class = generate_class(next(self.class_numbers), size=count)
        return {pupil.pupil_code: render_xml(school_class, pupil) for pupil in school_class.pupils}

    def sign(self, documents: Mapping[str, bytes], how: plan_pb2.SigningPlan, **changes: Any) -> dict[str, bytes]:
        """All of them, or NotAsItShould."""
        answers = sign_batch(self.channel, documents, plan=how, **changes)
        _require_all(answers, documents)
        return answers.signed()


Work = Callable[[Desk, int], int]
"""Does so many documents; how many signatures and timestamps came of it."""


def _require_all(answers: Answers, documents: Mapping[str, bytes]) -> None:
    if answers.reasons() or len(answers.signed()) != len(documents):
        raise NotAsItShould(f"{len(answers.signed())} of {len(documents)}: {answers.reasons()}")


def _cards(how: plan_pb2.SigningPlan, desk: Desk, count: int) -> int:
    return len(desk.sign(desk.some_cards(count), how))


def _xml(how: plan_pb2.SigningPlan, desk: Desk, count: int) -> int:
    return len(desk.sign(desk.some_records(count), how))


def _records_in_their_slots(desk: Desk, count: int) -> int:
    """Homeroom teacher, principal, seal: three signatures each."""
    documents = desk.some_records(count)
    for role, credential in _SLOTS:
        documents = desk.sign(documents, _in_slot(role, credential))
    return len(_SLOTS) * len(documents)


def _digests(credential: str, desk: Desk, count: int) -> int:
    digests = {f"d-{number}": hashlib.sha256(b"%d" % number).digest() for number in range(count)}
    response = calls.sign_digests(desk.channel, digests, credential_id=credential)
    return sum(not result.status.code for result in response.results)


def _one_by_one(desk: Desk, count: int) -> int:
    for content in desk.some_cards(count).values():
        calls.sign_document(desk.channel, content, plan=plan("ec", B_T))
    return count


def _imprints(desk: Desk, count: int) -> int:
    imprints = [hashlib.sha256(b"%d" % number).digest() for number in range(count)]
    results = time_calls.call(desk.channel, "StampImprints", digest_algorithm=time_calls.SHA256, imprints=imprints).results
    return sum(not result.status.code for result in results)


def _evidence(desk: Desk, count: int) -> int:
    how = plan("ec", B_B)
    how.evidence.create = True
    return len(desk.sign(desk.some_cards(count), how)) + 1


def _raised(desk: Desk, count: int) -> int:
    """Signed at B-B, raised to B-LTA afterwards."""
    signed = desk.sign(desk.some_cards(count), plan("ec", B_B))
    raised = archive.extend(desk.channel, signed)
    if raised.reasons():
        raise NotAsItShould(str(raised.reasons()))
    return 2 * len(signed)


def _judged(desk: Desk, count: int) -> int:
    """Signed, and judged by the appliance."""
    signed = desk.sign(desk.some_cards(count), plan("cbql", B_T))
    stub = validation_pb2_grpc.ValidationServiceStub(desk.channel)
    for content in signed.values():
        report = stub.ValidateDocument(validation_pb2.ValidateDocumentRequest(document=content), timeout=TIMEOUT_S).report
        if report.indication != validation_pb2.INDICATION_TOTAL_PASSED:
            raise NotAsItShould(str(report))
    return len(signed)


def _checked(desk: Desk, count: int) -> int:
    """Records looked at before anybody signs."""
    head = record_pb2.RecordCheckHeader(school_id=SCHOOL, record=plan_pb2.RecordPlan(role=common_pb2.ROLE_HOMEROOM_TEACHER))
    documents = [start(name, content).document for name, content in desk.some_records(count).items()]
    messages = [record_pb2.CheckRecordsRequest(header=head), *(record_pb2.CheckRecordsRequest(document=each) for each in documents)]
    list(record_pb2_grpc.RecordServiceStub(desk.channel).CheckRecords(iter(messages), timeout=TIMEOUT_S))
    return 0


def _repeated(desk: Desk, count: int) -> int:
    """The same ids twice: what comes the second time is what came the first time."""
    documents, request_id = desk.some_cards(count), fresh_id()
    first = desk.sign(documents, plan("cbql", B_T), request_id=request_id)
    if desk.sign(documents, plan("cbql", B_T), request_id=request_id) != first:
        raise NotAsItShould("another signature came for the same ids")
    return len(first)


def _spoiled(desk: Desk, count: int) -> int:
    """Every second document is cut off: it fails alone."""
    documents = desk.some_cards(count)
    for name in list(documents)[::2]:
        documents[name] = documents[name][:2000]
    answers = sign_batch(desk.channel, documents, plan=plan("ec", B_B))
    if len(answers.reasons()) != len(list(documents)[::2]):
        raise NotAsItShould(str(answers.reasons()))
    return len(answers.signed())


def _refused(desk: Desk, count: int) -> int:
    """Requests that no key is used for."""
    for _ in range(count):
        with calls.refused(CredentialNotFound):
            sign_batch(desk.channel, {}, plan=plan("nobody"))
        with calls.refused(SchoolNotFound):
            calls.sign_digests(desk.channel, {"d": bytes(32)}, school_id=OTHER_SCHOOL)
    return 0


def _broken_off(desk: Desk, count: int) -> int:
    """A caller who goes away after the first answer; the same ids sent again complete."""
    documents, request_id = desk.some_cards(count), fresh_id()
    changes = {"request_id": request_id, "plan": plan("ec", B_T)}
    messages = [Request(header=header(**changes)), *(start(name, content) for name, content in documents.items())]
    call = signing_pb2_grpc.SigningServiceStub(desk.channel).BatchSignDocuments(iter(messages), timeout=TIMEOUT_S)
    for message in call:
        if message.WhichOneof("message") == "result":
            call.cancel()
            break
    return _completed(desk, documents, changes)


def _completed(desk: Desk, documents: dict[str, bytes], changes: dict[str, Any]) -> int:
    """Repeats what may be repeated: an attempt of the call that was broken off can still be under way."""
    for _ in range(100):
        answers = sign_batch(desk.channel, documents, **changes)
        if not answers.reasons():
            return len(answers.signed())
        if set(answers.reasons().values()) != {"SIGNATURE_IN_PROGRESS"}:
            break
    raise NotAsItShould(str(answers.reasons()))


def _visible(credential: str, level: Any) -> plan_pb2.SigningPlan:
    made = plan(credential, level, field_name="KY")
    look = plan_pb2.Appearance(style=plan_pb2.APPEARANCE_STYLE_PERSON, image_id="teacher", lines=_LINES, rectangle=_BELOW)
    made.pades.appearance.CopyFrom(look)
    return made


def _in_slot(role: Any, credential: str) -> plan_pb2.SigningPlan:
    return plan_pb2.SigningPlan(
        credential_id=credential, profile=common_pb2.PROFILE_MINISTRY_XML, level=B_B, record=plan_pb2.RecordPlan(role=role)
    )


def _cades(credential: str, level: Any, packaging: Any) -> plan_pb2.SigningPlan:
    return plan_pb2.SigningPlan(
        credential_id=credential, profile=common_pb2.PROFILE_CADES, level=level, cades=plan_pb2.CadesOptions(packaging=packaging)
    )


def _xades(credential: str, level: Any, packaging: Any) -> plan_pb2.SigningPlan:
    return plan_pb2.SigningPlan(
        credential_id=credential, profile=common_pb2.PROFILE_XADES, level=level, xades=plan_pb2.XadesOptions(packaging=packaging)
    )


WORKS: Mapping[str, Work] = {
    "PAdES B-B, RSA": partial(_cards, plan("cbql", B_B)),
    "PAdES B-B, P-256": partial(_cards, plan("ec", B_B)),
    "PAdES B-T, RSA": partial(_cards, plan("cbql", B_T)),
    "PAdES B-T, P-256": partial(_cards, plan("ec", B_T)),
    "PAdES B-B visible, RSA": partial(_cards, _visible("cbql", B_B)),
    "PAdES B-T visible, P-256": partial(_cards, _visible("ec", B_T)),
    "PAdES B-LT, P-256": partial(_cards, plan("ec", B_LT)),
    "PAdES B-LTA, RSA": partial(_cards, plan("gvcn", B_LTA)),
    "PAdES B-B raised to B-LTA": _raised,
    "the Ministry's XML, three slots": _records_in_their_slots,
    "XAdES B-B enveloped, RSA": partial(_xml, _xades("cbql", B_B, common_pb2.PACKAGING_ENVELOPED)),
    "XAdES B-T enveloping, P-256": partial(_xml, _xades("ec", B_T, common_pb2.PACKAGING_ENVELOPING)),
    "XAdES B-T detached, RSA": partial(_cards, _xades("cbql", B_T, common_pb2.PACKAGING_DETACHED)),
    "CAdES B-B detached, RSA": partial(_cards, _cades("cbql", B_B, common_pb2.PACKAGING_DETACHED)),
    "CAdES B-T enveloping, P-256": partial(_cards, _cades("ec", B_T, common_pb2.PACKAGING_ENVELOPING)),
    "digests, RSA": partial(_digests, "cbql"),
    "digests, P-256": partial(_digests, "ec"),
    "one document a call": _one_by_one,
    "timestamps alone": _imprints,
    "a batch with an evidence record": _evidence,
    "signed and judged": _judged,
    "records checked": _checked,
    "the same ids again": _repeated,
    "every second document spoiled": _spoiled,
    "requests refused": _refused,
    "a batch broken off and sent again": _broken_off,
}
"""By what the report calls them."""


def cards_in(folder: Path) -> list[bytes]:
    """The report cards of a folder."""
    return [path.read_bytes() for path in sorted(folder.iterdir())]
