"""`signer keys renew`."""

# imported where needed: what a command does not use is not loaded
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from signer.cli.connection import given
from signer.cli.exits import epilog
from signer.cli.key_report import CODES, FOLDER, common_options, tell_made


@click.command(epilog=epilog(*CODES))
@click.argument("credentials", nargs=-1)
@click.option("--school", envvar="SIGNER_SCHOOL", metavar="ID", help="The school. Default: all.")
@click.option("--ending-within", "within_days", type=click.IntRange(min=1), metavar="DAYS", help="All whose certificate ends so soon.")
@click.option("--overlap", "overlap_days", type=click.IntRange(min=0), metavar="DAYS", help="Old and new sign side by side for so long.")
@click.option("--keep-key", is_flag=True, help="A new certificate for the same key.")
@click.option("--out", type=FOLDER, default=Path(), metavar="FOLDER", help="Where the requests are written. Default: here.")
@common_options
def renew(
    credentials: tuple[str, ...], within_days: int | None, overlap_days: int | None, keep_key: bool, out: Path, **options: Any
) -> None:
    """Begin the renewal of credentials: a new key and its request beside each old one.

    The old credential goes on signing. From the import of the new certificate on both do, until the overlap ends; without --overlap until
    the old certificate ends. The new credential has the old one's id with .r2, .r3 … at its end.

    \b
    Example:
      signer keys renew --ending-within 120 --overlap 30 --out requests/
    """  # noqa: D301  # click reads \b
    if not credentials and within_days is None:
        raise click.UsageError("give credentials, or --ending-within")
    now = datetime.now(UTC)
    timeout_s, config = options.pop("connect_timeout_s"), options.pop("client_config")
    values = given(config, **options)
    with values.connect(connect_timeout_s=timeout_s) as client:
        renewals = client.keys.renew(
            credentials,
            school_id=values.get("school"),
            ends_before=None if within_days is None else now + timedelta(days=within_days),
            overlap_end=None if overlap_days is None else now + timedelta(days=overlap_days),
            keep_key=keep_key,
        )
        tell_made((outcome for _old, outcome in renewals), out)
