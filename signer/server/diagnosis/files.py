"""What the configuration and the files it names tell, with or without a daemon."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from signer.config import Config, advise
from signer.errors import ConfigError
from signer.model import Finding
from signer.secrets import PinSource
from signer.server.diagnosis.database import check_database
from signer.server.diagnosis.findings import fail, ok, warn
from signer.server.http.tls import HttpTls
from signer.server.tls import TlsIdentity
from signer.trust.book import TrustBook

_SOON = timedelta(days=30)
_OTHERS = 0o077
_FREE_SHARE_MIN, _FREE_BYTES_MIN = 0.05, 1e9


def check_files(config: Config, now: datetime) -> Iterator[Finding]:
    """Every check of this file, in the order of the configuration. now: aware."""
    for check in _CHECKS:
        yield from check(config, now)


def _configuration(config: Config, _now: datetime) -> Iterator[Finding]:
    advice = advise(config)
    for problem in advice:
        yield warn("configuration", str(problem), "change it, or leave it if it is meant so")
    if not advice:
        yield ok("configuration", "every key is known, and the sections fit together")


def _tls(config: Config, now: datetime) -> Iterator[Finding]:
    try:
        identity = TlsIdentity.read(config.server)
    except ConfigError as error:
        yield fail("tls", error.message, "put the file right, then `systemctl reload signer`")
        return
    yield _ending("tls", "the server's certificate", identity.not_after, now, "SignerTlsCertificateEnds")
    next_update = identity.client_crls.next_update
    if next_update is not None and next_update <= now:
        yield fail(
            "tls",
            f"a revocation list of server.tls_client_crls ended on {next_update:%Y-%m-%d}",
            "fetch the new one, then `systemctl reload signer`",
        )
    for authority in x509.load_pem_x509_certificates(identity.client_ca):
        if authority.not_valid_after_utc - now < _SOON:
            name = f"the client CA {authority.subject.rfc4514_string()}"
            yield _ending("tls", name, authority.not_valid_after_utc, now, "SignerTlsCertificateEnds")


def _page_tls(config: Config, now: datetime) -> Iterator[Finding]:
    pages = config.pages
    if pages is None:
        return
    try:
        tls = HttpTls.read("pages", pages.tls_certificate, pages.tls_private_key)
    except ConfigError as error:
        yield fail("tls", error.message, "put the file right, then `systemctl reload signer`")
        return
    yield _ending("tls", "the certificate of the page for people", tls.not_after, now, "SignerTlsCertificateEnds")


def _ending(check: str, what: str, not_after: datetime, now: datetime, page: str) -> Finding:
    if not_after <= now:
        return fail(check, f"{what} ended on {not_after:%Y-%m-%d}", "renew it now", page)
    if not_after - now < _SOON:
        return warn(check, f"{what} ends on {not_after:%Y-%m-%d}, in {(not_after - now).days} days", "renew it now", page)
    return ok(check, f"{what} is good until {not_after:%Y-%m-%d}")


def _pins(config: Config, _now: datetime) -> Iterator[Finding]:
    """Whether this user could read them. They are not read: that is for token workers alone."""
    for token in config.tokens:
        pin = token.pin_reference
        if pin.source is not PinSource.FILE:
            yield ok("pin", f"token {token.name}: its PIN is not in a file: only the daemon's workers see where it comes from")
            continue
        problem = _unreadable(Path(pin.name))
        if problem:
            yield fail("pin", f"token {token.name}: {pin}: {problem}", "put the file right", "SignerPinSourceUnreadable")
        else:
            yield ok("pin", f"token {token.name}: the file of its PIN can be read by this user alone (it was not read)")


def _unreadable(file: Path) -> str:
    try:
        found = file.stat()
    except OSError as error:
        return (error.strerror or "can't be looked at").lower()
    if not os.access(file, os.R_OK):
        return "this user may not read it"
    if stat.S_IMODE(found.st_mode) & _OTHERS:
        return f"others may read it, so it is refused: chmod 600 {file}"
    return "" if found.st_size else "it is empty"


def _modes(config: Config, _now: datetime) -> Iterator[Finding]:
    found = [(key, file, stat.S_IMODE(file.stat().st_mode)) for key, file in _closed_files(config) if file.exists()]
    open_files = [(key, file, mode) for key, file, mode in found if mode & _OTHERS]
    for key, file, mode in open_files:
        yield warn("file-modes", f"{key}: {file} has mode {mode:04o}: others may read it", f"chmod 600 {file}")
    if not open_files:
        yield ok("file-modes", "private keys and the journal are closed to others")


def _closed_files(config: Config) -> Iterator[tuple[str, Path]]:
    """Files that are nobody else's to read, by the keys that name them."""
    yield "server.tls_private_key", config.server.tls_private_key
    http = config.timestamp.http if config.timestamp is not None else None
    if http is not None and http.tls_private_key is not None:
        yield "timestamp.http.tls_private_key", http.tls_private_key
    for tsa in config.stamping.servers:
        if tsa.tls_client_key is not None:
            yield f"stamping.servers[{tsa.name}].tls_client_key", tsa.tls_client_key
    if config.journal.sqlite_file is not None:
        yield "journal.url", config.journal.sqlite_file
    if config.journal.password_file is not None:
        yield "journal.password_file", config.journal.password_file


