"""What must hold of timestamps: the built-in authority, its clock and door, and outside authorities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from signer.config.common_checks import readable, unique
from signer.config.problems import Problem, did_you_mean
from signer.settings import is_loopback
from signer.timestamp.clock.settings import GuardKind
from signer.timestamp.settings import StampingSettings, TimestampSettings, TsaSettings
from signer.tokens.settings import CredentialSettings


def check_timestamp(timestamp: TimestampSettings | None, credentials: tuple[CredentialSettings, ...]) -> Iterator[Problem]:
    """Whether the authority's key is there."""
    ids = [credential.id for credential in credentials]
    if timestamp is not None and timestamp.credential not in ids:
        yield Problem("timestamp.credential", f"no credential '{timestamp.credential}'{did_you_mean(timestamp.credential, ids)}")


def check_timestamp_http(timestamp: TimestampSettings | None) -> Iterator[Problem]:
    """Its door over HTTP."""
    if timestamp is None or timestamp.http is None:
        return
    http, path = timestamp.http, "timestamp.http"
    if (http.tls_certificate is None) != (http.tls_private_key is None):
        yield Problem(path, "give tls_certificate and tls_private_key together")
    if http.tls_client_ca is not None and http.tls_certificate is None:
        yield Problem(f"{path}.tls_client_ca", "needs tls_certificate and tls_private_key beside it")
    for key in ("tls_certificate", "tls_private_key", "tls_client_ca"):
        if (file := getattr(http, key)) is not None:
            yield from readable(f"{path}.{key}", file, "make it, or correct the path")
    if bool(http.basic_user) != (http.basic_password is not None):
        yield Problem(path, "give basic_user and basic_password together")
    has_secret = http.basic_password is not None or http.bearer_token is not None
    if has_secret and http.tls_certificate is None and not is_loopback(http.listen):
        yield Problem(path, "needs tls_certificate and tls_private_key: a password or bearer token would cross the network in the clear")


def check_clock(timestamp: TimestampSettings | None) -> Iterator[Problem]:
    """Who vouches for its clock."""
    if timestamp is None:
        return
    clock = timestamp.clock
    if clock.guard is GuardKind.NTP and not clock.servers:
        yield Problem("timestamp.clock.servers", 'is required with guard = "ntp": three or more NTP servers')
    if clock.guard is not GuardKind.NTP and clock.servers:
        yield Problem("timestamp.clock.servers", f'not asked with guard = "{clock.guard.value}": leave them out, or write guard = "ntp"')
    for server, count in Counter(clock.servers).items():
        if count > 1:
            yield Problem("timestamp.clock.servers", f"'{server}' is given {count} times; each has one vote")
    if clock.guard is GuardKind.CHRONY:
        yield from readable("timestamp.clock.chronyc", clock.chronyc, "install chrony, or correct the path")


def check_stamping(stamping: StampingSettings) -> Iterator[Problem]:
    """Outside authorities."""
    yield from unique("stamping.servers", "name", (server.name for server in stamping.servers))
    for server in stamping.servers:
        path = f"stamping.servers[{server.name}]"
        for key in ("ca_files", "tls_ca_files"):
            for index, file in enumerate(getattr(server, key)):
                yield from readable(f"{path}.{key}[{index}]", file, "correct the path")
        yield from _check_tsa_authentication(path, server)


def _check_tsa_authentication(path: str, server: TsaSettings) -> Iterator[Problem]:
    if bool(server.basic_user) != (server.basic_password is not None):
        yield Problem(path, "give basic_user and basic_password together")
    if server.basic_user and server.bearer_token is not None:
        yield Problem(path, "give basic_user or bearer_token, not both")
    if server.url.startswith("http:") and (server.basic_password is not None or server.bearer_token is not None):
        yield Problem(f"{path}.url", "must be https: a password or bearer token would cross the network in the clear")
    if (server.tls_client_certificate is None) != (server.tls_client_key is None):
        yield Problem(path, "give tls_client_certificate and tls_client_key together")
    for key in ("tls_client_certificate", "tls_client_key"):
        file = getattr(server, key)
        if file is not None:
            yield from readable(f"{path}.{key}", file, "make it, or correct the path")
