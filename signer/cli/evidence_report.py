"""What `signer evidence` tells: tables for people, JSON for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from signer.cli.evidence_create import Created
from signer.cli.evidence_judge import Verdict
from signer.cli.evidence_renew import Outcome
from signer.cli.language import Text, say
from signer.cli.names import common_name
from signer.cli.output import cell, is_json, print_json, print_table
from signer.formats.evidence import Proof

_CREATED = Text(
    "{documents} documents proved with one timestamp of {time} by {authority}; {records} records in {folder}; renew before {until}",
    "{documents} tài liệu được chứng minh bằng một dấu thời gian lúc {time} của {authority}; {records} tệp bằng chứng trong {folder}; "
    "gia hạn trước {until}",
)
_HEADINGS = (
    Text("Document", "Tài liệu"),
    Text("Verdict", "Kết luận"),
    Text("Existed at", "Tồn tại từ"),
    Text("Renew before", "Gia hạn trước"),
    Text("Timestamps", "Dấu thời gian"),
    Text("Remarks", "Ghi chú"),
)
_RENEWAL_HEADINGS = (Text("Record", "Bằng chứng"), Text("Renewed", "Đã gia hạn"), *_HEADINGS[3:])
_CLASS = Text("(the class as a whole)", "(cả lớp)")
_TOTAL = Text("{files} documents, {passed} proven, {others} not", "{files} tài liệu, {passed} được chứng minh, {others} không")
_RENEWED = Text(
    "{records} records: {renewed} renewed, {left} left alone, {failed} failed",
    "{records} bằng chứng: {renewed} được gia hạn, {left} chưa cần, {failed} lỗi",
)
_YES, _NO = Text("yes", "có"), Text("no", "không")


def tell_created(made: Created, folder: Path, proof: Proof) -> None:
    """What was written, and what it proves."""
    authority = proof.timestamps[0][0].authority
    if is_json():
        members = {
            "documents": made.documents,
            "records": made.records,
            "class_record": str(made.class_record) if made.class_record else None,
            "folder": str(folder),
            "digest_algorithm": made.algorithm.value,
            "root": made.root.hex(),
            "record_bytes_max": made.record_bytes_max,
            "authority": authority,
        }
        print_json({**members, **_proof_members(proof)})
    else:
        times = {"time": _local(proof.proven_time), "until": _local(proof.renew_before)}
        click.echo(say(_CREATED, documents=made.documents, records=made.records, folder=folder, authority=common_name(authority), **times))


def tell_verdicts(verdicts: Sequence[Verdict]) -> None:
    """A row for each document, missing ones and the class as a whole included."""
    documents = [verdict for verdict in verdicts if not verdict.is_class]
    if is_json():
        counts = Counter(verdict.status.value for verdict in documents)
        whole = next((_verdict_members(verdict) for verdict in verdicts if verdict.is_class), None)
        print_json({"summary": dict(counts), "class": whole, "documents": [_verdict_members(verdict) for verdict in documents]})
        return
    rows: list[list[Any]] = []
    for verdict in verdicts:
        name = say(_CLASS) if verdict.is_class else verdict.name
        status = cell(verdict.status.value, "green" if verdict.is_fine else "red")
        rows.append([name, status, _time(verdict.proof, "proven_time"), *_rest(verdict.proof), verdict.problem])
    print_table([say(heading) for heading in _HEADINGS], rows)
    passed = sum(verdict.is_fine for verdict in documents)
    click.echo(say(_TOTAL, files=len(documents), passed=passed, others=len(documents) - passed))


def _verdict_members(verdict: Verdict) -> dict[str, Any]:
    name = {} if verdict.is_class else {"path": verdict.name}
    return {**name, "status": verdict.status.value, "problem": verdict.problem, "check": verdict.check, **_proof_members(verdict.proof)}


def tell_outcomes(outcomes: Sequence[Outcome]) -> None:
    """A row for each record."""
    renewed, failed = sum(one.renewed for one in outcomes), sum(bool(one.problem) for one in outcomes)
    if is_json():
        members = [{"record": one.name, "renewed": one.renewed, "problem": one.problem, **_proof_members(one.proof)} for one in outcomes]
        print_json({"summary": {"records": len(outcomes), "renewed": renewed, "failed": failed}, "records": members})
        return
    rows = [[one.name, say(_YES if one.renewed else _NO), *_rest(one.proof), one.problem] for one in outcomes]
    print_table([say(heading) for heading in _RENEWAL_HEADINGS], rows)
    click.echo(say(_RENEWED, records=len(outcomes), renewed=renewed, failed=failed, left=len(outcomes) - renewed - failed))


def _proof_members(proof: Proof | None) -> dict[str, Any]:
    if proof is None:
        return {"proven_time": None, "renew_before": None, "timestamps": []}
    stamps = [
        [{"time": one.time.isoformat(), "valid_until": one.valid_until.isoformat(), "authority": one.authority} for one in chain]
        for chain in proof.timestamps
    ]
    return {"proven_time": proof.proven_time.isoformat(), "renew_before": proof.renew_before.isoformat(), "timestamps": stamps}


def _rest(proof: Proof | None) -> list[str]:
    return [_time(proof, "renew_before"), "" if proof is None else str(sum(map(len, proof.timestamps)))]


def _time(proof: Proof | None, name: str) -> str:
    return "" if proof is None else _local(getattr(proof, name))


def _local(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
