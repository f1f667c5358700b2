"""`signer` with a leak: it keeps so many bytes of every document that a batch ends. To see that a soak finds one.

python -m tests.support.leaking serve --config FILE, with LEAK_BYTES in the environment.
"""

from __future__ import annotations

import os
from typing import Any

_kept: list[bytes] = []


def _plant(bytes_a_document: int) -> None:
    from signer.pipeline.batch import Tally  # noqa: PLC0415  # as late as `signer serve` itself: gRPC is prepared before it is loaded

    add = Tally.add

    def add_and_keep(tally: Tally, result: Any) -> None:
        _kept.append(os.urandom(bytes_a_document))
        add(tally, result)

    setattr(Tally, add.__name__, add_and_keep)


def main() -> None:
    from signer.cli import main as signer  # noqa: PLC0415

    _plant(int(os.environ["LEAK_BYTES"]))
    signer()


if __name__ == "__main__":
    main()
