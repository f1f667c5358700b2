"""Fields of the contract that this release does not serve yet: refused by name where they are set, never silently left out.

A certification that was asked for and not made, or an activation that nobody looked at, would be a lie. Enums are looked at as well: a
number that the contract does not have is refused before a key is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from signer.errors import InvalidArgument, NotServedYet
from signer.v1 import batch_pb2, plan_pb2, signing_pb2

_SERVED: dict[Descriptor, frozenset[str]] = {
    plan_pb2.SigningPlan.DESCRIPTOR: frozenset(
        {"credential_id", "profile", "level", "algorithm", "timestamp_shortage", "pades", "cades", "xades", "record", "evidence"}
    ),
    plan_pb2.EvidencePlan.DESCRIPTOR: frozenset({"create", "digest_algorithm"}),
    plan_pb2.PadesOptions.DESCRIPTOR: frozenset(
        {"field_name", "name", "reason", "location", "appearance", "doc_mdp", "field_lock", "locked_fields"}
    ),
    plan_pb2.CadesOptions.DESCRIPTOR: frozenset({"packaging", "content_type"}),
    plan_pb2.XadesOptions.DESCRIPTOR: frozenset({"packaging", "reference_id", "placement_xpath", "canonicalization"}),
    plan_pb2.RecordPlan.DESCRIPTOR: frozenset({"role", "layout_id", "slot", "subject_id", "class_id", "school_year", "delegation_id"}),
    plan_pb2.Appearance.DESCRIPTOR: frozenset({"style", "image_id", "lines", "rectangle", "anchor"}),
    batch_pb2.BatchHeader.DESCRIPTOR: frozenset(
        {
            "request_id",
            "school_id",
            "plan",
            "activation",
            "expected_documents",
            "result_form",
            "progress_interval",
            "label",
            "results_in_lots",
        }
    ),
    batch_pb2.DocumentStart.DESCRIPTOR: frozenset({"document_id", "size_bytes", "data", "sha256", "file_name", "field_name", "list_proof"}),
    signing_pb2.SignDocumentRequest.DESCRIPTOR: frozenset(
        {"request_id", "school_id", "document_id", "plan", "document", "sha256", "result_form", "file_name", "activation"}
    ),
    signing_pb2.SignDigestsRequest.DESCRIPTOR: frozenset(
        {"request_id", "school_id", "credential_id", "algorithm", "items", "output", "level", "activation"}
    ),
    signing_pb2.DigestItem.DESCRIPTOR: frozenset({"document_id", "digest", "list_proof"}),
}
"""The messages of a signing request, and the fields of each that are served."""


_IsSet = Callable[[Message], bool]


def require_served(message: Message, path: str = "") -> None:
    """NotServedYet for a field that is set and not served, InvalidArgument for an enum value unknown to the contract.

    path: what stands before a field's name in the error, such as `plan.`. Looks at the message itself and at its plan.
    """
    for name, is_set in _unserved(message.DESCRIPTOR):
        if is_set(message):
            raise NotServedYet(f"{path}{name} is part of the contract, but not served by this release; leave it unset", field=path + name)
    for field, values in _enums(message.DESCRIPTOR):
        _require_value(message, field, values, path)
    for inner in ("plan", "pades", "cades", "xades", "record", "appearance", "evidence"):
        if inner in message.DESCRIPTOR.fields_by_name and message.HasField(inner):
            require_served(getattr(message, inner), f"{path}{inner}.")


def _require_value(message: Message, field: str, values: Mapping[int, str], path: str) -> None:
    value = getattr(message, field)
    if value not in values:
        raise InvalidArgument(f"{path}{field} {value} is not one of this contract", field=path + field)


@cache
def _unserved(kind: Descriptor) -> tuple[tuple[str, _IsSet], ...]:
    return tuple((field.name, _presence(field)) for field in kind.fields if field.name not in _SERVED[kind])


@cache
def _enums(kind: Descriptor) -> tuple[tuple[str, dict[int, str]], ...]:
    """The served enum fields (none is repeated), each with the names of its values."""
    return tuple(
        (field.name, {value.number: value.name for value in field.enum_type.values})
        for field in kind.fields
        if field.enum_type is not None and field.name in _SERVED[kind]
    )


def _presence(field: FieldDescriptor) -> _IsSet:
    name = field.name
    if field.has_presence:
        return lambda message: message.HasField(name)
    if field.is_repeated:
        return lambda message: len(getattr(message, name)) > 0
    default = field.default_value
    return lambda message: bool(getattr(message, name) != default)


def require_all_served(messages: Iterable[Message], path: str) -> None:
    """The same for each of many."""
    for message in messages:
        require_served(message, path)
