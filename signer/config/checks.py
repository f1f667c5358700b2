"""What must hold between keys and sections, and with the files they name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from signer.access.settings import ClientSettings
from signer.config.common_checks import readable, unique
from signer.config.health import HealthSettings
from signer.config.pages import PagesSettings
from signer.config.problems import Problem, did_you_mean
from signer.config.server import ServerSettings
from signer.config.time_checks import check_clock, check_stamping, check_timestamp, check_timestamp_http
from signer.config.tree import TrustSettings
from signer.documents.settings import AppearanceSettings
from signer.errors import ConfigError, InvalidArgument
from signer.formats.pades.appearance.png import size_of
from signer.journal.settings import SEGMENT_ENTRIES, JournalSettings
from signer.people.client import ClientKind
from signer.records.layout_files import load_layouts
from signer.records.settings import RecordSettings
from signer.secrets import PinSource
from signer.store.urls import parse_url
from signer.tokens.settings import CredentialSettings, TokenSettings
from signer.tokens.uri import TokenUri
from signer.trust.files import read_anchors

SectionsFound: TypeAlias = dict[str, Any]
"""Section name → its settings, for the sections that are well-formed by themselves."""


def check(found: SectionsFound) -> list[Problem]:
    """The problems of the sections that are there; a check whose sections are not all well-formed waits for the next run."""
    return [
        problem for needed, rule in _RULES if all(name in found for name in needed) for problem in rule(*(found[name] for name in needed))
    ]


def _check_server(server: ServerSettings) -> Iterator[Problem]:
    for name in ("tls_certificate", "tls_private_key", "tls_client_ca"):
        yield from readable(f"server.{name}", getattr(server, name), "make it, or correct the path")
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
            yield from readable(f"pages.{name}", getattr(pages, name), "make it, or correct the path")


def _check_tokens(tokens: tuple[TokenSettings, ...]) -> Iterator[Problem]:
    yield from unique("tokens", "name", (token.name for token in tokens))
    for token in tokens:
        path = f"tokens[{token.name}]"
        if sum(map(bool, (token.label, token.serial, token.uri))) != 1:
            yield Problem(path, "give exactly one of label, serial and uri")
        yield from _check_pin(path, token)
        yield from readable(f"{path}.module", token.module, "install the package that ships it, or correct the path")
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
    yield from unique("credentials", "id", (credential.id for credential in credentials))
    for credential in credentials:
        path = f"credentials[{credential.id}]"
        if bool(credential.key_label) == bool(credential.key_id):
            yield Problem(path, "give exactly one of key_label and key_id")
        if credential.certificate is not None:
            yield from readable(f"{path}.certificate", credential.certificate, "export it, or correct the path")


def _check_credential_tokens(credentials: tuple[CredentialSettings, ...], tokens: tuple[TokenSettings, ...]) -> Iterator[Problem]:
    names = [token.name for token in tokens]
    for credential in credentials:
        if credential.token not in names:
            yield Problem(f"credentials[{credential.id}].token", f"no token '{credential.token}'{did_you_mean(credential.token, names)}")


def _check_appearance(appearance: AppearanceSettings, credentials: tuple[CredentialSettings, ...]) -> Iterator[Problem]:
    """The font is not looked for: who shows no text needs none."""
    schools = {credential.id: credential.school for credential in credentials}
    yield from unique("appearance.images", "id", (f"{image.id}@{school}" for image in appearance.images for school in image.schools))
    yield from unique(
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
        missing = list(readable(f"{path}.file", image.file, "export it, or correct the path"))
        yield from missing or _check_png(f"{path}.file", image.file)


def _check_png(key: str, file: Path) -> Iterator[Problem]:
    try:
        size_of(file.read_bytes())
    except InvalidArgument as error:
        yield Problem(key, error.message)


def _check_clients(clients: tuple[ClientSettings, ...]) -> Iterator[Problem]:
    yield from unique("clients", "id", (client.id for client in clients))
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
    yield from unique("records.schools", "id", (school.id for school in records.schools))
    try:
        load_layouts(records.layouts_folder)
    except ConfigError as error:
        yield from (Problem("records.layouts_folder", line) for line in error.message.splitlines())


def _check_trust(trust: TrustSettings) -> Iterator[Problem]:
    for index, path in enumerate(trust.ca_files):
        missing = list(readable(f"trust.ca_files[{index}]", path, "correct the path"))
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
    (("timestamp", "credentials"), check_timestamp),
    (("health", "credentials"), _check_health),
    (("journal", "credentials"), _check_checkpoints),
    (("journal",), _check_database),
    (("journal",), _check_archive),
    (("timestamp",), check_timestamp_http),
    (("timestamp",), check_clock),
    (("stamping",), check_stamping),
)
