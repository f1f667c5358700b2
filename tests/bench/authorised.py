"""What a holder's word costs: ten thousand entries believed, and a batch under a SAD beside the same one of a key that needs none."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterator
from statistics import median

from signer.v1 import credential_pb2, signature_pb2
from tests.bench.documents import plain_documents
from tests.bench.ground import Ground
from tests.bench.measure import Sample, take_pairs
from tests.bench.row import Row, Target, row_of_pairs
from tests.bench.sads import presented
from tests.bench.usage import cpu_s, daemon_groups
from tests.support.bureau import spec
from tests.support.calls import plan, sign_batch
from tests.support.holders import Holder, Holders, holders, target
from tests.support.worlds import copy_of

_PLAIN = "needs-nobody"


def authorised(ground: Ground) -> Iterator[Row]:
    """A SAD for 10,000 digests presented, in ms; and documents/s under a SAD over documents/s of a key that needs none."""
    yield asyncio.run(presented(ground.scratch("sad")))
    yield _batches(ground)


def _batches(ground: Ground) -> Row:
    """Whole batches, each under a word of its own that was given before; the daemon's own CPU tells most on a busy machine."""
    folder = plain_documents(ground.folder / "documents", ground.pace.batch)
    documents = {file.stem: file.read_bytes() for file in sorted(folder.glob("*.pdf"))[: ground.pace.batch]}
    world = copy_of(ground.world, ground.scratch("authorised") / "world")
    with holders(world, 2 * ground.pace.pairs + 2) as desk:
        desk.office.enrol(spec(_PLAIN, person_id="", activation=credential_pb2.ACTIVATION_MODE_NONE))
        _one(desk, documents, None), _one(desk, documents, desk.next())
        cpu_us: dict[str, list[float]] = {"without": [], "with": []}
        pairs = take_pairs(
            lambda: _metered(desk, documents, None, cpu_us["without"]),
            lambda: _metered(desk, documents, desk.next(), cpu_us["with"]),
            ground.pace.pairs,
        )
    used = {name: round(median(values), 1) for name, values in cpu_us.items()}
    return row_of_pairs(
        "pades-b-b-authorised",
        pairs,
        target=Target(0.95),
        reference="the same batch of a key that needs nobody's word",
        cpu_us_per_item=used,
        details={"batch": len(documents), "daemon_cpu_ratio": round(used["with"] / used["without"], 3)},
    )


def _metered(desk: Holders, documents: dict[str, bytes], holder: Holder | None, cpu_us: list[float]) -> Sample:
    pids = daemon_groups(desk.office.running.process.pid)["daemon"]
    sad = _sad(desk, documents, holder)
    before_s = cpu_s(pids)
    sample = _one(desk, documents, holder, sad)
    cpu_us.append((cpu_s(pids) - before_s) / len(documents) * 1e6)
    return sample


def _sad(desk: Holders, documents: dict[str, bytes], holder: Holder | None) -> bytes:
    if holder is None:
        return b""
    entries = [hashlib.sha256(content).digest() for content in documents.values()]
    return bytes(desk.authorize(holder, target(holder, entries, plan(holder.credential_id))).sad)


def _one(desk: Holders, documents: dict[str, bytes], holder: Holder | None, sad: bytes = b"") -> Sample:
    sad = sad or _sad(desk, documents, holder)
    activation = signature_pb2.Activation(sad=sad) if sad else None
    began_s = time.perf_counter()
    answers = sign_batch(
        desk.office.channel("school"), documents, plan=plan(holder.credential_id if holder else _PLAIN), activation=activation
    )
    seconds = time.perf_counter() - began_s
    assert answers.summary is not None
    assert answers.summary.signed == len(documents), answers.reasons()
    each_ms = seconds / len(documents) * 1e3
    return Sample(len(documents), seconds, each_ms, each_ms)