def _softhsm(config: Config, _now: datetime) -> Iterator[Finding]:
    for token in config.tokens:
        folder = token.softhsm_token_directory
        if folder is None:
            continue
        emptied = [file for file in folder.glob("*/token.object") if file.stat().st_size == 0]
        for file in emptied:
            remedy = "start the daemon: it puts its copy back; without a copy restore your backup before anything logs in"
            yield fail("token-files", f"token {token.name}: {file} is empty: SoftHSM lost its keys", remedy, "SignerTokenDown")
        if not emptied:
            yield ok("token-files", f"token {token.name}: SoftHSM's files are whole")


def _journal(config: Config, _now: datetime) -> Iterator[Finding]:
    file = config.journal.sqlite_file
    if file is None:
        yield from check_database(config.journal)
        return
    if not file.parent.is_dir():
        yield fail(
            "journal", f"its folder {file.parent} does not exist", "create it, owned by the daemon's user", "SignerJournalUnavailable"
        )
    elif not file.exists():
        yield ok("journal", f"{file} is made at the first start")
    else:
        yield _readable(file)
    if file.parent.is_dir():
        yield _room(file.parent)


def _archive(config: Config, _now: datetime) -> Iterator[Finding]:
    settings = config.journal.archive
    if settings is None:
        return
    folder = settings.directory
    remedy = "create it, owned by the daemon's user; until then old entries stay in the database"
    if not folder.is_dir():
        yield fail("archive", f"the folder {folder} of archived entries does not exist", remedy, "SignerArchiveFails")
    elif not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield fail("archive", f"the folder {folder} of archived entries can't be read and written", remedy, "SignerArchiveFails")
    else:
        yield ok("archive", f"{folder} takes entries older than {settings.keep_days} days; it is part of the backup")


def _readable(file: Path) -> Finding:
    try:
        with sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=2.0) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        return fail("journal", f"{file} can't be read: {error}", "see the runbook; don't delete it", "SignerJournalUnavailable")
    return ok("journal", f"{file} can be read, {file.stat().st_size / 1e6:.1f} MB")


def _room(folder: Path) -> Finding:
    usage = shutil.disk_usage(folder)
    said = f"{usage.free / 1e9:.1f} GB of {usage.total / 1e9:.0f} GB are free where the journal lies"
    if usage.free / usage.total < _FREE_SHARE_MIN or usage.free < _FREE_BYTES_MIN:
        return warn("disk", said, "free or add space: when it is full, nothing is signed", "SignerDiskLow")
    return ok("disk", said)


def _authorities(config: Config, now: datetime) -> Iterator[Finding]:
    try:
        found = TrustBook(config.trust.ca_files, config.trust.folder).certificates
    except ConfigError as error:
        yield fail("trust", error.message, "put the file right")
        return
    ending = [certificate for certificate in found if certificate.not_valid_after_utc - now < _SOON]
    for certificate in ending:
        name = f"the CA {certificate.subject.rfc4514_string()} of [trust]"
        yield _ending("trust", name, certificate.not_valid_after_utc, now, "SignerCertificateEnds")
    if not found:
        yield warn("trust", "no CA is configured: chains can't be completed, nothing can be archived or verified", "set trust.ca_files")
    elif not ending:
        yield ok("trust", f"{len(found)} CA certificates, none of which ends within {_SOON.days} days")


_CHECKS: tuple[Callable[[Config, datetime], Iterator[Finding]], ...] = (
    _configuration,
    _tls,
    _page_tls,
    _pins,
    _modes,
    _softhsm,
    _journal,
    _archive,
    _authorities,
)
