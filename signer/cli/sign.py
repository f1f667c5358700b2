"""`signer sign`: a file, or a folder as one request; safe to run again after anything."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from signer.cli.connection import Given, connection_options, given
from signer.cli.language import language_option
from signer.cli.output import json_option
from signer.cli.run_options import RUN_CODES, run_options
from signer.cli.sign_authorizing import Asking, authorizing_options
from signer.cli.sign_forms import Form, form_options
from signer.cli.sign_queued import Queueing, queue_options
from signer.cli.sign_restricting import Restrictions, restricting_options
from signer.cli.sign_visible import Asked, appearance, as_text, visible_options

if TYPE_CHECKING:
    from signer.cli.sign_run import Run
    from signer.client import SignerClient
    from signer.client.authorization_values import Sad
    from signer.client.values import Plan
    from signer.model import Appearance

_LEVELS = ("b-b", "b-t", "b-lt", "b-lta")
_SHORTAGES = ("fail", "park")
_PROFILES = ("pades", "cades", "xades", "ministry-xml")
_PLAN = ("school", "credential", "profile", "level", "algorithm", "field", "name", "reason", "location")


@click.command(epilog=RUN_CODES)
@click.argument("source", type=click.Path(exists=True, path_type=Path), metavar="FILE_OR_FOLDER")
@click.option("--school", envvar="SIGNER_SCHOOL", metavar="ID", help="The school in whose name is signed.")
@click.option("--credential", envvar="SIGNER_CREDENTIAL", metavar="ID", help="Whose key signs; `signer credentials` lists them.")
@click.option(
    "--level",
    envvar="SIGNER_LEVEL",
    type=click.Choice(_LEVELS),
    help="Baseline level: b-t adds a timestamp, b-lt and b-lta what verifies it years later.  [default: b-t]",
)
@click.option(
    "--profile",
    envvar="SIGNER_PROFILE",
    type=click.Choice(_PROFILES),
    help="Kind of signature.  [default: pades for .pdf; for .xml xades, or ministry-xml with --role]",
)
@click.option("--algorithm", envvar="SIGNER_ALGORITHM", metavar="NAME", help="Such as rsa-pss-sha256. Default: the credential's.")
@click.option("--field", default="", metavar="NAME", help="The PDF signature field to fill or make. Default: the daemon's choice.")
@click.option("--name", default="", metavar="TEXT", help="/Name in the signature.")
@click.option("--reason", default="", metavar="TEXT", help="/Reason in the signature.")
@click.option("--location", default="", metavar="TEXT", help="/Location in the signature.")
@form_options
@visible_options
@restricting_options
@authorizing_options
@queue_options
@click.option(
    "--shortage",
    envvar="SIGNER_SHORTAGE",
    type=click.Choice(_SHORTAGES),
    default="fail",
    show_default=True,
    help="When no timestamp can be had: wait, then fail; or park, to be fetched by the same command later.",
)
@click.option("--evidence", "evidence", is_flag=True, help="Also prove all signed files with one timestamp (RFC 4998): NAME.er for each.")
@run_options("signed", "signed")
@connection_options
@json_option
@language_option
def sign(  # noqa: PLR0917  # click passes by name
    source: Path,
    shortage: str,
    evidence: bool,
    out: Path | None,
    request_id: str,
    fresh: bool,
    timeout_s: float,
    connect_timeout_s: float,
    client_config: Path | None,
    **options: Any,
) -> None:
    """Sign a file, or a folder such as a class: PDF, XML records, or any file.

    A folder is one request: every file of its kind below it is signed, and one bad file fails alone. Inputs are never overwritten; signed
    files appear whole or not at all. Run the same command again after any interruption: what is signed and in place is skipped, nothing is
    signed twice.

    An .xml is signed as a record where --role says in which role, in the slot of that role; else as XAdES, inside of itself. With --profile
    cades any file is signed: its signature is put beside it as NAME.p7s, or around it as NAME.p7m with --attached.

    With --evidence every signed file, of earlier runs too, gets its proof in OUT-evidence, where `signer evidence verify OUT` finds it; it
    needs neither the appliance nor the other files. What has its proof keeps it.

    A key that is a person's own needs their word: --authorize PERSON asks for PIN and code here, --ask PERSON on their page. It is asked
    for once: the same command, run again, goes on under it.

    With --visible-style the signature is shown on the page: in an existing --field, where --visible-rectangle says, or beside a text.
    With --certify or --lock it says what nobody may change afterwards.

    \b
    Examples:
      signer sign class-1A/ --server signer.example:8443 --ca ca.crt --cert client.crt --key client.key \\
          --school 79000001 --credential homeroom --field GVCN --out signed/
      signer sign report.pdf --credential seal --level b-b      # the rest from ~/.config/signer/client.toml
      signer sign class-1A/ --credential homeroom --role homeroom-teacher
      signer sign marks.xlsx --credential principal --profile cades
      signer sign class-1A/ --credential homeroom --visible-style person --visible-rectangle -1,320,90,180,70 \\
          --visible-line "Nguyễn Thị Lan" --visible-line "Giáo viên chủ nhiệm"
    """  # noqa: D301  # click reads \b
    from signer.cli.exits import ExitCode
    from signer.cli.sign_evidence import Evidence
    from signer.cli.sign_files import Layout
    from signer.cli.sign_queued import sign_queued
    from signer.cli.sign_report import Deed
    from signer.cli.sign_run import Run, tell
    from signer.cli.sign_state import RequestState

    look, restrictions = appearance(Asked.taken_from(options)), Restrictions.taken_from(options)
    asking, queueing = Asking.taken_from(options), Queueing.taken_from(options)
    if queueing.is_wanted and evidence:
        raise click.UsageError("--evidence is not for --queue")
    asked = given(client_config, profile=options.pop("profile"))
    form = Form.taken_from(options, asked.get("profile"), source)
    values = given(client_config, **options)
    values.require("school", "credential")
    plan = {name: values.get(name) for name in _PLAN} | {"profile": form.profile, "level": _level(form, values), "visible": as_text(look)}
    plan |= restrictions.as_texts() | form.given
    layout = Layout.of(source, out, kind=form.files)
    jobs = layout.jobs()
    with RequestState.open(layout.state_file, plan, request_id, fresh=fresh) as state:
        run = Run(layout, jobs, state, Deed.SIGN, fresh=fresh)
        proofs = run.outcome.evidence = Evidence.beside(layout.output, jobs, run.outcome.skipped) if evidence else None
        is_whole = True
        if run.pending or (proofs is not None and proofs.lacking):
            with values.connect(connect_timeout_s=connect_timeout_s) as client:
                sendable = [job for job in jobs if not job.unreadable]
                sad = asking.sad(client, plan_of(plan, form, look, restrictions), state.request_id, sendable, source.name)
                if queueing.is_wanted:
                    wanted = plan_of(plan, form, look, restrictions)
                    has_all = sign_queued(client, run, wanted, sad, queueing, named=form.names_files)
                    sys.exit(
                        tell(run.outcome, interrupted=False) if has_all else max(tell(run.outcome, interrupted=False), ExitCode.INCOMPLETE)
                    )
                is_whole = _sign(
                    client,
                    plan,
                    run,
                    form=form,
                    look=look,
                    restrictions=restrictions,
                    sad=sad,
                    is_parking=shortage == "park",
                    timeout_s=timeout_s,
                )
    sys.exit(tell(run.outcome, interrupted=not is_whole))


def _level(form: Form, values: Given) -> str:
    """Records have one level, so that a variable or a configuration file may name another one for PDFs."""
    is_said = click.get_current_context().get_parameter_source("level") is ParameterSource.COMMANDLINE
    return "b-b" if form.profile == "ministry-xml" and not is_said else values.get("level", "b-t")


def plan_of(plan: dict[str, str], form: Form, look: Appearance | None, restrictions: Restrictions) -> Plan:
    """The plan as the library sends it, for who is to allow it."""
    from signer.client.choices import algorithm, choice
    from signer.client.values import Plan
    from signer.model import DocMdp, FieldPlacement, Level, Profile

    certifying = DocMdp(restrictions.certify) if restrictions.certify else None
    placement = FieldPlacement(plan["field"], plan["name"], plan["reason"], plan["location"], look, certifying, restrictions.lock)
    return Plan(
        plan["school"],
        plan["credential"],
        choice(Level, plan["level"]),
        choice(Profile, form.profile),
        algorithm(plan["algorithm"]),
        placement,
        options=form.options,
        record=form.record,
    )


def _sign(
    client: SignerClient,
    plan: dict[str, str],
    run: Run,
    *,
    form: Form,
    look: Appearance | None,
    restrictions: Restrictions,
    sad: Sad | None,
    is_parking: bool,
    timeout_s: float,
) -> bool:
    """False if the user interrupted it."""
    from signer.cli.sign_report import Deed, shown_progress
    from signer.errors import SignerError

    outcome = run.outcome
    with shown_progress(len(run.pending), Deed.SIGN) as show:
        batch = client.sign_batch(
            run.documents(named=form.names_files),
            school_id=plan["school"],
            credential_id=plan["credential"],
            level=plan["level"],
            request_id=run.state.request_id,
            profile=form.profile,
            algorithm=plan["algorithm"] or None,
            field_name=plan["field"],
            name=plan["name"],
            reason=plan["reason"],
            location=plan["location"],
            appearance=look,
            doc_mdp=restrictions.certify or None,
            field_lock=restrictions.lock,
            options=form.options,
            record=form.record,
            park_without_timestamp=is_parking,
            evidence="sha256" if outcome.evidence is not None else None,
            timeout_s=timeout_s,
            on_progress=show,
            sad=sad,
        )
        if not run.take(batch):
            return False
        if outcome.evidence is not None and outcome.error is None:
            try:
                outcome.evidence.fetch(client, plan["school"], batch.evidence, [job for job, _result in outcome.written])
            except SignerError as error:
                outcome.error = error
    return True
