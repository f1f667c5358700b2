"""Over a real grpc.aio server behind the real door: what is served answers, the rest of the contract says NOT_SERVED_YET."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.protobuf import descriptor
from google.protobuf.message_factory import GetMessageClass
from grpc import aio
from prometheus_client import CollectorRegistry

from signer.access.callers import CallerTable
from signer.access.settings import ClientSettings
from signer.config.server import ServerSettings
from signer.control.quotas import Quotas
from signer.demo.tls_pki import TlsIdentity, TlsPki
from signer.errors import CallerUnknown, NotServedYet
from signer.rpc_status import from_failed_call
from signer.server.door import Door
from signer.server.unserved import SERVICE_NAMES, add_services
from signer.telemetry.metrics import Metrics
from signer.v1 import credential_pb2, credential_pb2_grpc, signing_pb2, signing_pb2_grpc

_CLIENT = "school-software"
_SERVED = {"signer.v1.CredentialService.GetCredential", "signer.v1.SigningService.BatchSignDocuments"}


class _Credentials(credential_pb2_grpc.CredentialServiceServicer):
    async def GetCredential(  # noqa: N802
        self, request: credential_pb2.GetCredentialRequest, _context: Any
    ) -> credential_pb2.GetCredentialResponse:
        return credential_pb2.GetCredentialResponse(credential=credential_pb2.Credential(credential_id=request.credential_id))


class _Signing(signing_pb2_grpc.SigningServiceServicer):
    async def BatchSignDocuments(  # noqa: N802
        self, requests: AsyncIterator[signing_pb2.BatchSignDocumentsRequest], _context: Any
    ) -> AsyncIterator[signing_pb2.BatchSignDocumentsResponse]:
        async for _ in requests:
            yield signing_pb2.BatchSignDocumentsResponse()


def _pem(identity: TlsIdentity) -> tuple[bytes, bytes]:
    key = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key, identity.certificate.public_bytes(Encoding.PEM)


_Connect = Callable[[str], aio.Channel]


@pytest_asyncio.fixture
async def connect() -> AsyncIterator[_Connect]:
    """A running server; gives channels with a client certificate of its CA for a common name."""
    pki = TlsPki.create()
    root = pki.certificate.public_bytes(Encoding.PEM)
    settings = ServerSettings(Path("unused"), Path("unused"), Path("unused"))
    callers = CallerTable([ClientSettings(id=_CLIENT, common_name=_CLIENT, schools=("1",), operator=True)])
    quotas = Quotas(lambda: datetime.now(UTC), time.monotonic, lambda *_: None)
    server = aio.server(interceptors=[Door(settings, callers, quotas, Metrics.on(CollectorRegistry()))])
    assert add_services(server, _Credentials(), _Signing()) == _SERVED
    credentials = grpc.ssl_server_credentials([_pem(pki.server())], root_certificates=root, require_client_auth=True)
    port = server.add_secure_port("localhost:0", credentials)
    await server.start()
    channels: list[aio.Channel] = []

    def channel_of(common_name: str) -> aio.Channel:
        key, certificate = _pem(pki.client(common_name))
        channels.append(aio.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials(root, key, certificate)))
        return channels[-1]

    yield channel_of
    for each in channels:
        await each.close()
    await server.stop(None)


def _methods() -> list[descriptor.MethodDescriptor]:
    pool = signing_pb2.DESCRIPTOR.pool
    return [method for name in SERVICE_NAMES for method in pool.FindServiceByName(name).methods]


async def _call(channel: aio.Channel, method: descriptor.MethodDescriptor) -> list[Any]:
    """Calls a method with one empty message, as its arity wants it; returns the responses."""
    request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    arity = f"{'stream' if method.client_streaming else 'unary'}_{'stream' if method.server_streaming else 'unary'}"
    assert method.containing_service is not None
    open_call: Callable[..., Any] = getattr(channel, arity)(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=request.SerializeToString,
        response_deserializer=response.FromString,
    )
    call = open_call([request()] if method.client_streaming else request(), timeout=60)
    return [each async for each in call] if method.server_streaming else [await call]


async def test_every_method_that_is_not_served_says_so(connect: _Connect) -> None:
    channel = connect(_CLIENT)
    arities = set()
    for method in _methods():
        if method.full_name in _SERVED:
            continue
        arities.add((method.client_streaming, method.server_streaming))
        with pytest.raises(aio.AioRpcError) as caught:
            await _call(channel, method)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED, method.full_name
        error = from_failed_call(caught.value)
        assert type(error) is NotServedYet
        assert error.metadata == {"method": method.full_name}
    assert len(arities) == 4


async def test_the_served_methods_of_a_part_of_a_service_are_served(connect: _Connect) -> None:
    channel = connect(_CLIENT)
    credential = await credential_pb2_grpc.CredentialServiceStub(channel).GetCredential(
        credential_pb2.GetCredentialRequest(credential_id="seal"), timeout=5
    )
    assert credential.credential.credential_id == "seal"
    messages = iter([signing_pb2.BatchSignDocumentsRequest()] * 3)
    stream = signing_pb2_grpc.SigningServiceStub(channel).BatchSignDocuments(messages, timeout=60)
    assert len([each async for each in stream]) == 3


async def test_a_caller_nobody_configured_learns_nothing_of_what_is_served(connect: _Connect) -> None:
    stranger = connect("stranger")
    for method in _methods():
        with pytest.raises(aio.AioRpcError) as caught:
            await _call(stranger, method)
        assert type(from_failed_call(caught.value)) is CallerUnknown, method.full_name


def test_the_eight_services_are_registered() -> None:
    names = ["Signing", "Credential", "Authorization", "Record", "Validation", "Timestamp", "Audit", "Admin"]
    assert [f"signer.v1.{name}Service" for name in names] == list(SERVICE_NAMES)


async def test_wiring_mistakes_are_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        add_services(aio.server(), object())
    with pytest.raises(ValueError, match="two servicers"):
        add_services(aio.server(), _Signing(), _Signing())
