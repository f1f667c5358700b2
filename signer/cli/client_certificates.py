"""`signer clients rotate` and `revoke`: certificates change while the daemon runs and connections are open."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signer.cli.client_report import CODES, print_clients
from signer.cli.connection import given
from signer.cli.exits import epilog
from signer.cli.key_report import common_options

if TYPE_CHECKING:
    from signer.client.clients import CertificateEntry

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OVERLAP_DAYS = 14


def sha256_of(file: Path) -> str:
    """The SHA-256 of a PEM certificate, hex; ConfigError for a file that holds none."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    from signer.errors import ConfigError

    try:
        return x509.load_pem_x509_certificate(file.read_bytes()).fingerprint(hashes.SHA256()).hex()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} holds no PEM certificate", file=str(file)) from error


@click.command(epilog=epilog(*CODES))
@click.argument("client_id", metavar="ID")
@click.argument("file", type=_FILE, metavar="NEW.CRT")
@click.option(
    "--overlap-days",
    type=click.FloatRange(min=0),
    default=_OVERLAP_DAYS,
    show_default=True,
    help="How long its present certificates are accepted beside the new one.",
)
@common_options
def rotate(client_id: str, file: Path, overlap_days: float, **options: Any) -> None:
    """Give a client a new certificate; the ones it has end after the overlap.

    \b
    Example:
      signer clients rotate vnedu vnedu-2027.crt --overlap-days 14
    """  # noqa: D301  # click reads \b
    from signer.client.clients import CertificateEntry

    sha256, end = sha256_of(file), datetime.now(UTC) + timedelta(days=overlap_days)
    timeout_s, config = options.pop("connect_timeout_s"), options.pop("client_config")
    with given(config, **options).connect(connect_timeout_s=timeout_s) as signer:
        before = signer.clients.get(client_id)
        olds = tuple(_ending(each, end) for each in before.certificates if each.sha256 != sha256)
        print_clients([signer.clients.update(replace(before, certificates=(*olds, CertificateEntry(sha256))))])


@click.command(epilog=epilog(*CODES))
@click.argument("client_id", metavar="ID")
@click.argument("certificate", metavar="FILE|SHA256")
@common_options
def revoke(client_id: str, certificate: str, **options: Any) -> None:
    """Refuse a client's certificate from the next call on, on open connections too. Name its file, or the first digits of its SHA-256.

    \b
    Example:
      signer clients revoke vnedu vnedu.crt
    """  # noqa: D301  # click reads \b
    file = Path(certificate)
    prefix = sha256_of(file) if file.is_file() else certificate.replace(":", "").replace(" ", "").lower()
    timeout_s, config = options.pop("connect_timeout_s"), options.pop("client_config")
    with given(config, **options).connect(connect_timeout_s=timeout_s) as signer:
        before = signer.clients.get(client_id)
        meant = [each for each in before.certificates if prefix and each.sha256.startswith(prefix)]
        if len(meant) != 1:
            raise click.UsageError(f"{client_id} has {len(meant)} certificates {certificate!r}; see `signer clients list`")
        after = tuple(replace(each, revoked=True) if each is meant[0] else each for each in before.certificates)
        print_clients([signer.clients.update(replace(before, certificates=after))])


def _ending(certificate: CertificateEntry, end: datetime) -> CertificateEntry:
    known = certificate.accepted_until
    return certificate if known is not None and known <= end else replace(certificate, accepted_until=end)
