"""Every method of the contract answers: served ones by their servicer, the others with NOT_SERVED_YET.

The generated `add_…Servicer_to_server` would answer a method that a servicer lacks with a bare UNIMPLEMENTED, or with UNKNOWN; callers
could not tell "this release does not serve it" from a wrong address. So handlers are made here, straight from the descriptors: one
for each method, whatever its arity. A method is served if its servicer's class overrides the generated one.

Rule: refusals are raised, not aborted, as in every handler: the door (an interceptor) turns them into a status, counts and logs them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc import aio

from signer.errors import NotServedYet
from signer.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    audit_pb2,
    audit_pb2_grpc,
    authorization_pb2,
    authorization_pb2_grpc,
    credential_pb2,
    credential_pb2_grpc,
    record_pb2,
    record_pb2_grpc,
    signing_pb2,
    signing_pb2_grpc,
    timestamp_pb2,
    timestamp_pb2_grpc,
    validation_pb2,
    validation_pb2_grpc,
)

_FILES_AND_BASES: tuple[tuple[Any, type], ...] = (
    (signing_pb2, signing_pb2_grpc.SigningServiceServicer),
    (credential_pb2, credential_pb2_grpc.CredentialServiceServicer),
    (authorization_pb2, authorization_pb2_grpc.AuthorizationServiceServicer),
    (record_pb2, record_pb2_grpc.RecordServiceServicer),
    (validation_pb2, validation_pb2_grpc.ValidationServiceServicer),
    (timestamp_pb2, timestamp_pb2_grpc.TimestampServiceServicer),
    (audit_pb2, audit_pb2_grpc.AuditServiceServicer),
    (admin_pb2, admin_pb2_grpc.AdminServiceServicer),
)
_BASES: dict[ServiceDescriptor, type] = {
    service: base for module, base in _FILES_AND_BASES for service in module.DESCRIPTOR.services_by_name.values()
}

SERVICE_NAMES = tuple(service.full_name for service in _BASES)
"""Full names of the contract's services, for health and reflection."""

_Behaviour = Callable[[Any, Any], Awaitable[Any] | AsyncIterator[Any]]

_ARITIES: dict[tuple[bool, bool], Callable[..., grpc.RpcMethodHandler[Any, Any]]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
"""By whether the client streams and whether the server streams."""


def add_services(server: aio.Server, *servicers: object) -> frozenset[str]:
    """Registers the whole contract on a server that is not started; returns the full names of the methods that are served.

    servicers: instances of generated servicer classes, at most one a service, each as complete as this release is.
    Raises TypeError for anything else, ValueError for two of one service: bugs of the wiring.
    """
    by_service = {_service_of(servicer): servicer for servicer in servicers}
    if len(by_service) != len(servicers):
        raise ValueError("two servicers of one service")
    served: set[str] = set()
    for service, base in _BASES.items():
        servicer = by_service.get(service)
        behaviours = dict(_own_behaviours(service, base, servicer)) if servicer else {}
        served.update(f"{service.full_name}.{name}" for name in behaviours)
        handlers = {method.name: _handler(method, behaviours.get(method.name) or _refusal(method)) for method in service.methods}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
    return frozenset(served)


def _service_of(servicer: object) -> ServiceDescriptor:
    for service, base in _BASES.items():
        if isinstance(servicer, base):
            return service
    raise TypeError(f"{type(servicer).__name__} is no servicer of the contract")


def _own_behaviours(service: ServiceDescriptor, base: type, servicer: object) -> Iterator[tuple[str, _Behaviour]]:
    """The methods that the servicer's class really has."""
    for method in service.methods:
        if getattr(type(servicer), method.name) is not getattr(base, method.name):
            yield method.name, getattr(servicer, method.name)


def _handler(method: MethodDescriptor, behaviour: _Behaviour) -> grpc.RpcMethodHandler[Any, Any]:
    request: type[Message] = GetMessageClass(method.input_type)
    response: type[Message] = GetMessageClass(method.output_type)
    make = _ARITIES[method.client_streaming, method.server_streaming]
    return make(behaviour, request_deserializer=request.FromString, response_serializer=response.SerializeToString)


def _refusal(method: MethodDescriptor) -> _Behaviour:
    """A behaviour of the method's arity that reads nothing and refuses."""
    full_name = method.full_name

    def refuse() -> NotServedYet:
        return NotServedYet(f"{full_name} is part of the contract, but this release does not serve it", method=full_name)

    async def single(_messages: Any, _context: Any) -> Any:
        raise refuse()

    async def stream(_messages: Any, _context: Any) -> AsyncIterator[Any]:
        raise refuse()
        yield  # makes it an asynchronous generator, which the door iterates

    return stream if method.server_streaming else single
