"""What a stream of documents is for: to be signed, or to be raised to a level. All in which the two methods differ on the caller's side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

import grpc
from google.protobuf.duration_pb2 import Duration

from signer.client import convert
from signer.client.authorization_values import Sad
from signer.client.authorizations import activation
from signer.client.convert_plan import signing_plan
from signer.client.values import Plan
from signer.model import Level, Profile
from signer.rpc_status import FailedCall
from signer.v1 import plan_pb2, signing_pb2, signing_pb2_grpc, timestamp_pb2, timestamp_pb2_grpc

_PROGRESS_S: Final = 1
_MESSAGE_BYTES: Final = 65_536
"""What every daemon takes, however it is configured."""
_EXTENDING_STALL_S: Final = 300.0
"""Without a document's end: longer than the daemon gives a document, its CAs and its authorities."""


class ResponseStream(FailedCall, Protocol):
    """What gRPC's call object is for its reader."""

    def __next__(self) -> Any: ...

    def cancel(self) -> bool:
        """Ends the call."""


class Order(Protocol):
    """What is wanted of documents."""

    @property
    def request(self) -> type[Any]:
        """The method's message: a oneof of header, document, chunk and lot."""

    @property
    def limits(self) -> signing_pb2.BatchAccepted | None:
        """What may be sent at once; None: the daemon says it first, in `accepted`."""

    @property
    def wants_evidence(self) -> bool:
        """Whether the summary tells of an evidence record."""

    @property
    def returns_appended(self) -> bool:
        """Whether results carry what is to be appended to the caller's own bytes."""

    def header(self, request_id: str, label: str, expected_documents: int) -> Any:
        """The first message."""

    def open(self, channel: grpc.Channel, requests: Iterator[Any], timeout_s: float) -> ResponseStream:
        """Starts the call."""

    def stall_s(self, policy_s: float) -> float:
        """How long nothing may come, where the policy says policy_s."""


@dataclass(frozen=True)
class Signing:
    """BatchSignDocuments. sad: what the key's holder allows; None where nobody's word is needed."""

    plan: Plan
    sad: Sad | None = None
    request: ClassVar[type[Any]] = signing_pb2.BatchSignDocumentsRequest
    limits: ClassVar[signing_pb2.BatchAccepted | None] = None

    @property
    def wants_evidence(self) -> bool:
        """The plan says it."""
        return self.plan.evidence is not None

    @property
    def returns_appended(self) -> bool:
        """What saves traffic: of a PDF only the incremental update comes back."""
        return self.plan.profile is Profile.PADES

    def header(self, request_id: str, label: str, expected_documents: int) -> signing_pb2.BatchSignDocumentsRequest:
        """With progress every second, which tells that the daemon is there."""
        message = signing_pb2.BatchSignDocumentsRequest()
        header = message.header
        header.request_id, header.school_id, header.label = request_id, self.plan.school_id, label
        header.plan.CopyFrom(signing_plan(self.plan))
        header.expected_documents, header.results_in_lots = expected_documents, True
        header.result_form = plan_pb2.RESULT_FORM_APPENDED_BYTES if self.returns_appended else plan_pb2.RESULT_FORM_FULL_DOCUMENT
        header.progress_interval.CopyFrom(Duration(seconds=_PROGRESS_S))
        if self.sad is not None:
            header.activation.CopyFrom(activation(self.sad))
        return message

    def open(self, channel: grpc.Channel, requests: Iterator[Any], timeout_s: float) -> ResponseStream:
        """Starts the call."""
        call: ResponseStream = signing_pb2_grpc.SigningServiceStub(channel).BatchSignDocuments(requests, timeout=timeout_s)
        return call

    def stall_s(self, policy_s: float) -> float:
        """Progress comes every second."""
        return policy_s


@dataclass(frozen=True)
class Extending:
    """ExtendDocuments."""

    school_id: str
    level: Level
    request: ClassVar[type[Any]] = timestamp_pb2.ExtendDocumentsRequest
    limits: ClassVar[signing_pb2.BatchAccepted | None] = signing_pb2.BatchAccepted(message_bytes_max=_MESSAGE_BYTES)
    wants_evidence: ClassVar[bool] = False
    returns_appended: ClassVar[bool] = False

    def header(self, request_id: str, label: str, expected_documents: int) -> timestamp_pb2.ExtendDocumentsRequest:  # noqa: ARG002
        """The method takes no label."""
        header = timestamp_pb2.ExtendHeader(
            request_id=request_id,
            school_id=self.school_id,
            level=convert.LEVEL_NUMBERS[self.level],
            expected_documents=expected_documents,
            results_in_lots=True,
        )
        return timestamp_pb2.ExtendDocumentsRequest(header=header)

    def open(self, channel: grpc.Channel, requests: Iterator[Any], timeout_s: float) -> ResponseStream:
        """Starts the call."""
        call: ResponseStream = timestamp_pb2_grpc.TimestampServiceStub(channel).ExtendDocuments(requests, timeout=timeout_s)
        return call

    def stall_s(self, policy_s: float) -> float:
        """Nothing tells progress."""
        return max(policy_s, _EXTENDING_STALL_S)
