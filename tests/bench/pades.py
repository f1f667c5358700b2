"""BatchSignDocuments: PAdES signatures on report cards, one batch after the other over one stream each."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from signer.algorithms import SignatureAlgorithm
from signer.model import Level
from tests.bench.against import row_against
from tests.bench.documents import plain_documents, sizes_kb
from tests.bench.ground import Deployment, Ground, judge_one
from tests.bench.lines import LineProgram
from tests.bench.loop import TokenPrograms
from tests.bench.measure import Run, Sample
from tests.bench.orders import Order, Work
from tests.bench.row import Row, Target
from tests.support import looks, pki
from tests.support.daemon import SCHOOL
from tests.support.tsa import write_identity

_LOOP = "C_Sign loop, 1 process"
_ROUND_TRIP_S = 0.020
_AT_ONCE = {4: Target(0.90), 8: Target(0.90), 32: None}
"""`[[stamping.servers]] concurrency_max` (8 when nothing is said). With 32 neither bound rules but the cores, so nothing is promised."""
_JUDGED = 4


def fresh(ground: Ground) -> Iterator[Row]:
    """B-B on unsigned documents, against the loop; what is appended comes back, and once the whole documents."""
    with ground.loop("cbql") as loop, ground.daemon(ground.config("pades-b-b")) as deployed:
        for bench, full, target in (("pades-b-b", False, Target(0.70)), ("pades-b-b-full-document", True, None)):
            yield _row(bench, ground, deployed, order_on(ground, full=full), lambda: loop.run(ground.pace.seconds), target=target)


def third(ground: Ground) -> Iterator[Row]:
    """B-B on documents that teacher and principal have signed: the seal, which is the usual third signature."""
    with ground.loop("seal") as loop, ground.daemon(ground.config("pades-third")) as deployed:
        once = sign_all(ground, deployed, order_on(ground, "gvcn"))
        twice = sign_all(ground, deployed, order_on(ground, "cbql", once))
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
    """B-B with an appearance: a signature image and Vietnamese text."""
    order = order_on(ground, visible=True)
    image = ground.scratch("images") / "cbql.png"
    image.write_bytes(looks.signature_png())
    enrolled = {"id": "cbql", "schools": [SCHOOL], "credential": "cbql", "style": "person", "width_pt": 120.0, "file": str(image)}
    with ground.loop("cbql") as loop, ground.daemon(ground.config("pades-visible", images=[enrolled])) as deployed:
        yield _row("pades-b-b-visible", ground, deployed, order, lambda: loop.run(ground.pace.seconds), target=Target(0.60))


def timestamped(ground: Ground) -> Iterator[Row]:
    """B-T with the built-in TSA on the same token: two key uses a document, so the limit is half the loop's rate."""

    def half_the_loop() -> Sample:
        run = loop.run(ground.pace.seconds)
        return Sample(run.items // 2, run.seconds, run.p50_ms, run.p99_ms)

    with ground.loop("cbql") as loop, ground.daemon(ground.config("pades-b-t")) as deployed:
        order = order_on(ground, level=Level.B_T)
        yield _row("pades-b-t", ground, deployed, order, half_the_loop, target=Target(0.65), reference_name=f"half the {_LOOP}")


def stamped_outside(ground: Ground) -> Iterator[Row]:
    """B-T with an outside TSA 20 ms away: the limit is the token's rate, or the requests at once over the round trip."""
    folder = ground.scratch("far-tsa")
    write_identity(folder, pki.tsa(SignatureAlgorithm.ECDSA_SHA256))
    (folder / "root.pem").write_bytes(pki.root().pem)
    command = [sys.executable, "-m", "tests.bench.far_tsa", str(folder), str(_ROUND_TRIP_S * 1000)]
    with ground.loop("cbql") as loop, LineProgram(command, os.environ) as tsa:
        told = tsa.hear()
        with LineProgram([sys.executable, "-m", "tests.bench.far_probe", str(told["port"])], os.environ) as probe:
            seen: dict[str, Any] = {"tsa_real_time": told["real_time"], "tsa_ms_before": probe.ask("before")}
            for at_once, target in _AT_ONCE.items():
                server = {"name": "far", "url": f"http://127.0.0.1:{told['port']}/", "ca_files": [str(folder / "root.pem")]}
                row = _outside(ground, loop, server | {"concurrency_max": at_once}, target)
                yield replace(row, details={**row.details, **seen, "tsa_ms_meanwhile": probe.ask("meanwhile")})


def _outside(ground: Ground, loop: TokenPrograms, server: dict[str, Any], target: Target | None) -> Row:
    """The row of one authority, by its configuration."""
    at_once = server["concurrency_max"]
    name = f"pades-b-t-outside-{at_once}-at-once"

    def bound() -> Sample:
        """The lesser of both limits; the token's is measured each time."""
        run = loop.run(ground.pace.seconds)
        return Sample(round(min(run.items_per_s, at_once / _ROUND_TRIP_S) * run.seconds), run.seconds, run.p50_ms, run.p99_ms)

    with ground.daemon(ground.config(name, tsas=[server])) as deployed:
        order = order_on(ground, level=Level.B_T, batch=2 * ground.pace.batch)  # long beside its first and last round trip
        limit = f"min({_LOOP}; {at_once} ÷ {_ROUND_TRIP_S * 1000:g} ms = {at_once / _ROUND_TRIP_S:g}/s)"
        return _row(name, ground, deployed, order, bound, target=target, reference_name=limit)


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


def sign_all(ground: Ground, deployed: Deployment, order: Order) -> Path:
    """The same documents with one signature more."""
    into = ground.scratch(f"signed-{order.profile.value}-{order.credential}")
    deployed.client.do(msgspec.structs.replace(order, seconds=0, keep=str(into)))
    return into
