"""BatchSignDocuments: PAdES signatures on report cards, one batch after the other over one stream each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from signer.model import Level
from tests.bench.against import row_against
from tests.bench.documents import plain_documents, sizes_kb
from tests.bench.ground import Deployment, Ground, Skipped, judge_one
from tests.bench.lines import ProgramFailed
from tests.bench.measure import Run, Sample
from tests.bench.orders import Order, Work
from tests.bench.row import Row, Target

_LOOP = "C_Sign loop, 1 process"
_JUDGED = 4


def fresh(ground: Ground) -> Iterator[Row]:
    """B-B on unsigned documents, against the loop; what is appended comes back, and once the whole documents."""
    with ground.loop("cbql") as loop, ground.daemon(ground.config("pades-b-b")) as deployed:
        for bench, full, target in (("pades-b-b", False, Target(0.70)), ("pades-b-b-full-document", True, None)):
            yield _row(bench, ground, deployed, order_on(ground, full=full), lambda: loop.run(ground.pace.seconds), target=target)


def third(ground: Ground) -> Iterator[Row]:
    """B-B on documents that teacher and principal have signed: the seal, which is the usual third signature."""
    with ground.loop("seal") as loop, ground.daemon(ground.config("pades-third")) as deployed:
        once = _sign_all(ground, deployed, order_on(ground, "gvcn"))
        twice = _sign_all(ground, deployed, order_on(ground, "cbql", once))
        order = order_on(ground, "seal", twice)
        yield _row(
            "pades-b-b-third-signature",
            ground,
            deployed,
            order,
            lambda: loop.run(ground.pace.seconds),
            target=Target(0.65),
            signatures=3,
        )


def visible(ground: Ground) -> Iterator[Row]:
    """B-B with an appearance of Vietnamese text."""
    order = order_on(ground, visible=True)
    with ground.loop("cbql") as loop, ground.daemon(ground.config("pades-visible")) as deployed:
        try:
            deployed.client.do(msgspec.structs.replace(order, batch=1, seconds=0))
        except ProgramFailed as failure:
            raise Skipped(f"visible signatures are not served yet: {failure}") from failure
        yield _row("pades-b-b-visible", ground, deployed, order, lambda: loop.run(ground.pace.seconds), target=Target(0.60))


def timestamped(ground: Ground) -> Iterator[Row]:
    """B-T with the built-in TSA on the same token: two key uses a document, so the limit is half the loop's rate."""

    def half_the_loop() -> Sample:
        run = loop.run(ground.pace.seconds)
        return Sample(run.items // 2, run.seconds, run.p50_ms, run.p99_ms)

    with ground.loop("cbql") as loop, ground.daemon(ground.config("pades-b-t")) as deployed:
        order = order_on(ground, level=Level.B_T)
        yield _row("pades-b-t", ground, deployed, order, half_the_loop, target=Target(0.65), reference_name=f"half the {_LOOP}")


def order_on(ground: Ground, credential: str = "cbql", folder: Path | None = None, **more: Any) -> Order:
    """Batches of the run's size over a folder, else over unsigned documents; into a field named after the credential."""
    path = folder or plain_documents(ground.folder / "documents", ground.pace.batch)
    usual = {"work": Work.BATCH, "batch": ground.pace.batch, "folder": str(path), "field_name": credential.upper()}
    return ground.order(credential=credential, **{**usual, **more})


def _row(
    bench: str,
    ground: Ground,
    deployed: Deployment,
    order: Order,
    reference: Run,
    *,
    target: Target | None,
    signatures: int = 1,
    reference_name: str = _LOOP,
) -> Row:
    """One row; what the daemon makes of some documents is judged first. signatures: how many each must then have."""
    judged = ground.scratch(f"judged-{bench}")
    deployed.client.do(msgspec.structs.replace(order, batch=_JUDGED, seconds=0, keep=str(judged)))
    judge_one(judged, signatures)
    size = {"batch": order.batch, "document_kb": sizes_kb(Path(order.folder))}
    return row_against(bench, ground, deployed, order, reference, target=target, name=reference_name, **size)


def _sign_all(ground: Ground, deployed: Deployment, order: Order) -> Path:
    """The same documents with one signature more."""
    into = ground.scratch(f"signed-{order.credential}")
    deployed.client.do(msgspec.structs.replace(order, seconds=0, keep=str(into)))
    return into
