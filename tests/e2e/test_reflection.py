"""Reflection and the rest of the contract: everything is listed, and what is not served says so by name."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from signer.errors import CallerUnknown, NotServedYet
from signer.v1 import (
    admin_pb2,
    audit_pb2,
    authorization_pb2,
    credential_pb2,
    record_pb2,
    signing_pb2,
    timestamp_pb2,
    validation_pb2,
)
from tests.support.calls import metric, our_errors, refused
from tests.support.daemon import Running, World

FILES: tuple[Any, ...] = (
    admin_pb2,
    audit_pb2,
    authorization_pb2,
    credential_pb2,
    record_pb2,
    signing_pb2,
    timestamp_pb2,
    validation_pb2,
)
SERVICES = [service for file in FILES for service in file.DESCRIPTOR.services_by_name.values()]
LATER = {"signer.v1.AdminService.ReleaseTimestampAuthority"}
UNSERVED = [method for service in SERVICES for method in service.methods if method.full_name in LATER]


def call(channel: grpc.Channel, method: MethodDescriptor) -> None:
    """Calls a method with an empty message, whatever its arity; raises what it answers."""
    request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    kinds = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
        (True, True): channel.stream_stream,
    }
    path = f"/{method.containing_service.full_name}/{method.name}"
    make: Any = kinds[method.client_streaming, method.server_streaming]
    stub = make(path, request_serializer=request.SerializeToString, response_deserializer=response.FromString)
    message = iter([request()]) if method.client_streaming else request()
    with our_errors():
        answer = stub(message, timeout=60)
        if method.server_streaming:
            list(answer)


@pytest.mark.parametrize("method", UNSERVED, ids=lambda method: method.full_name)
def test_what_is_not_served_says_so_by_name(method: MethodDescriptor, operator: grpc.Channel) -> None:
    with refused(NotServedYet, grpcCode="UNIMPLEMENTED", method=method.full_name):
        call(operator, method)


def test_an_unlisted_client_is_not_even_told_what_is_served(world: World, daemon: Running) -> None:
    with world.channel(daemon.port, "unlisted") as channel, refused(CallerUnknown):
        call(channel, UNSERVED[0])


def test_a_method_that_no_contract_has_is_unimplemented_and_counted_under_no_name_of_its_own(school: grpc.Channel, daemon: Running) -> None:
    unknown = school.unary_unary("/signer.v1.SigningService/SignEverything", request_serializer=bytes, response_deserializer=bytes)
    with pytest.raises(grpc.RpcError) as caught:
        unknown(b"", timeout=60)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert metric(daemon.metrics_port(), "signer_rpcs_total", method="SigningService/SignEverything") == 0


def test_reflection_lists_every_service_with_its_methods(school: grpc.Channel) -> None:
    database = ProtoReflectionDescriptorDatabase(school)
    names = {service.full_name for service in SERVICES}
    assert set(database.get_services()) == names | {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
    for service in SERVICES:
        file = database.FindFileContainingSymbol(service.full_name)
        (described,) = [one for one in file.service if one.name == service.name]
        assert [method.name for method in described.method] == [method.name for method in service.methods]
