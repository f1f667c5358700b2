"""`signer verify`: judge signed documents here and now, without daemon and without network."""

# ruff: noqa: PLC0415  # imported where needed: what a command does not use is not loaded
from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from signer.cli.exits import ExitCode, epilog
from signer.cli.language import Text, current_language, language_option, say
from signer.cli.names import common_name
from signer.cli.output import cell, clean, is_json, json_option, note, print_json, print_table

if TYPE_CHECKING:
    from signer.cli.verify_files import Verdict

_HEADINGS = (
    Text("File", "Tệp"),
    Text("Field", "Ô chữ ký"),
    Text("Verdict", "Kết luận"),
    Text("Level", "Mức"),
    Text("Signer", "Người ký"),
    Text("Time", "Thời gian"),
    Text("Remarks", "Ghi chú"),
)
_NO_FILE = Text("no .pdf, .xml, .p7s or .p7m file to verify", "không có tệp .pdf, .xml, .p7s hoặc .p7m nào để kiểm tra")
_NO_TRUST = Text(
    "no --trust was given: whether a signature is intact is judged, whom it is by is not",
    "chưa có --trust: chỉ kiểm tra tính toàn vẹn, chưa xác định được người ký có đáng tin hay không",
)
_ONE_CONTENT = Text("--content is for one signature: name one file", "--content chỉ dùng cho một chữ ký: hãy nêu một tệp")
_TOTAL = Text("{files} files, {passed} passed, {others} not", "{files} tệp, {passed} đạt, {others} không đạt")
_STYLES = {"TOTAL_PASSED": "green", "INDETERMINATE": "yellow", "TOTAL_FAILED": "red"}
_PASSED = "TOTAL_PASSED"
_PEM = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    epilog=epilog(ExitCode.OK)
    + "\n  1    at least one file is not TOTAL_PASSED, unsigned and unreadable ones included"
    + "\n  2    wrong arguments"
)
@click.argument("sources", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="FILE_OR_FOLDER...")
@click.option(
    "--trust", multiple=True, type=_PEM, metavar="PEM", help="CAs whose signers are believed; may be repeated. SIGNER_TRUST: one file."
)
@click.option("--tsa-trust", multiple=True, type=_PEM, metavar="PEM", help="CAs whose timestamps are believed. Default: those of --trust.")
@click.option("--intermediates", multiple=True, type=_PEM, metavar="PEM", help="CAs that only complete chains.")
@click.option(
    "--content",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="What a detached signature signs. Default: the file beside a .p7s.",
)
@click.option("--at", metavar="TIME", help="Verify as of this moment, ISO 8601 with zone. Default: now.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Processes to use. Default: as many as are worth it.")
@json_option
@language_option
def verify(  # noqa: PLR0917  # click passes by name
    sources: tuple[Path, ...],
    trust: tuple[Path, ...],
    tsa_trust: tuple[Path, ...],
    intermediates: tuple[Path, ...],
    content: Path | None,
    at: str | None,
    jobs: int | None,
) -> None:
    """Verify every signature of PDF, XML and CMS files, without a daemon.

    Judges by ETSI EN 319 102-1: is each signature intact, who made it, when, at which level, and what was changed afterwards; records in
    XML also by their layout: does each signature stand in its slot and cover what it must? Nothing is fetched: chains and revocation come
    from the documents and from the files given. Folders are searched for .pdf, .xml, .p7s and .p7m.

    \b
    Examples:
      signer verify class-1A-signed/ --trust ca.pem --tsa-trust tsa-ca.pem
      signer verify report.pdf --trust ca.pem --json
      signer verify record.xml.p7s --content record.xml --trust ca.pem --lang vi
    """  # noqa: D301  # click reads \b
    from signer.cli.verify_files import Manner, anchors, find, judge_all

    moment = _moment(at)
    trusted = anchors(trust, tsa_trust, intermediates)
    files = find(sources)
    if not files:
        raise click.UsageError(say(_NO_FILE))
    if not trusted.signing:
        note(say(_NO_TRUST))
    if content is not None and len(files) > 1:
        raise click.UsageError(say(_ONE_CONTENT))
    verdicts = judge_all(files, Manner.of(trusted, moment, content), jobs)
    if is_json():
        print_json(_members(verdicts))
    else:
        print_table([say(heading) for heading in _HEADINGS], [row for verdict in verdicts for row in _rows(verdict)])
        for verdict in verdicts:
            if verdict.signatures and (len(verdicts) == 1 or verdict.indication != _PASSED):
                click.echo(clean(f"{verdict.file}: {verdict.summary_vi if current_language() == 'vi' else verdict.summary_en}"))
        passed = sum(verdict.indication == _PASSED for verdict in verdicts)
        click.echo(say(_TOTAL, files=len(verdicts), passed=passed, others=len(verdicts) - passed))
    sys.exit(ExitCode.OK if all(verdict.indication == _PASSED for verdict in verdicts) else ExitCode.SOME_FAILED)


def _moment(at: str | None) -> datetime:
    if at is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() is None:
        raise click.UsageError(f"--at {at!r}: expected ISO 8601 with a zone, such as 2026-05-30T17:00:00+07:00")
    return moment


def _rows(verdict: Verdict) -> list[list[Any]]:
    name = str(verdict.file)
    if not verdict.signatures:
        return [[name, "", _verdict_cell(verdict.indication), "", "", "", "; ".join(verdict.problems)]]
    rows = []
    for signature in verdict.signatures:
        stamp = signature["timestamp"]
        rows.append(
            [
                name,
                signature["name"],
                _verdict_cell(signature["indication"]),
                (signature["level"] or "").upper(),
                common_name(signature["signer"]),
                _local(stamp["time"] if stamp and stamp["valid"] else signature["claimed_time"]),
                "; ".join([*filter(None, [signature["sub_indication"]]), *signature["problems"]]),
            ]
        )
        name = ""
    return rows


def _verdict_cell(indication: str) -> Any:
    return cell(indication, _STYLES.get(indication, ""))


def _local(time: str | None) -> str:
    return f"{datetime.fromisoformat(time).astimezone():%Y-%m-%d %H:%M:%S}" if time else ""


def _members(verdicts: list[Verdict]) -> dict[str, Any]:
    counts = Counter(verdict.indication for verdict in verdicts)
    return {
        "summary": {"files": len(verdicts), **{name: counts.get(name, 0) for name in _STYLES}},
        "files": [
            {
                "path": str(verdict.file),
                "indication": verdict.indication,
                "problems": list(verdict.problems),
                "reason": verdict.reason,
                "summary_vi": verdict.summary_vi,
                "summary_en": verdict.summary_en,
                "signatures": list(verdict.signatures),
                "slots": list(verdict.slots),
            }
            for verdict in verdicts
        ],
    }
