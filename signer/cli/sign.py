"""`signer sign`: a file, or a folder as one request; safe to run again after anything."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signer.cli.connection import connection_options, given
from signer.cli.exits import ExitCode, epilog, exit_code
from signer.cli.failure import explanation, next_step
from signer.cli.language import Text, language_option, say
from signer.cli.output import clean, is_json, json_option, note
from signer.cli.sign_restricting import Restrictions, restricting_options
from signer.cli.sign_visible import Asked, appearance, as_text, visible_options

if TYPE_CHECKING:
    from signer.cli.sign_files import Job
    from signer.cli.sign_report import Outcome
    from signer.cli.sign_state import RequestState
    from signer.client import DocumentResult, SignerClient
    from signer.errors import SignerError
    from signer.model import Appearance

_LEVELS = ("b-b", "b-t", "b-lt", "b-lta")
_SHORTAGES = ("fail", "park")
_PROFILES = ("pades", "cades", "xades", "ministry-xml")
_PLAN = ("school", "credential", "profile", "level", "algorithm", "field", "name", "reason", "location")
_EPILOG = epilog(
    ExitCode.OK,
    ExitCode.SOME_FAILED,
    ExitCode.USAGE,
    ExitCode.UNREACHABLE,
    ExitCode.REFUSED,
    ExitCode.INCOMPLETE,
    ExitCode.DAEMON_FAILED,
    ExitCode.INTERRUPTED,
)
_INTERRUPTED = Text(
    "signer: interrupted; run the same command again to continue", "signer: đã dừng giữa chừng; chạy lại đúng lệnh này để ký tiếp"
)
_STOPPED = Text("signer: stopped: {why}. Next: {step}", "signer: dừng: {why}. Việc cần làm: {step}")


@click.command(epilog=_EPILOG)
@click.argument("source", type=click.Path(exists=True, path_type=Path), metavar="FILE_OR_FOLDER")
@click.option("--school", envvar="SIGNER_SCHOOL", metavar="ID", help="The school in whose name is signed.")
@click.option("--credential", envvar="SIGNER_CREDENTIAL", metavar="ID", help="Whose key signs; `signer credentials` lists them.")
@click.option(
    "--level",
    envvar="SIGNER_LEVEL",
    type=click.Choice(_LEVELS),
    help="Baseline level: b-t adds a timestamp, b-lt and b-lta what verifies it years later.  [default: b-t]",
)
@click.option("--profile", envvar="SIGNER_PROFILE", type=click.Choice(_PROFILES), help="Kind of signature.  [default: pades]")
@click.option("--algorithm", envvar="SIGNER_ALGORITHM", metavar="NAME", help="Such as rsa-pss-sha256. Default: the credential's.")
@click.option("--field", default="", metavar="NAME", help="The PDF signature field to fill or make. Default: the daemon's choice.")
@click.option("--name", default="", metavar="TEXT", help="/Name in the signature.")
@click.option("--reason", default="", metavar="TEXT", help="/Reason in the signature.")
@click.option("--location", default="", metavar="TEXT", help="/Location in the signature.")
@visible_options
@restricting_options
@click.option(
    "--shortage",
    envvar="SIGNER_SHORTAGE",
    type=click.Choice(_SHORTAGES),
    default="fail",
    show_default=True,
    help="When no timestamp can be had: wait, then fail; or park, to be fetched by the same command later.",
)
@click.option("--evidence", "evidence", is_flag=True, help="Also prove all signed files with one timestamp (RFC 4998): NAME.er for each.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="PATH", help="Where signed files go. Default: the source's name with -signed."
)
@click.option(
    "--request-id", default="", metavar="ID", help="Names the request. Default: a new one, kept in the output folder to continue."
)
@click.option("--fresh", is_flag=True, help="Begin a new request, and replace outputs of an earlier one.")
@click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=1), default=3600.0, show_default=True, metavar="SECONDS", help="When to give up."
)
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
    """Sign a PDF, or a folder of PDFs such as a class.

    A folder is one request: every .pdf below it is signed, and one bad file fails alone. Inputs are never overwritten; signed files appear
    whole or not at all. Run the same command again after any interruption: what is signed and in place is skipped, nothing is signed twice.

    With --evidence every signed file, of earlier runs too, gets its proof in OUT-evidence, where `signer evidence verify OUT` finds it; it
    needs neither the appliance nor the other files. What has its proof keeps it.

    With --visible-style the signature is shown on the page: in an existing --field, where --visible-rectangle says, or beside a text.
    With --certify or --lock it says what nobody may change afterwards.

    \b
    Examples:
      signer sign class-1A/ --server signer.example:8443 --ca ca.crt --cert client.crt --key client.key \\
          --school 79000001 --credential homeroom --field GVCN --out signed/
      signer sign report.pdf --credential seal --level b-b      # the rest from ~/.config/signer/client.toml
      signer sign class-1A/ --credential homeroom --visible-style person --visible-rectangle -1,320,90,180,70 \\
          --visible-line "Nguyễn Thị Lan" --visible-line "Giáo viên chủ nhiệm"
    """  # noqa: D301  # click reads \b
    from signer.cli.sign_evidence import Evidence
    from signer.cli.sign_files import Layout
    from signer.cli.sign_report import Outcome, print_outcome, print_outcome_json
    from signer.cli.sign_state import RequestState

    look, restrictions = appearance(Asked.taken_from(options)), Restrictions.taken_from(options)
    values = given(client_config, **options)
    values.require("school", "credential")
    plan = {name: values.get(name, {"profile": "pades", "level": "b-t"}.get(name, "")) for name in _PLAN} | {"visible": as_text(look)}
    plan |= restrictions.as_texts()
    layout = Layout.of(source, out)
    jobs = layout.jobs()
    with RequestState.open(layout.state_file, plan, request_id, fresh=fresh) as state:
        outcome = Outcome(state.request_id, layout.output, jobs)
        outcome.failures = [(job, _unreadable(job)) for job in jobs if job.unreadable]
        pending: list[Job] = []
        for job in (job for job in jobs if not job.unreadable):
            (outcome.skipped if state.is_done(job) else pending).append(job)
        _refuse_strange_outputs([] if fresh else [job for job in pending if not state.is_ours(job)])
        if evidence:
            outcome.evidence = Evidence.beside(layout.output, jobs, outcome.skipped)
        if pending or (outcome.evidence is not None and outcome.evidence.lacking):
            with values.connect(connect_timeout_s=connect_timeout_s) as client:
                code = _sign(
                    client,
                    plan,
                    pending,
                    state,
                    outcome,
                    look=look,
                    restrictions=restrictions,
                    is_parking=shortage == "park",
                    timeout_s=timeout_s,
                )
        else:
            code = _code(outcome)
    if is_json():
        print_outcome_json(outcome, code)
    else:
        print_outcome(outcome)
        if outcome.error is not None:
            note(say(_STOPPED, why=explanation(outcome.error), step=next_step(outcome.error)))
    sys.exit(code)


class _OutputNotWritten(click.ClickException):
    """A full disk or a folder without permission: every further file would meet the same."""

    exit_code = ExitCode.INCOMPLETE


def _unreadable(job: Job) -> SignerError:
    from signer.errors import InvalidArgument

    return InvalidArgument(f"the file can't be read: {job.unreadable}", field="document")


def _refuse_strange_outputs(strange: list[Job]) -> None:
    if strange:
        raise click.UsageError(
            f"{clean(str(strange[0].output))} exists and is not of this request, or was changed since ({len(strange)} such files); "
            "choose another --out, or replace them with --fresh"
        )


def _sign(
    client: SignerClient,
    plan: dict[str, str],
    pending: list[Job],
    state: RequestState,
    outcome: Outcome,
    *,
    look: Appearance | None,
    restrictions: Restrictions,
    is_parking: bool,
    timeout_s: float,
) -> ExitCode:
    from signer.cli.sign_report import shown_progress
    from signer.client import Document
    from signer.errors import SignerError

    by_id = {job.document_id: job for job in pending}
    documents: list[Document] = [Document.from_path(job.source, job.document_id) for job in pending]
    with shown_progress(len(pending)) as show:
        batch = client.sign_batch(
            documents,
            school_id=plan["school"],
            credential_id=plan["credential"],
            level=plan["level"],
            request_id=state.request_id,
            profile=plan["profile"],
            algorithm=plan["algorithm"] or None,
            field_name=plan["field"],
            name=plan["name"],
            reason=plan["reason"],
            location=plan["location"],
            appearance=look,
            doc_mdp=restrictions.certify or None,
            field_lock=restrictions.lock,
            park_without_timestamp=is_parking,
            evidence="sha256" if outcome.evidence is not None else None,
            timeout_s=timeout_s,
            on_progress=show,
        )
        try:
            with batch:
                for result in batch:
                    _keep(by_id[result.document_id], result, state, outcome)
            if outcome.evidence is not None:
                outcome.evidence.fetch(client, plan["school"], batch.evidence, [job for job, _result in outcome.written])
        except SignerError as error:
            outcome.error = error
        except KeyboardInterrupt:
            note(say(_INTERRUPTED))
            return ExitCode.INTERRUPTED
        finally:
            outcome.summary = batch.summary
    return _code(outcome)


def _code(outcome: Outcome) -> ExitCode:
    if outcome.error is not None:
        return exit_code(outcome.error)
    is_proven = outcome.evidence is None or outcome.evidence.is_complete
    return ExitCode.OK if is_proven and not outcome.failures else ExitCode.SOME_FAILED


def _keep(job: Job, result: DocumentResult, state: RequestState, outcome: Outcome) -> None:
    from signer.cli.sign_files import write_whole

    if result.error is not None:
        outcome.failures.append((job, result.error))
        return
    state.record(job, result.info.signed_sha256.hex() if result.info else "")
    try:
        write_whole(job.output, result.content)
    except OSError as error:
        raise _OutputNotWritten(
            f"{clean(str(job.output))} can't be written: {error.strerror}; mend that and run again to continue"
        ) from error
    outcome.written.append((job, result))
