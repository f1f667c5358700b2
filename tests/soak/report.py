"""docs/soak.md: what the appliance's processes held, first and last."""

from __future__ import annotations

from collections.abc import Sequence

from tests.soak.figures import Growth, growths
from tests.soak.run import Run

KIB_PER_DOCUMENT_MAX = 1.0
"""What the long form is held against, for every process."""


def faults(run: Run, kib_per_document_max: float = KIB_PER_DOCUMENT_MAX) -> list[str]:
    """What grew; empty when nothing did."""
    looks = run.steady
    found = [
        f"{growth.process} grew {growth.kib_per_document:.2f} KiB a document"
        for growth in growths(looks)
        if growth.kib_per_document > kib_per_document_max
    ]
    found += [f"{growth.process}: {what}" for growth in growths(looks) if (what := _more_held(growth))]
    if looks[-1].sessions > looks[0].sessions:
        found.append(f"PKCS#11 sessions: {looks[0].sessions} → {looks[-1].sessions}")
    return found


def _more_held(growth: Growth) -> str:
    """Descriptors and threads: those of a pool may come late, hence two more of each are none."""
    kinds = (
        ("descriptors", growth.first.descriptors, growth.last.descriptors),
        ("threads", growth.first.threads, growth.last.threads),
    )
    return ", ".join(f"{kind} {first} → {last}" for kind, first, last in kinds if last > first + 2)


def text(run: Run, machine: str) -> str:
    """docs/soak.md."""
    looks = run.steady
    return f"""# Soak

`make soak` writes this page: {run.signatures.total()} signatures and timestamps in {run.pace.rounds} rounds against one daemon with two
token workers and two document workers on SoftHSM, a journal on disk, CAs that answer by OCSP. A round does everything of the second table,
two works at a time, over a connection of its own. The first {run.pace.warm_up} rounds warm up; the rest is held against the promise:
**less than {KIB_PER_DOCUMENT_MAX:g} KiB a document for every process, file descriptors, threads and PKCS#11 sessions flat.**

{machine}

| process | resident MB after the warm-up | at the end | KiB a document | descriptors | threads |
|---|---|---|---|---|---|
{_rows(growths(looks))}

Between medians of the first and of the last quarter of the {len(looks)} looks after the warm-up, {looks[-1].documents - looks[0].documents}
documents in all. PKCS#11 sessions open: {looks[0].sessions}, and {looks[-1].sessions} at the end.

| work | signatures and timestamps |
|---|---|
{_works(run)}

What the first soak found: cycles of Python objects, left by every call, were collected after so many objects and not after so many bytes,
and held documents that had left long ago: 30 KiB a document, up to a hundred megabytes and more. They are collected every second now
(`signer/server/collecting.py`), and what fails lets go of its request first.
"""


def _rows(found: Sequence[Growth]) -> str:
    return "\n".join(
        f"| {growth.process.replace('_', ' ')} | {growth.first.rss_bytes / 1e6:.1f} | {growth.last.rss_bytes / 1e6:.1f} "
        f"| {growth.kib_per_document:.2f} | {growth.first.descriptors} → {growth.last.descriptors} "
        f"| {growth.first.threads} → {growth.last.threads} |"
        for growth in found
    )


def _works(run: Run) -> str:
    return "\n".join(f"| {name} | {count or '–'} |" for name, count in run.signatures.items())
