"""Orders to the load client, and requests put together from parts encoded once.

Protobuf's encoding lets fields of one message be concatenated: the part that differs (ids) goes before the part that stays (documents).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from signer.model import Level, Profile
from signer.v1 import batch_pb2, common_pb2, plan_pb2, signing_pb2

_LEVELS = {Level.B_B: common_pb2.LEVEL_B_B, Level.B_T: common_pb2.LEVEL_B_T}
_ROLES = {"gvcn": common_pb2.ROLE_HOMEROOM_TEACHER, "cbql": common_pb2.ROLE_PRINCIPAL, "seal": common_pb2.ROLE_CLERK}
_LOT_TAG = b"\x22"
"""Field 4 (lot) of BatchSignDocumentsRequest, length-delimited."""
_DOCUMENT_TAG = b"\x0a"
"""Field 1 (documents) of DocumentLot."""
_LOT_DOCUMENTS = 8
_VARINT_PART = 0x7F


class Work(Enum):
    """What an order asks for."""

    DIGESTS = "digests"
    DOCUMENT = "document"
    BATCH = "batch"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of load.

    seconds: how long new calls or batches are begun; 0: one. batch: items a call. in_flight: calls at once (DIGESTS). folder: documents, in
    the order of their names and over again. full: ask for whole documents. whole_batches: note how long batches take, not documents.
    keep: folder that the signed documents are written to, under the names of the originals. visible: with an appearance. profile: any but
    PADES brings the whole signed file back.
    """

    work: Work
    school: str
    credential: str
    seconds: float
    batch: int = 35
    in_flight: int = 1
    level: Level = Level.B_B
    field_name: str = ""
    folder: str = ""
    full: bool = False
    whole_batches: bool = False
    keep: str = ""
    visible: bool = False
    profile: Profile = Profile.PADES


def plan(order: Order) -> plan_pb2.SigningPlan:
    """How the order's documents are signed."""
    if order.profile is not Profile.PADES:
        number = common_pb2.Profile.Value(f"PROFILE_{order.profile.name}")
        made = plan_pb2.SigningPlan(credential_id=order.credential, profile=number, level=_LEVELS[order.level])
        if order.profile is Profile.MINISTRY_XML:
            made.record.role = _ROLES[order.credential]
        return made
    pades = plan_pb2.PadesOptions(field_name=order.field_name)
    if order.visible:
        pades.appearance.CopyFrom(
            plan_pb2.Appearance(
                style=plan_pb2.APPEARANCE_STYLE_PERSON,
                lines=["Ký bởi: Nguyễn Thị Hiệu Trưởng", "Trường Tiểu học Thử Nghiệm"],
                rectangle=plan_pb2.PageRectangle(page=-1, x=320, y=90, width=180, height=70),
            )
        )
    return plan_pb2.SigningPlan(credential_id=order.credential, profile=common_pb2.PROFILE_PADES, level=_LEVELS[order.level], pades=pades)


def result_form(order: Order) -> plan_pb2.ResultForm.ValueType:
    return plan_pb2.RESULT_FORM_FULL_DOCUMENT if _is_whole(order) else plan_pb2.RESULT_FORM_APPENDED_BYTES


def _is_whole(order: Order) -> bool:
    return order.full or order.profile is not Profile.PADES


def with_request_id(request_id: str, tail: bytes) -> bytes:
    """A SignDigestsRequest or SignDocumentRequest: both have it as field 1."""
    return signing_pb2.SignDocumentRequest(request_id=request_id).SerializeToString() + tail


def digests_tail(order: Order) -> bytes:
    """A SignDigestsRequest without its request id."""
    items = [signing_pb2.DigestItem(document_id=f"d{i}", digest=hashlib.sha256(str(i).encode()).digest()) for i in range(order.batch)]
    return signing_pb2.SignDigestsRequest(school_id=order.school, credential_id=order.credential, items=items).SerializeToString()


def document_tails(order: Order) -> list[bytes]:
    """SignDocumentRequests without their request ids."""
    return [
        signing_pb2.SignDocumentRequest(
            school_id=order.school, document_id="d", plan=plan(order), document=content, result_form=result_form(order)
        ).SerializeToString()
        for _name, content in _contents(order)
    ]


def header(order: Order, request_id: str) -> bytes:
    """The first message of a batch."""
    message = batch_pb2.BatchHeader(
        request_id=request_id,
        school_id=order.school,
        plan=plan(order),
        expected_documents=order.batch,
        result_form=result_form(order),
        results_in_lots=True,
    )
    return signing_pb2.BatchSignDocumentsRequest(header=message).SerializeToString()


class Documents:
    """The documents of a folder as messages of a batch."""

    def __init__(self, order: Order) -> None:
        self._contents = _contents(order)
        self._tails = [
            batch_pb2.DocumentStart(size_bytes=len(content), data=content).SerializeToString() for _name, content in self._contents
        ]
        self._keep = Path(order.keep) if order.keep else None
        self._full = _is_whole(order)

    def messages(self, count: int) -> Iterator[tuple[int, bytes]]:
        """count documents, each with an id of its own, in lots; how many, and the message."""
        for first in range(0, count, _LOT_DOCUMENTS):
            lot = [self._document(index) for index in range(first, min(first + _LOT_DOCUMENTS, count))]
            yield len(lot), _LOT_TAG + _varint(sum(map(len, lot))) + b"".join(lot)

    def _document(self, index: int) -> bytes:
        body = batch_pb2.DocumentStart(document_id=f"{index:05}").SerializeToString() + self._tails[index % len(self._tails)]
        return _DOCUMENT_TAG + _varint(len(body)) + body

    def keep(self, result: Any) -> None:
        """Writes the signed document where the order wants it, under its original's name."""
        if self._keep is not None and result.index < len(self._contents):
            name, content = self._contents[result.index]
            (self._keep / name).write_bytes(result.content if self._full else content + result.content)


def _contents(order: Order) -> list[tuple[str, bytes]]:
    return [(path.name, path.read_bytes()) for path in sorted(Path(order.folder).iterdir())]


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > _VARINT_PART:
        parts.append(value & _VARINT_PART | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
