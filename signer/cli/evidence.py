"""`signer evidence`: one evidence record for a class (RFC 4998), with one timestamp; verified and renewed without daemon."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from signer.cli.exits import ExitCode, epilog
from signer.cli.language import language_option
from signer.cli.output import json_option

_Command = TypeVar("_Command", bound=Callable[..., Any])
_PEM = click.Path(exists=True, dir_okay=False, path_type=Path)
_SOURCE = click.Path(exists=True, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_DIGESTS = click.Choice(["sha256", "sha384", "sha512"])


def _trust_option(command: _Command) -> _Command:
    text = "CAs whose timestamps are believed; may be repeated. Default: SIGNER_TRUST, one file."
    return click.option("--tsa-trust", multiple=True, type=_PEM, metavar="PEM", help=text)(command)


def _tsa_options(command: _Command) -> _Command:
    """Where the timestamp comes from; handed on as `tsa`, `policy` and `timeout_s`."""
    for option in (
        click.option("--timeout", "timeout_s", type=float, default=15.0, show_default=True, metavar="SECONDS", help="For each TSA."),
        click.option("--policy", multiple=True, metavar="OID", help="TSA policy that is accepted; may be repeated. Default: any."),
        click.option("--tsa", multiple=True, required=True, metavar="URL", help="The TSA; more are asked in turn when one fails."),
    ):
        command = option(command)
    return command


@click.group()
def evidence() -> None:
    """Prove with one timestamp that a class's documents exist unchanged, each alone (RFC 4998)."""


@evidence.command(epilog=epilog(ExitCode.OK, ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.REFUSED))
@click.argument("source", type=_SOURCE, metavar="FOLDER_OR_FILE")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Where records go. Default: NAME-evidence beside it.")
@click.option("--digest", type=_DIGESTS, default="sha256", show_default=True, help="Of documents and hash tree.")
@click.option(
    "--records", type=click.Choice(["both", "documents", "class"]), default="both", show_default=True, help="Which records to write."
)
@click.option("--group", "grouped", is_flag=True, help="One record for a document and its companions: a.pdf, a.pdf.p7s, a.xml.")
@_tsa_options
@_trust_option
@json_option
@language_option
def create(  # noqa: PLR0917  # click passes by name
    source: Path, out: Path | None, digest: str, records: str, grouped: bool, tsa_trust: tuple[Path, ...], **tsa: Any
) -> None:
    """Make evidence records with one TSA request, however many documents there are.

    Folders are searched for .pdf, .xml, .p7s and .p7m. Every document gets a record of its own, NAME.er, about 4 KB, that proves it without
    the others; class.er proves that the class is just these documents. No document leaves this machine: the TSA sees one hash.

    \b
    Example:
      signer evidence create class-1A-signed/ --tsa http://tsa.example/ --tsa-trust tsa-ca.pem
    """  # noqa: D301  # click reads \b
    from signer.algorithms import DigestAlgorithm
    from signer.cli.evidence_create import create_records
    from signer.cli.evidence_files import evidence_folder, find_items, trust_anchors, trust_files
    from signer.cli.evidence_report import tell_created
    from signer.timestamp.archived import ArchiveJudge

    folder = evidence_folder(source, out)
    trust = trust_files(tsa_trust)
    items = find_items(source, folder, grouped=grouped)
    if not items:
        raise click.UsageError(f"no document in {source}")
    made = create_records(
        items, folder, DigestAlgorithm(digest), _stamper(trust, **tsa), of_documents=records != "class", of_class=records != "documents"
    )
    tell_created(made, folder, made.prove(ArchiveJudge(trust_anchors(trust)), datetime.now(UTC)))


