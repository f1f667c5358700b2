"""What grew over the looks, and what it is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tests.soak.looks import Holding, Look

_KIB = 1024
_PARTS = 4


@dataclass(frozen=True, slots=True)
class Growth:
    """Of one process over the looks after the warm-up. first, last: medians of the first and of the last quarter of them.

    kib_per_document: between these, over the documents from the middle of the one to the middle of the other, so that neither one high
    look nor a step in the middle hides.
    """

    process: str
    first: Holding
    last: Holding
    kib_per_document: float


def growths(looks: Sequence[Look]) -> list[Growth]:
    """By process, in the order of the first look. At least four looks; ValueError when a process was replaced: nothing can be said then.

    Looks before all processes were there are left out: what checks signatures comes with its worker's first one.
    """
    looks = [look for look in looks if len(look.pids) == len(looks[-1].pids)]
    if any(look.pids != looks[0].pids for look in looks):
        raise ValueError("a process was replaced")
    part = max(1, len(looks) // _PARTS)
    return [_growth(name, looks[:part], looks[-part:]) for name in looks[0].holdings]


def _growth(name: str, first: Sequence[Look], last: Sequence[Look]) -> Growth:
    begun, ended = _middle(name, first), _middle(name, last)
    documents = median(look.documents for look in last) - median(look.documents for look in first)
    return Growth(name, begun, ended, (ended.rss_bytes - begun.rss_bytes) / _KIB / documents)


def _middle(name: str, looks: Sequence[Look]) -> Holding:
    holdings = [look.holdings[name] for look in looks]
    return Holding(
        round(median(each.rss_bytes for each in holdings)),
        round(median(each.descriptors for each in holdings)),
        round(median(each.threads for each in holdings)),
    )
