"""What a configuration allows, but probably does not mean."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, datetime

from signer.config.problems import Problem, did_you_mean
from signer.config.tree import Config
from signer.errors import ConfigError
from signer.people.client import ClientKind
from signer.settings import is_loopback
from signer.timestamp.clock.settings import GuardKind, split_server
from signer.trust.admit import warnings
from signer.trust.anchor import TrustPurpose
from signer.trust.book import TrustBook

_OTHERS_MAY_READ = 0o077
_SERVERS_TO_OUTVOTE_ONE = 3


def advise(config: Config) -> list[Problem]:
    """To be logged at start and shown by `signer config check`."""
    return [
        *_advise_schools(config),
        *_advise_timestamp(config),
        *_advise_timestamp_http(config),
        *_advise_clock(config),
        *_advise_files(config),
        *_advise_trust(config),
    ]


def _advise_schools(config: Config) -> Iterator[Problem]:
    with_keys = {credential.school for credential in config.credentials if credential.school}
    with_clients = {school for client in config.clients for school in client.schools}
    for client in config.clients:
        for school in client.schools:
            if school not in with_keys:
                yield Problem(f"clients[{client.id}].schools", f"no credential is of school '{school}'{did_you_mean(school, with_keys)}")
        if not client.schools and client.client_kind not in {ClientKind.OPERATOR, ClientKind.AUDITOR}:
            yield Problem(f"clients[{client.id}]", "speaks for no school and is neither operator nor auditor: it may do nothing")
    for credential in config.credentials:
        if credential.school and credential.school not in with_clients:
            yield Problem(f"credentials[{credential.id}].school", f"no client speaks for school '{credential.school}'")


def _advise_timestamp(config: Config) -> Iterator[Problem]:
    for credential in config.credentials:
        if config.timestamp is not None and credential.id == config.timestamp.credential and credential.school:
            yield Problem(
                f"credentials[{credential.id}].school", "the timestamp authority's key should be of no school, so that no client may use it"
            )


def _advise_timestamp_http(config: Config) -> Iterator[Problem]:
    http = config.timestamp.http if config.timestamp is not None else None
    if http is None or is_loopback(http.listen):
        return
    knows_its_clients = http.tls_client_ca is not None or http.basic_password is not None or http.bearer_token is not None
    if not (knows_its_clients or http.per_second_max or http.address_per_second_max):
        yield Problem(
            "timestamp.http",
            "whoever reaches it may use the authority's key, and fill the journal, as fast as the token signs: give "
            "address_per_second_max or per_second_max, or say who may with tls_client_ca, basic_user or bearer_token",
        )


def _advise_clock(config: Config) -> Iterator[Problem]:
    if config.timestamp is None:
        return
    clock = config.timestamp.clock
    if clock.guard is GuardKind.UNGUARDED:
        yield Problem("timestamp.clock.guard", "nobody checks the clock: when it is wrong, so are the timestamps; fine for trials only")
    if 0 < len(clock.servers) < _SERVERS_TO_OUTVOTE_ONE:
        yield Problem(
            "timestamp.clock.servers", f"give {_SERVERS_TO_OUTVOTE_ONE} or more: of {len(clock.servers)}, none may lie or be away"
        )
    for server in clock.servers:
        host, _port = split_server(server)
        if host == "localhost" or host.startswith("127.") or host == "::1":
            yield Problem("timestamp.clock.servers", f"'{server}' is this machine: it follows the clock it is to check")


def _advise_trust(config: Config) -> Iterator[Problem]:
    try:
        book = TrustBook(config.trust.ca_files, config.trust.folder)
    except ConfigError as error:  # the files may have changed since they were checked
        yield Problem("trust", error.message)
        return
    if config.credentials and not book.roots(TrustPurpose.SIGNING):
        yield Problem("trust", "no CA is believed for signing: nobody vouches for the signers' certificates; see `signer trust add --help`")
    now = datetime.now(UTC)
    for anchor in book.anchors:
        for warning in warnings(anchor.certificate, now):
            yield Problem("trust", f"{anchor.subject}: {warning}")


def _advise_files(config: Config) -> Iterator[Problem]:
    http = config.timestamp.http if config.timestamp is not None else None
    keys = {
        "server.tls_private_key": config.server.tls_private_key,
        "timestamp.http.tls_private_key": None if http is None else http.tls_private_key,
        "pages.tls_private_key": None if config.pages is None else config.pages.tls_private_key,
    }
    for name, key in keys.items():
        if key is not None and stat.S_IMODE(key.stat().st_mode) & _OTHERS_MAY_READ:
            yield Problem(name, f"others may read {key}: chmod 600 {key}")
    if not config.tokens:
        yield Problem("tokens", "no token: nothing can be signed")
