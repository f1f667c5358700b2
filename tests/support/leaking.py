"""A daemon that leaks: it keeps so many bytes of every document that a batch ends. To see that a soak finds it (`nursery.Prepare`)."""

from __future__ import annotations

import os
from typing import Any

from signer.pipeline.batch import Tally

_kept: list[bytes] = []


def leak(bytes_a_document: int) -> None:
    """In this process from now on."""
    add = Tally.add

    def add_and_keep(tally: Tally, result: Any) -> None:
        _kept.append(os.urandom(bytes_a_document))
        add(tally, result)

    setattr(Tally, add.__name__, add_and_keep)
