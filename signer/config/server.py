"""What the gRPC door listens on, proves itself with, and limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from signer.settings import ListenAddress

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """`[server.limits]`: how much one request may ask for. Each limit is answered with a reason of its own."""

    document_bytes_max: Annotated[
        int, Field(ge=1024, le=512 * _MIB, description="Largest document; a larger one fails alone with DOCUMENT_TOO_LARGE.")
    ] = 20 * _MIB
    batch_documents_max: Annotated[
        int,
        Field(ge=1, le=1_000_000, description="Most documents in one batch; those beyond it fail with BATCH_TOO_LARGE, the earlier go on."),
    ] = 10_000
    batch_in_flight_documents: Annotated[
        int,
        Field(
            ge=1,
            le=10_000,
            description="Documents of one batch worked on at once; beyond it the stream is read no further until one is done.",
        ),
    ] = 64
    batch_in_flight_bytes_max: Annotated[
        int,
        Field(
            ge=1024,
            le=16_384 * _MIB,
            description="Bytes of one batch held at once; beyond it the stream is read no further. At least document_bytes_max.",
        ),
    ] = 64 * _MIB
    digests_per_call_max: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000,
            description="Most digests in one SignDigests call; more is refused as a whole with BATCH_TOO_LARGE. The answer takes up to "
            "1 KiB a digest, so message_bytes_max limits it as well.",
        ),
    ] = 4_000


class TlsVersion(Enum):
    """The oldest version of TLS that is spoken."""

    TLS_1_2 = "1.2"
    TLS_1_3 = "1.3"


class ExpiredCrl(Enum):
    """What becomes of certificates whose CA's revocation list has run out."""

    REFUSE = "refuse"
    ACCEPT = "accept"


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """`[server.connections]`: what a connection may cost before anything is asked over it, and how long it may stay."""

    connections_max: Annotated[
        int,
        Field(
            ge=1, le=1_000_000, description="Connections open at once; one more is closed before its handshake. Needs as many open files."
        ),
    ] = 4096
    streams_max: Annotated[
        int, Field(ge=1, le=100_000, description="Calls open at once on one connection; the client holds the next one back.")
    ] = 100
    handshake_s_max: Annotated[
        float, Field(ge=1, le=120, description="From the connection's first moment to the end of its TLS handshake.")
    ] = 10.0
    idle_s_max: Annotated[
        float, Field(ge=1, le=86_400, description="A connection without a call is closed after it; clients make another by themselves.")
    ] = 900.0
    age_s_max: Annotated[
        float,
        Field(
            ge=1,
            le=604_800,
            description="Any connection is closed after it (a tenth more or less), and its calls have deadline_s_max to end: so clients "
            "spread over replicas again.",
        ),
    ] = 3600.0
    ping_interval_s_min: Annotated[
        float, Field(ge=0.1, le=7200, description="Pings without a call that come faster than this, three times, cost the connection.")
    ] = 10.0


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """`[server]`: the gRPC door. Mutual TLS always: there is no way to switch it off."""

    tls_certificate: Annotated[
        Path, Field(description="PEM: the server's certificate, then its intermediates. School software verifies it.")
    ]
    tls_private_key: Annotated[Path, Field(description="PEM: the private key of tls_certificate, without a passphrase; mode 0600.")]
    tls_client_ca: Annotated[
        Path, Field(description="PEM: the CAs whose client certificates are let in; `[[clients]]` then says who each of them is.")
    ]
    tls_client_crls: Annotated[
        tuple[Path, ...],
        Field(
            description="PEM or DER: revocation lists of CAs of tls_client_ca. A certificate that stands in its CA's list is nobody's "
            "from the next call on; fetch lists by timer and `systemctl reload signer`. CAs without one are believed as they are."
        ),
    ] = ()
    tls_client_crl_expired: Annotated[
        ExpiredCrl,
        Field(
            description='What an expired list means for its CA\'s certificates: "refuse" takes none of them until a new one was read, '
            '"accept" all that it does not name.'
        ),
    ] = ExpiredCrl.REFUSE
    tls_version_min: Annotated[
        TlsVersion,
        Field(
            description='"1.2" also lets in school software that knows no newer one (ECDHE with AES-GCM or ChaCha20 alone). The ciphers of '
            "1.3 are AES-GCM and ChaCha20."
        ),
    ] = TlsVersion.TLS_1_3
    listen: Annotated[ListenAddress, Field(description="Address and port; port 0 takes a free one and logs it.")] = "127.0.0.1:8443"
    message_bytes_max: Annotated[
        int,
        Field(
            ge=65_536,
            le=64 * _MIB,
            description="Largest gRPC message, each way; longer documents travel in chunks. gRPC answers RESOURCE_EXHAUSTED beyond it.",
        ),
    ] = 4 * _MIB
    concurrent_rpcs_max: Annotated[
        int,
        Field(ge=1, le=100_000, description="RPCs served at once, health checks apart; one more is answered TOO_MANY_REQUESTS at once."),
    ] = 64
    deadline_s_max: Annotated[
        float, Field(ge=1, le=86_400, description="Longest deadline a caller may set; a longer one is refused with DEADLINE_TOO_LONG.")
    ] = 3600.0
    deadline_s_default: Annotated[
        float, Field(ge=1, le=86_400, description="Deadline of a call that brings none; at most deadline_s_max.")
    ] = 600.0
    drain_s: Annotated[
        float,
        Field(
            ge=0, le=3600, description="After SIGTERM: how long running requests may go on before they are cancelled; 0 cancels at once."
        ),
    ] = 30.0
    reflection: Annotated[bool, Field(description="Serve gRPC reflection, so that grpcurl and the like need no .proto files.")] = True
    connections: Annotated[ConnectionSettings, Field(description="What a connection may cost.")] = field(default_factory=ConnectionSettings)
    limits: Annotated[LimitSettings, Field(description="How much one request may ask for.")] = field(default_factory=LimitSettings)
