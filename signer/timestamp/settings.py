"""How the built-in time-stamping authority stamps, and which outside ones are asked instead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from signer.algorithms import DigestAlgorithm
from signer.settings import Identifier, ListenAddress, PinReferenceText
from signer.timestamp.clock.settings import ClockSettings

_OID = r"^[0-2](\.(0|[1-9]\d*))+$"


@dataclass(frozen=True, slots=True)
class TimestampHttpSettings:
    """`[timestamp.http]`: the built-in authority over HTTP (RFC 3161 §3.4). Leave the section out to have none.

    Timestamps need no secrecy, so plain HTTP is usual; whoever reaches it may use the authority's key. Give TLS and a client CA, a
    password or a bearer token where that is not meant.
    """

    listen: Annotated[ListenAddress, Field(description="Address and port; port 0 takes a free one and logs it.")]
    path: Annotated[
        str, Field(pattern=r"^/[!-~]{0,200}$", description="Where requests are posted to; any other path is answered with 404.")
    ] = "/tsa"
    request_bytes_max: Annotated[
        int, Field(ge=256, le=65_536, description="Longest request; a longer one is answered with 413 and its connection closed.")
    ] = 4096
    concurrency_max: Annotated[
        int, Field(ge=1, le=10_000, description="Timestamps in work at once; one more is answered with 503 and Retry-After.")
    ] = 256
    per_second_max: Annotated[
        float, Field(ge=0, le=100_000, description="Timestamps a second, of all callers; beyond it 503 with Retry-After; 0: no limit.")
    ] = 0.0
    address_per_second_max: Annotated[
        float,
        Field(ge=0, le=100_000, description="Timestamps a second of one client address; beyond it 429 with Retry-After; 0: no limit."),
    ] = 0.0
    connections_max: Annotated[int, Field(ge=1, le=100_000, description="Connections open at once; one more is closed at once.")] = 1024
    address_connections_max: Annotated[
        int,
        Field(
            ge=1,
            le=100_000,
            description="Connections of one client address; with TLS also new ones a second. Raise it for a proxy in front.",
        ),
    ] = 128
    idle_s: Annotated[
        float,
        Field(
            ge=0.1,
            le=3600,
            description="How long a connection may wait for its client: for a handshake, a request's head, its body, for the answer to be "
            "taken, or between requests. Then it is closed.",
        ),
    ] = 15.0
    answer_s_max: Annotated[
        float, Field(gt=0, le=60, description="How long a timestamp may take; then the answer is 503 with Retry-After.")
    ] = 10.0
    tls_certificate: Annotated[
        Path | None, Field(description="PEM: the server's certificate, then its intermediates; without it plain HTTP is spoken.")
    ] = None
    tls_private_key: Annotated[
        Path | None, Field(description="PEM: the private key of tls_certificate, without a passphrase; mode 0600.")
    ] = None
    tls_client_ca: Annotated[
        Path | None,
        Field(description="PEM: the CAs that must have issued each client's certificate; without it none is asked for."),
    ] = None
    basic_user: Annotated[
        str,
        Field(max_length=256, pattern=r"^[^:]*$", description="User of HTTP basic authentication (RFC 7617); empty: none."),
    ] = ""
    basic_password: Annotated[
        PinReferenceText | None,
        Field(description="Where its password is read, at start: 'file:PATH' (mode 0600), 'env:NAME' or 'credential:NAME'."),
    ] = None
    bearer_token: Annotated[
        PinReferenceText | None, Field(description="Where a bearer token (RFC 6750) that is let in is read, at start, as basic_password.")
    ] = None


@dataclass(frozen=True, slots=True)
class TimestampSettings:
    """`[timestamp]`: the built-in time-stamping authority (RFC 3161)."""

    credential: Annotated[
        Identifier, Field(description="The credential that stamps; its certificate has timeStamping as sole, critical EKU.")
    ]
    policy_oid: Annotated[
        str,
        Field(
            pattern=_OID,
            description="TSTInfo.policy of every timestamp, as dotted numbers: the OID of your TSA policy.",
        ),
    ]
    clock: Annotated[
        ClockSettings,
        Field(
            description='Say who vouches for the clock: guard = "ntp" with servers, guard = "chrony", or, for trials, guard = "unguarded".'
        ),
    ]
    accuracy_ms: Annotated[
        int, Field(ge=2, le=1_000, description="TSTInfo.accuracy: how far the time may be off; `[timestamp.clock]` sees to it.")
    ] = 1000
    digest_algorithms: Annotated[
        tuple[DigestAlgorithm, ...], Field(description="Message imprints that are stamped; others are refused with badAlg.")
    ] = (DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512)
    ordering: Annotated[
        bool,
        Field(
            description="TSTInfo.ordering: a later timestamp has a later time, to the microsecond, over restarts too (which take up to 2 "
            "seconds longer). Only where no other daemon stamps with this certificate from a journal of its own."
        ),
    ] = False
    serial_prefix: Annotated[
        int,
        Field(
            ge=0,
            le=65_535,
            description="Stands above the lowest 64 bits of each serial number. Daemons that stamp with one certificate from journals of "
            "their own each need another; so does a daemon whose journal was restored from an older copy.",
        ),
    ] = 0
    http: Annotated[TimestampHttpSettings | None, Field(description="The authority over HTTP; leave it out to have none.")] = None

    @property
    def stating_error_max(self) -> timedelta:
        """How far the time stated may lie from the clock: cut to its millisecond; or, in order, ahead of a clock that was set back."""
        return timedelta(milliseconds=self.accuracy_ms) / 10 if self.ordering else timedelta(milliseconds=1)

    @property
    def clock_error_max(self) -> timedelta:
        """What that leaves of the accuracy for the clock."""
        return timedelta(milliseconds=self.accuracy_ms) - self.stating_error_max


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    try:
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        port_is_fine = False
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_fine or parts.username is not None or parts.fragment:
        message = "expected http://host[:port]/path or https://…, without a user, a password or a fragment"
        raise ValueError(message)
    return value


HttpUrl = Annotated[str, AfterValidator(_http_url)]
"""An http or https URL. A user and a password have keys of their own, so that none can stand in it."""


@dataclass(frozen=True, slots=True)
class TsaSettings:
    """`[[stamping.servers]]`: an outside time-stamping authority, asked over HTTP (RFC 3161 §3.4).

    Asked in the order of the file: the first that is ready; the next one only while an earlier one fails. Every answer is verified in
    full, whatever the connection: http is as safe as https here, except for passwords.
    """

    name: Annotated[Identifier, Field(description="What logs and metrics call it; unique.")]
    url: Annotated[HttpUrl, Field(description="Where requests are posted to, without a user or a password. Redirects are not followed.")]
    ca_files: Annotated[
        tuple[Path, ...],
        Field(
            min_length=1,
            description="PEM: the CAs that its timestamps are believed under, the root and any intermediate that it does not send. "
            "`[trust]` is not asked.",
        ),
    ]
    policy_oids: Annotated[
        tuple[Annotated[str, Field(pattern=_OID)], ...],
        Field(description="TSTInfo.policy that is accepted, as dotted numbers; empty: any. Another policy counts as a lie."),
    ] = ()
    request_policy_oid: Annotated[
        str,
        Field(pattern=rf"^$|{_OID}", description="TimeStampReq.reqPolicy; empty leaves it to the authority. It is then accepted as well."),
    ] = ""
    timeout_s: Annotated[
        float,
        Field(gt=0, le=300, description="From connecting to the answer's last byte; never beyond the deadline of the request it is for."),
    ] = 5.0
    concurrency_max: Annotated[
        int, Field(ge=1, le=1000, description="Requests at once, each on a kept-alive connection; more wait for their turn.")
    ] = 8
    per_second_max: Annotated[
        float, Field(ge=0, le=100_000, description="Requests a second, evenly spaced; 0: no limit. More wait for their turn.")
    ] = 0.0
    window_s: Annotated[
        float,
        Field(gt=0, le=86_400, description="How far gen time may lie from our clock, either way; beyond it the answer counts as a lie."),
    ] = 300.0
    failures_max: Annotated[
        int,
        Field(ge=1, le=1000, description="Failures in a row after which it is left alone: 1 second first, twice as long after each trial."),
    ] = 3
    pause_s_max: Annotated[
        float,
        Field(ge=1, le=86_400, description="The longest it is left alone for failures; its own Retry-After is honoured up to one hour."),
    ] = 60.0
    quarantine_s: Annotated[
        float, Field(ge=1, le=604_800, description="How long it is left alone after one answer that did not stand up to verification.")
    ] = 600.0
    timestamp_bytes_max: Annotated[
        int,
        Field(
            ge=1024,
            le=65_536,
            description="Longest timestamp taken from it. So much room (twice that in a PDF, as hex digits) is kept in every signature.",
        ),
    ] = 8192
    basic_user: Annotated[str, Field(max_length=256, description="User of HTTP basic authentication (RFC 7617); empty: none.")] = ""
    basic_password: Annotated[
        PinReferenceText | None,
        Field(description="Where its password is read, at each request: 'file:PATH' (mode 0600), 'env:NAME' or 'credential:NAME'."),
    ] = None
    bearer_token: Annotated[
        PinReferenceText | None, Field(description="Where a bearer token (RFC 6750) is read, at each request, as basic_password.")
    ] = None
    tls_ca_files: Annotated[
        tuple[Path, ...], Field(description="PEM: the CAs of its https certificate; empty: those of the operating system.")
    ] = ()
    tls_client_certificate: Annotated[
        Path | None, Field(description="PEM: the client certificate it asks for, then its intermediates. Read at start.")
    ] = None
    tls_client_key: Annotated[
        Path | None, Field(description="PEM: the private key of tls_client_certificate, without a passphrase; mode 0600.")
    ] = None


@dataclass(frozen=True, slots=True)
class StampingSettings:
    """`[stamping]`: where signatures of level B-T and above get their timestamps from.

    With `[[stamping.servers]]` from these alone: the built-in authority of `[timestamp]` never steps in for them. Without, from the
    built-in one.
    """

    servers: Annotated[
        tuple[TsaSettings, ...], Field(description="The outside time-stamping authorities, in the order they are asked.")
    ] = ()
    patience_s: Annotated[
        float,
        Field(
            ge=0,
            le=86_400,
            description="With TIMESTAMP_SHORTAGE_FAIL: how long a signed item keeps asking, within its request's deadline, before it fails "
            "with TIMESTAMP_UNAVAILABLE; 0 asks each authority once.",
        ),
    ] = 60.0
    complete_interval_s: Annotated[
        float,
        Field(ge=1, le=86_400, description="How often timestamps are asked for parked signatures, until each has one."),
    ] = 15.0
