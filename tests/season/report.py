"""docs/season.md: how long everybody waits, for several rates of the token, with turns and without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.season.token import IN_WORK_MAX, Ending, Token, run
from tests.season.week import SchoolKind, Signatory, Visit, height_per_s, week

FACTORS = (0.5, 0.8, 1.0, 1.25, 2.0)
"""Rates of the token, over what is asked for in the worst quarter of an hour."""
_WORKERS = 2
_EVERYBODY = "one line"

_HEAD = """# The last week of May, computed

`make season` writes this page: {schools} schools ({visits:,} visits, {records:,} signatures; seed {seed}) in virtual time, against the
queue and the frames of the appliance itself (`FairQueue`, and what `signer.tokens.pool` hands to a worker), in front of a token of
{workers} workers. A visit is a batch, of which {window} records at most are in work; it ends with its last signature. Everybody comes in
the evenings of that week, subject teachers first, the seal last, most on the evenings before the deadline. In the worst quarter of an hour
{height:.1f} signatures a second are asked for; the columns are tokens that are slower or faster than that. {height:.1f}/s for {schools}
schools is 500/s for some {department:,.0f}.

Left out: everything but the token and who waits for it. What preparing, the journal and the network add is in [load.md](load.md); machines
are in [scale.md](scale.md).
"""
_NOTES = """
A token that is slower than the worst quarter of an hour asks for makes that quarter last longer, and nobody is lost: what is asked for
waits. Even then a class waits for turns of the schools that sign at that moment, not for their batches: compare with whole batches in one
line, below. Turns are the schools': a large one, with a dozen teachers a class in the same evening, gets no more of a token that is too
slow than a small one, so its teachers wait longest there; weights are for that (`signer schools`). A principal's batch takes as long as its
share of the token makes it: it is the visit to plan a token by.
"""


def page(schools: int, seed: int) -> str:
    """The whole page; the same for the same arguments."""
    visits = week(schools, seed)
    height = height_per_s(visits)
    tokens = [Token(factor * height, _WORKERS) for factor in FACTORS]
    records = sum(visit.records for visit in visits)
    head = _HEAD.format(
        schools=schools,
        visits=len(visits),
        records=records,
        seed=seed,
        workers=_WORKERS,
        window=IN_WORK_MAX,
        height=height,
        department=round(500 / height * schools, -2),
    )
    in_turn = [run(visits, token) for token in tokens]
    one_line = [run([replace(visit, school=_EVERYBODY) for visit in visits], token, in_work_max=records) for token in tokens]
    parts = [
        "## In turns, as the appliance does",
        _table(in_turn, tokens),
        _NOTES,
        "## In one line, whole batches, first come first served",
    ]
    return "\n".join([head, *parts, _table(one_line, tokens)]) + "\n"


def _table(ends: Sequence[Sequence[Ending]], tokens: Sequence[Token]) -> str:
    heads = [f"{factor:g} × ({token.signatures_per_s:.1f}/s)" for factor, token in zip(FACTORS, tokens, strict=True)]
    lines = ["", f"| visit, p50 / p99 | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    for kind in SchoolKind:
        for signatory in Signatory:
            cells = [_cell([each.took_s for each in column if _is_of(each.visit, kind, signatory)]) for column in ends]
            if any(cells):
                lines.append(f"| {kind.value}: {signatory.value} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _is_of(visit: Visit, kind: SchoolKind, signatory: Signatory) -> bool:
    return (visit.kind, visit.signatory) == (kind, signatory)


def _cell(seconds: list[float]) -> str:
    if not seconds:
        return ""
    ordered = sorted(seconds)
    return f"{_said(ordered[len(ordered) // 2])} / {_said(ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)])}"


def _said(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
