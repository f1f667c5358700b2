"""What must hold between keys and sections, and with the files they name; and what is allowed but probably not meant."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from signer.access.settings import ClientSettings
from signer.config.health import HealthSettings
from signer.config.pages import PagesSettings
from signer.config.problems import Problem, did_you_mean
from signer.config.server import ServerSettings
from signer.config.tree import Config, TrustSettings
from signer.documents.settings import AppearanceSettings
from signer.errors import ConfigError, InvalidArgument
from signer.formats.pades.appearance.png import size_of
from signer.journal.settings import SEGMENT_ENTRIES, JournalSettings
from signer.people.client import ClientKind
from signer.records.layout_files import load_layouts
from signer.records.settings import RecordSettings
from signer.secrets import PinSource
from signer.settings import is_loopback
from signer.store.urls import parse_url
from signer.timestamp.clock.settings import GuardKind, split_server
from signer.timestamp.settings import StampingSettings, TimestampSettings, TsaSettings
from signer.tokens.settings import CredentialSettings, TokenSettings
from signer.tokens.uri import TokenUri
from signer.trust.admit import warnings
from signer.trust.anchor import TrustPurpose
from signer.trust.book import TrustBook
from signer.trust.files import read_anchors

SectionsFound: TypeAlias = dict[str, Any]
"""Section name → its settings, for the sections that are well-formed by themselves."""

_OTHERS_MAY_READ = 0o077
_SERVERS_TO_OUTVOTE_ONE = 3


def check(found: SectionsFound) -> list[Problem]:
    """The problems of the sections that are there; a check whose sections are not all well-formed waits for the next run."""
    return [
        problem for needed, rule in _RULES if all(name in found for name in needed) for problem in rule(*(found[name] for name in needed))
    ]


def advise(config: Config) -> list[Problem]:
    """What is allowed but probably not meant: to be logged at start and shown by `signer config check`."""
    return [
        *_advise_schools(config),
        *_advise_timestamp(config),
        *_advise_timestamp_http(config),
        *_advise_clock(config),
        *_advise_files(config),
        *_advise_trust(config),
    ]


def _check_server(server: ServerSettings) -> Iterator[Problem]:
    for name in ("tls_certificate", "tls_private_key", "tls_client_ca"):
        yield from _file(f"server.{name}", getattr(server, name), "make it, or correct the path")
    if server.deadline_s_default > server.deadline_s_max:
        yield Problem("server.deadline_s_default", f"must not exceed deadline_s_max ({server.deadline_s_max:g} seconds)")
    if server.limits.batch_in_flight_bytes_max < server.limits.document_bytes_max:
        yield Problem(
            "server.limits.batch_in_flight_bytes_max",
            f"must be at least document_bytes_max ({server.limits.document_bytes_max} bytes), or the largest document never gets its turn",
        )


def _check_pages(pages: PagesSettings | None) -> Iterator[Problem]:
    if pages is not None:
        for name in ("tls_certificate", "tls_private_key"):
            yield from _file(f"pages.{name}", getattr(pages, name), "make it, or correct the path")


def _check_tokens(tokens: tuple[TokenSettings, ...]) -> Iterator[Problem]:
    yield from _unique("tokens", "name", (token.name for token in tokens))
    for token in tokens:
        path = f"tokens[{token.name}]"
        if sum(map(bool, (token.label, token.serial, token.uri))) != 1:
            yield Problem(path, "give exactly one of label, serial and uri")
        yield from _check_pin(path, token)
        yield from _file(f"{path}.module", token.module, "install the package that ships it, or correct the path")
        yield from _check_softhsm(path, token)


def _check_pin(path: str, token: TokenSettings) -> Iterator[Problem]:
    of_uri = TokenUri.parse(token.uri).pin if token.uri else None
    if (token.pin is None) == (of_uri is None):
        yield Problem(f"{path}.pin", "give exactly one of pin and a pin-source in uri")
        return
    pin = token.pin_reference
    if pin.source is PinSource.ENVIRONMENT and pin.name in token.environment:
        yield Problem(f"{path}.environment.{pin.name}", "holds the PIN itself: give the daemon that variable from outside this file")


def _check_softhsm(path: str, token: TokenSettings) -> Iterator[Problem]:
    directory, copy = token.softhsm_token_directory, token.softhsm_copy
    if directory is None:
        if token.softhsm_copy_directory is not None:
            yield Problem(f"{path}.softhsm_copy_directory", "needs softhsm_token_directory beside it")
        return
    if not directory.is_dir():
        yield Problem(f"{path}.softhsm_token_directory", f"no such folder: {directory}; give directories.tokendir of softhsm2.conf")
    if copy is not None and (copy == directory or directory in copy.parents):
        yield Problem(f"{path}.softhsm_copy_directory", f"must lie outside {directory}: SoftHSM takes every folder in it for a token")


def _check_credentials(credentials: tuple[CredentialSettings, ...]) -> Iterator[Problem]:
    yield from _unique("credentials", "id", (credential.id for credential in credentials))
    for credential in credentials:
        path = f"credentials[{credential.id}]"
        if bool(credential.key_label) == bool(credential.key_id):
            yield Problem(path, "give exactly one of key_label and key_id")
        if credential.certificate is not None:
            yield from _file(f"{path}.certificate", credential.certificate, "export it, or correct the path")


def _check_credential_tokens(credentials: tuple[CredentialSettings, ...], tokens: tuple[TokenSettings, ...]) -> Iterator[Problem]:
    names = [token.name for token in tokens]
    for credential in credentials:
        if credential.token not in names:
            yield Problem(f"credentials[{credential.id}].token", f"no token '{credential.token}'{did_you_mean(credential.token, names)}")


def _check_appearance(appearance: AppearanceSettings, credentials: tuple[CredentialSettings, ...]) -> Iterator[Problem]:
    """The font is not looked for: who shows no text needs none."""
    schools = {credential.id: credential.school for credential in credentials}
    yield from _unique("appearance.images", "id", (f"{image.id}@{school}" for image in appearance.images for school in image.schools))
    yield from _unique(
        "appearance.images", "credential", (f"{image.credential} ({image.style.value})" for image in appearance.images if image.credential)
    )
    for image in appearance.images:
        path = f"appearance.images[{image.id}]"
        if image.credential and image.credential not in schools:
            yield Problem(f"{path}.credential", f"no credential '{image.credential}'{did_you_mean(image.credential, schools)}")
        elif image.credential and schools[image.credential] not in image.schools:
            yield Problem(
                f"{path}.credential", f"'{image.credential}' is of school '{schools[image.credential]}', which is none of `schools`"
            )
        missing = list(_file(f"{path}.file", image.file, "export it, or correct the path"))
        yield from missing or _check_png(f"{path}.file", image.file)


def _check_png(key: str, file: Path) -> Iterator[Problem]:
    try:
        size_of(file.read_bytes())
    except InvalidArgument as error:
        yield Problem(key, error.message)


def _check_clients(clients: tuple[ClientSettings, ...]) -> Iterator[Problem]:
    yield from _unique("clients", "id", (client.id for client in clients))
    for client in clients:
        if not client.common_name and not client.certificate_sha256:
            yield Problem(f"clients[{client.id}]", "give common_name or certificate_sha256, or no caller will ever match it")
        if client.operator and client.kind not in {ClientKind.SCHOOL_SOFTWARE, ClientKind.OPERATOR}:
            yield Problem(f"clients[{client.id}].kind", f"is '{client.kind.value}', but operator = true: give one of them")
    by_name_alone = Counter(client.common_name for client in clients if client.common_name and not client.certificate_sha256)
    for name in (name for name, count in by_name_alone.items() if count > 1):
        yield Problem("clients", f"several clients match common_name '{name}' alone: tell them apart by certificate_sha256")
    fingerprints = Counter(fingerprint for client in clients for fingerprint in client.certificate_sha256)
    for fingerprint in (fingerprint for fingerprint, count in fingerprints.items() if count > 1):
        yield Problem("clients", f"certificate_sha256 {fingerprint[:16]}… is given more than once: a certificate is one client's")


def _check_records(records: RecordSettings) -> Iterator[Problem]:
    yield from _unique("records.schools", "id", (school.id for school in records.schools))
    try:
        load_layouts(records.layouts_folder)
    except ConfigError as error:
        yield from (Problem("records.layouts_folder", line) for line in error.message.splitlines())


def _check_trust(trust: TrustSettings) -> Iterator[Problem]:
    for index, path in enumerate(trust.ca_files):
        missing = list(_file(f"trust.ca_files[{index}]", path, "correct the path"))
        yield from missing or _check_anchors(f"trust.ca_files[{index}]", path)
    if trust.folder is not None and trust.folder.exists() and not trust.folder.is_dir():
        yield Problem("trust.folder", f"not a folder: {trust.folder}")
    elif trust.folder is not None:
        for path in sorted(trust.folder.glob("*.pem")):
            yield from _check_anchors("trust.folder", path)


def _check_anchors(key: str, path: Path) -> Iterator[Problem]:
    try:
        read_anchors(path)
    except ConfigError as error:
        yield Problem(key, error.message)


def _check_timestamp(timestamp: TimestampSettings | None, credentials: tuple[CredentialSettings, ...]) -> Iterator[Problem]:
    ids = [credential.id for credential in credentials]
    if timestamp is not None and timestamp.credential not in ids:
        yield Problem("timestamp.credential", f"no credential '{timestamp.credential}'{did_you_mean(timestamp.credential, ids)}")


def _check_health(health: HealthSettings, credentials: tuple[CredentialSettings, ...]) -> Iterator[Problem]:
    yield from _check_own_key("health.probe_credential", health.probe_credential, credentials)


def _check_checkpoints(journal: JournalSettings, credentials: tuple[CredentialSettings, ...]) -> Iterator[Problem]:
    if journal.checkpoints is not None:
        yield from _check_own_key("journal.checkpoints.credential", journal.checkpoints.credential, credentials)


def _check_database(journal: JournalSettings) -> Iterator[Problem]:
    try:
        parse_url(journal.url)
    except ConfigError as error:
        yield Problem("journal.url", error.message)
        return
    if journal.password_file is not None and journal.sqlite_file is not None:
        yield Problem("journal.password_file", "a file has no password: leave it out, or give a postgresql:// url")


def _check_archive(journal: JournalSettings) -> Iterator[Problem]:
    archive = journal.archive
    if archive is not None and archive.segment_entries not in SEGMENT_ENTRIES:
        yield Problem("journal.archive.segment_entries", f"must be one of {', '.join(map(str, SEGMENT_ENTRIES))}")


def _check_own_key(path: str, credential_id: str, credentials: tuple[CredentialSettings, ...]) -> Iterator[Problem]:
    """A key that the appliance uses for itself; empty for none."""
    schools = {credential.id: credential.school for credential in credentials}
    if credential_id and credential_id not in schools:
        yield Problem(path, f"no credential '{credential_id}'{did_you_mean(credential_id, schools)}")
    elif credential_id and schools[credential_id]:
        yield Problem(
            path, f"'{credential_id}' is of school '{schools[credential_id]}': the appliance must not use a school's key for itself"
        )


def _check_timestamp_http(timestamp: TimestampSettings | None) -> Iterator[Problem]:
    if timestamp is None or timestamp.http is None:
        return
    http, path = timestamp.http, "timestamp.http"
    if (http.tls_certificate is None) != (http.tls_private_key is None):
        yield Problem(path, "give tls_certificate and tls_private_key together")
    if http.tls_client_ca is not None and http.tls_certificate is None:
        yield Problem(f"{path}.tls_client_ca", "needs tls_certificate and tls_private_key beside it")
    for key in ("tls_certificate", "tls_private_key", "tls_client_ca"):
        if (file := getattr(http, key)) is not None:
            yield from _file(f"{path}.{key}", file, "make it, or correct the path")
    if bool(http.basic_user) != (http.basic_password is not None):
        yield Problem(path, "give basic_user and basic_password together")
    has_secret = http.basic_password is not None or http.bearer_token is not None
    if has_secret and http.tls_certificate is None and not is_loopback(http.listen):
        yield Problem(path, "needs tls_certificate and tls_private_key: a password or bearer token would cross the network in the clear")


def _check_clock(timestamp: TimestampSettings | None) -> Iterator[Problem]:
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
        yield from _file("timestamp.clock.chronyc", clock.chronyc, "install chrony, or correct the path")


def _check_stamping(stamping: StampingSettings) -> Iterator[Problem]:
    yield from _unique("stamping.servers", "name", (server.name for server in stamping.servers))
    for server in stamping.servers:
        path = f"stamping.servers[{server.name}]"
        for key in ("ca_files", "tls_ca_files"):
            for index, file in enumerate(getattr(server, key)):
                yield from _file(f"{path}.{key}[{index}]", file, "correct the path")
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
            yield from _file(f"{path}.{key}", file, "make it, or correct the path")


_RULES: tuple[tuple[tuple[str, ...], Callable[..., Iterable[Problem]]], ...] = (
    (("server",), _check_server),
    (("pages",), _check_pages),
    (("tokens",), _check_tokens),
    (("credentials",), _check_credentials),
    (("credentials", "tokens"), _check_credential_tokens),
    (("appearance", "credentials"), _check_appearance),
    (("clients",), _check_clients),
    (("records",), _check_records),
    (("trust",), _check_trust),
    (("timestamp", "credentials"), _check_timestamp),
    (("health", "credentials"), _check_health),
    (("journal", "credentials"), _check_checkpoints),
    (("journal",), _check_database),
    (("journal",), _check_archive),
    (("timestamp",), _check_timestamp_http),
    (("timestamp",), _check_clock),
    (("stamping",), _check_stamping),
)


def _unique(section: str, key: str, names: Iterable[str]) -> Iterator[Problem]:
    for name, count in Counter(names).items():
        if count > 1:
            yield Problem(f"{section}[{name}].{key}", f"is given {count} times; each needs one of its own")


def _file(key: str, path: Path, remedy: str) -> Iterator[Problem]:
    if not path.exists():
        yield Problem(key, f"no such file: {path}; {remedy}")
    elif not path.is_file():
        yield Problem(key, f"not a file: {path}")
    elif not os.access(path, os.R_OK):
        yield Problem(key, f"can't be read by this user: {path}; give it to the user that runs the daemon")


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