@evidence.command(
    epilog=epilog(ExitCode.OK)
    + "\n  1    at least one document is not PROVEN, missing ones and a class that is not whole included"
    + "\n  2    wrong arguments"
)
@click.argument("source", type=_SOURCE, metavar="FOLDER_OR_FILE")
@click.option("--evidence", "records", type=_FOLDER, metavar="FOLDER", help="Where the records are. Default: NAME-evidence beside it.")
@click.option("--group", "grouped", is_flag=True, help="The records were made with --group.")
@click.option("--at", metavar="TIME", help="Verify as of this moment, ISO 8601 with zone. Default: now.")
@_trust_option
@json_option
@language_option
def verify(source: Path, records: Path | None, grouped: bool, at: str | None, tsa_trust: tuple[Path, ...]) -> None:
    """Verify documents against their evidence records, without daemon and without network.

    Judges each document by its own record, else by class.er: its hash tree, every timestamp since the first, and every renewal. Tells
    which documents were changed, which are missing and which have no evidence. Revocation of TSA certificates is not looked up.

    \b
    Example:
      signer evidence verify class-1A-signed/ --tsa-trust tsa-ca.pem
    """  # noqa: D301  # click reads \b
    from signer.cli.evidence_files import evidence_folder, find_items, find_records, trust_anchors, trust_files
    from signer.cli.evidence_judge import judge_all
    from signer.cli.evidence_report import tell_verdicts
    from signer.timestamp.archived import ArchiveJudge

    folder = evidence_folder(source, records)
    found = find_records(folder)
    items = find_items(source, folder, grouped=grouped)
    if not found:
        raise click.UsageError(f"no evidence record in {folder}; name its folder with --evidence")
    if source.is_file():
        found = {name: file for name, file in found.items() if name == items[0].name or name == "class"}
    verdicts = judge_all(items, found, ArchiveJudge(trust_anchors(trust_files(tsa_trust))), _moment(at, "--at") or datetime.now(UTC))
    verdicts = [verdict for verdict in verdicts if not (verdict.is_class and source.is_file())]
    tell_verdicts(verdicts)
    sys.exit(ExitCode.OK if all(verdict.is_fine for verdict in verdicts) else ExitCode.SOME_FAILED)


@evidence.command(epilog=epilog(ExitCode.OK, ExitCode.SOME_FAILED, ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.REFUSED))
@click.argument("records", type=_FOLDER, metavar="EVIDENCE_FOLDER")
@click.option("--hash-tree", is_flag=True, help="With a new hash tree: before a digest algorithm weakens. Needs --documents.")
@click.option("--documents", type=_SOURCE, metavar="FOLDER", help="The documents that the records are about.")
@click.option("--digest", type=_DIGESTS, default="sha512", show_default=True, help="Of the new hash tree.")
@click.option("--group", "grouped", is_flag=True, help="The records were made with --group.")
@click.option("--due-before", metavar="TIME", help="Only records to be renewed before this moment, ISO 8601 with zone. Default: all.")
@_tsa_options
@_trust_option
@json_option
@language_option
def renew(  # noqa: PLR0917  # click passes by name
    records: Path,
    hash_tree: bool,
    documents: Path | None,
    digest: str,
    grouped: bool,
    due_before: str | None,
    tsa_trust: tuple[Path, ...],
    **tsa: Any,
) -> None:
    """Renew evidence records in place, all with one timestamp.

    Without --hash-tree: before the TSA's certificate ends or its signature algorithm weakens; documents are not needed. Each record is
    verified before and after, and replaced only when the new one stands; what can't be renewed stays as it was and is told.

    \b
    Examples:
      signer evidence renew class-1A-evidence/ --tsa http://tsa.example/ --tsa-trust tsa-ca.pem --due-before 2031-01-01T00:00+07:00
      signer evidence renew class-1A-evidence/ --hash-tree --documents class-1A-signed/ --tsa http://tsa.example/ --tsa-trust tsa-ca.pem
    """  # noqa: D301  # click reads \b
    from signer.algorithms import DigestAlgorithm
    from signer.cli.evidence_files import find_items, find_records, trust_anchors, trust_files
    from signer.cli.evidence_renew import Renewal
    from signer.cli.evidence_report import tell_outcomes
    from signer.timestamp.archived import ArchiveJudge

    if hash_tree != (documents is not None):
        raise click.UsageError("--hash-tree and --documents go together")
    found = find_records(records)
    if not found:
        raise click.UsageError(f"no evidence record in {records}")
    trust = trust_files(tsa_trust)
    judge = ArchiveJudge(trust_anchors(trust))
    renewal = Renewal(_stamper(trust, **tsa), judge, lambda: datetime.now(UTC), _moment(due_before, "--due-before"))
    if documents is None:
        outcomes = renewal.by_timestamp(found)
    else:
        outcomes = renewal.by_hash_tree(found, find_items(documents, records, grouped=grouped), DigestAlgorithm(digest))
    tell_outcomes(outcomes)
    sys.exit(ExitCode.SOME_FAILED if any(outcome.problem for outcome in outcomes) else ExitCode.OK)


def _stamper(trust: Sequence[Path], tsa: Sequence[str], policy: Sequence[str], timeout_s: float) -> Any:
    from signer.cli.evidence_stamp import HttpStamper

    return HttpStamper.of(tsa, trust, policy, timeout_s)


def _moment(text: str | None, option: str) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() is None:
        raise click.UsageError(f"{option} {text!r}: expected ISO 8601 with a zone, such as 2026-05-30T17:00:00+07:00")
    return moment
