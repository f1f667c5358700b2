"""Our errors over gRPC: the table is complete, every leaf survives the way there and back, and secrets of the inside stay inside."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from signer.errors import (
    DeadlineExceeded,
    DocumentTooLarge,
    InternalError,
    InvalidArgument,
    QueueFull,
    Reason,
    ServiceUnreachable,
    SignerError,
    Unrecognized,
    leaves,
)
from signer.rpc_status import (
    CODES,
    DOMAIN,
    abort_arguments,
    as_signer_error,
    from_failed_call,
    from_rpc_status,
    to_rpc_status,
)

# A key may have been used, or repeating can't succeed: clients and proxies must not repeat these by themselves.
_NEVER_UNAVAILABLE = {
    Reason.TOKEN_TIMED_OUT,
    Reason.SIGNATURE_OUTCOME_UNKNOWN,
    Reason.TOKEN_SIGNATURE_WRONG,
    Reason.PIN_HELD,
    Reason.PIN_LOCKED,
    Reason.INTERNAL,
}


class _Call:
    """What grpc gives for a failed call."""

    def __init__(self, code: grpc.StatusCode, details: str = "", metadata: tuple[tuple[str, str | bytes], ...] | None = None) -> None:
        self._code, self._details, self._metadata = code, details, metadata

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> tuple[tuple[str, str | bytes], ...] | None:
        return self._metadata


def _details(status: status_pb2.Status, empty: Message) -> list[Message]:
    return [empty for packed in status.details if packed.Unpack(empty)]


def test_every_leaf_has_a_code_and_every_code_a_leaf() -> None:
    assert set(CODES) == set(leaves())


def test_no_leaf_answers_ok() -> None:
    assert grpc.StatusCode.OK not in CODES.values()


@pytest.mark.parametrize("reason", sorted(_NEVER_UNAVAILABLE, key=str))
def test_what_must_not_be_repeated_blindly_is_not_unavailable(reason: Reason) -> None:
    assert CODES[reason] not in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}


@pytest.mark.parametrize("kind", [kind for reason, kind in leaves().items() if reason is not Reason.INTERNAL])
def test_a_leaf_arrives_as_itself_with_message_metadata_and_delay(kind: type[SignerError]) -> None:
    sent = kind("thẻ đang bận", retry_after_s=1.25, credentialId="seal-1", limitBytes=7)
    status = to_rpc_status(sent)
    received = from_rpc_status(status_pb2.Status.FromString(status.SerializeToString()))
    assert type(received) is kind
    assert (received.reason, received.message, received.retry_after_s) == (kind.reason, "thẻ đang bận", 1.25)
    assert received.metadata.items() >= {"credentialId": "seal-1", "limitBytes": "7"}.items()
    info = error_details_pb2.ErrorInfo()
    assert _details(status, info)
    assert (info.reason, info.domain) == (kind.reason.value, DOMAIN)


@pytest.mark.parametrize("kind", leaves().values())
def test_a_failed_call_arrives_as_its_leaf(kind: type[SignerError]) -> None:
    code, message, metadata = abort_arguments(kind("why"))
    received = from_failed_call(_Call(code, message, metadata))
    assert type(received) is kind
    assert code is CODES[kind.reason]


def test_a_field_that_is_wrong_is_named() -> None:
    bad = error_details_pb2.BadRequest()
    assert _details(to_rpc_status(InvalidArgument("must be 32 bytes", field="items[3].digest")), bad)
    assert [(each.field, each.description) for each in bad.field_violations] == [("items[3].digest", "must be 32 bytes")]


def test_only_errors_with_a_delay_tell_one() -> None:
    retry = error_details_pb2.RetryInfo()
    assert not _details(to_rpc_status(DocumentTooLarge("too large", limitBytes=1)), retry)
    assert _details(to_rpc_status(QueueFull("full", retry_after_s=0.2)), retry)
    assert retry.retry_delay.ToMilliseconds() == 200


@pytest.mark.parametrize("error", [ValueError("PIN 1234 at /etc/pin"), InternalError("PIN 1234 at /etc/pin", path="/etc/pin")])
def test_an_unexpected_exception_shows_a_reference_and_nothing_else(error: Exception) -> None:
    outgoing = as_signer_error(error)
    status = to_rpc_status(outgoing)
    assert b"1234" not in status.SerializeToString()
    assert b"/etc/pin" not in status.SerializeToString()
    assert status.code == grpc.StatusCode.INTERNAL.value[0]
    assert outgoing.metadata["reference"] in status.message
    assert from_rpc_status(status).metadata == outgoing.metadata


def test_references_differ() -> None:
    assert as_signer_error(ValueError()).metadata != as_signer_error(ValueError()).metadata


def test_a_long_message_still_fits_the_trailing_metadata() -> None:
    _, message, metadata = abort_arguments(InvalidArgument("ễ" * 100_000, field="x"))
    assert message == "ễ" * len(message)
    assert len(message) > 200
    assert len(quote(message)) + len(b64encode(metadata[0][1])) < 8 * 1024


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (_Call(grpc.StatusCode.UNAVAILABLE, "failed to connect", None), ServiceUnreachable),
        (_Call(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", ()), DeadlineExceeded),
        (_Call(grpc.StatusCode.PERMISSION_DENIED, "by a proxy", ()), Unrecognized),
        (_Call(grpc.StatusCode.INTERNAL, "garbled", (("grpc-status-details-bin", b"\xff\xff"),)), Unrecognized),
    ],
)
def test_what_grpc_itself_answers_becomes_a_leaf(call: _Call, kind: type[SignerError]) -> None:
    assert type(from_failed_call(call)) is kind


def test_a_reason_of_a_newer_daemon_is_kept_in_the_metadata() -> None:
    status = to_rpc_status(QueueFull("later", retry_after_s=2))
    info = error_details_pb2.ErrorInfo(reason="FROM_THE_FUTURE", domain=DOMAIN, metadata={"a": "b"})
    status.details[0].Pack(info)
    received = from_rpc_status(status)
    assert type(received) is Unrecognized
    assert received.metadata == {"a": "b", "code": "RESOURCE_EXHAUSTED", "remoteReason": "FROM_THE_FUTURE"}
    assert received.retry_after_s == 2
