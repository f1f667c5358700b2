"""`signer extend`: signed PDFs raised to a level, a file or a folder as one request; safe to run again after anything."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import sys
from pathlib import Path

import click

from signer.cli.connection import connection_options, given
from signer.cli.language import language_option
from signer.cli.output import json_option
from signer.cli.run_options import RUN_CODES, run_options

_LEVELS = ("b-t", "b-lt", "b-lta")


@click.command(epilog=RUN_CODES)
@click.argument("source", type=click.Path(exists=True, path_type=Path), metavar="FILE_OR_FOLDER")
@click.option("--school", envvar="SIGNER_SCHOOL", metavar="ID", help="The school in whose name it is done.")
@click.option(
    "--level",
    type=click.Choice(_LEVELS, case_sensitive=False),
    default="b-lta",
    show_default=True,
    help="b-t adds a timestamp where there is none, b-lt what verifies it years later, b-lta a timestamp over all that.",
)
@run_options("raised", "archived")
@connection_options
@json_option
@language_option
def extend(  # noqa: PLR0917  # click passes by name
    source: Path,
    level: str,
    out: Path | None,
    request_id: str,
    fresh: bool,
    timeout_s: float,
    connect_timeout_s: float,
    client_config: Path | None,
    **options: str | None,
) -> None:
    """Raise signed PDFs to B-T, B-LT or B-LTA, so that they can be verified when certificates have expired.

    A folder is one request: every .pdf below it is raised, and one bad file fails alone. No byte of the files is changed, only appended to;
    inputs are never overwritten, and no signer's key is used. Run the same command again after any interruption: what is in place is
    skipped. What has the level comes back as it is; at b-lta it gets a further timestamp: archive again before the last one's certificate
    ends.

    \b
    Examples:
      signer extend class-1A-signed/ --level b-lta --school 79000001 --out archive/1A/
      signer extend report-signed.pdf --level b-lt      # the rest from ~/.config/signer/client.toml
    """  # noqa: D301  # click reads \b
    from signer.cli.sign_files import Layout
    from signer.cli.sign_report import Deed, shown_progress
    from signer.cli.sign_run import Run, tell
    from signer.cli.sign_state import RequestState

    values = given(client_config, **options)
    values.require("school")
    school_id = values.get("school", "")
    layout = Layout.of(source, out, suffix="archived")
    jobs = layout.jobs()
    with RequestState.open(layout.state_file, {"school": school_id, "extend": level}, request_id, fresh=fresh) as state:
        run = Run(layout, jobs, state, Deed.EXTEND, fresh=fresh)
        is_whole = True
        if run.pending:
            with values.connect(connect_timeout_s=connect_timeout_s) as client, shown_progress(len(run.pending), Deed.EXTEND) as show:
                is_whole = run.take(
                    client.extend_documents(
                        run.documents(),
                        school_id=school_id,
                        level=level,
                        request_id=state.request_id,
                        timeout_s=timeout_s,
                        on_progress=show,
                    )
                )
    sys.exit(tell(run.outcome, interrupted=not is_whole))
