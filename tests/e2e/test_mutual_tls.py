"""Who gets through TLS, and who is known behind it."""

from __future__ import annotations

import socket
import ssl

import grpc
import pytest

from signer.errors import CallerUnknown, ServiceUnreachable, SignerError
from signer.v1 import credential_pb2, credential_pb2_grpc
from tests.support.calls import metric, our_errors, refused, sign_digests
from tests.support.daemon import SCHOOL, Running, World

TIMEOUT_S = 10.0


def list_credentials(channel: grpc.Channel) -> credential_pb2.ListCredentialsResponse:
    stub = credential_pb2_grpc.CredentialServiceStub(channel)
    with our_errors():
        return stub.ListCredentials(credential_pb2.ListCredentialsRequest(school_id=SCHOOL), timeout=TIMEOUT_S)


def test_a_configured_client_is_served(school: grpc.Channel) -> None:
    assert list_credentials(school).credentials


def test_a_certificate_of_our_ca_that_no_client_owns_is_refused_by_name(world: World, daemon: Running) -> None:
    before = metric(daemon.metrics_port(), "signer_rpcs_total", reason="CALLER_UNKNOWN")
    with world.channel(daemon.port, "unlisted") as channel:
        with refused(CallerUnknown, grpcCode="UNAUTHENTICATED") as caught:
            list_credentials(channel)
        assert len(caught.value.metadata["certificateSha256"]) == 64, "what the operator would enter"
        with refused(CallerUnknown):
            sign_digests(channel, {"d": bytes(32)})
    assert metric(daemon.metrics_port(), "signer_rpcs_total", reason="CALLER_UNKNOWN") == before + 2


def test_the_same_name_from_another_ca_does_not_get_through_tls(world: World, daemon: Running) -> None:
    with world.channel(daemon.port, "stranger") as channel, refused(ServiceUnreachable, grpcCode="UNAVAILABLE"):
        list_credentials(channel)


def test_no_client_certificate_does_not_get_through_tls(world: World, daemon: Running) -> None:
    credentials = grpc.ssl_channel_credentials((world.pki / "tls-ca.crt").read_bytes())
    with grpc.secure_channel(f"localhost:{daemon.port}", credentials) as channel, refused(ServiceUnreachable):
        list_credentials(channel)


def test_plaintext_does_not_get_through(daemon: Running) -> None:
    with grpc.insecure_channel(f"localhost:{daemon.port}") as channel, refused(ServiceUnreachable):
        list_credentials(channel)


def test_a_client_notices_a_server_of_another_name(world: World, daemon: Running) -> None:
    """The server proves itself as well."""
    with (
        world.channel(daemon.port, options=[("grpc.ssl_target_name_override", "not.this.host")]) as channel,
        refused(ServiceUnreachable),
    ):
        list_credentials(channel)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1])
def test_versions_before_tls_1_3_are_refused(version: ssl.TLSVersion, world: World, daemon: Running) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(world.pki / "tls-ca.crt")
    context.load_cert_chain(world.pki / "school.crt", world.pki / "school.key")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", daemon.port), timeout=TIMEOUT_S) as raw,
        pytest.raises(ssl.SSLError, match=r"EOF|ALERT"),
    ):
        context.wrap_socket(raw, server_hostname="localhost").do_handshake()


def test_garbage_on_the_port_harms_nobody(school: grpc.Channel, daemon: Running) -> None:
    for garbage in (b"", b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 40, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=TIMEOUT_S) as raw:
            raw.sendall(garbage)
    assert list_credentials(school).credentials


def test_a_refusal_names_no_other_client_and_no_school(world: World, daemon: Running) -> None:
    with world.channel(daemon.port, "unlisted") as channel, pytest.raises(SignerError) as caught:
        list_credentials(channel)
    told = caught.value.message + str(caught.value.metadata)
    assert SCHOOL not in told
    assert "other-school" not in told
