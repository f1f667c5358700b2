"""What a holder's word costs: ten thousand entries believed, and a batch under a SAD beside the same one of a key that needs none."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from prometheus_client import CollectorRegistry

from signer.access import sad as sads
from signer.access.appliance_keys import ApplianceKeys
from signer.control.activation import Activations
from signer.control.targets import sealed_target
from signer.formats.merkle import leaf_hash, root_of
from signer.journal import Journal
from signer.journal.authorizations import AuthorizationRow, AuthorizationStore, Enclosed
from signer.journal.ledger import microseconds
from signer.people.authorization import AuthorizationState, AuthorizationTarget, Presentation, SignableList
from signer.telemetry.metrics import Metrics
from signer.v1 import credential_pb2, signature_pb2
from tests.bench.documents import plain_documents
from tests.bench.ground import Ground
from tests.bench.measure import Sample, Spread, take_pairs
from tests.bench.row import Row, Target, row_of_pairs
from tests.bench.usage import cpu_s, daemon_groups
from tests.support.bureau import spec
from tests.support.calls import plan, sign_batch
from tests.support.holders import Holder, Holders, holders, target
from tests.support.worlds import copy_of

_ENTRIES = 10_000
_TIMES = 9
_PLAIN = "needs-nobody"


def authorised(ground: Ground) -> Iterator[Row]:
    """A SAD for 10,000 digests presented, in ms; and documents/s under a SAD over documents/s of a key that needs none."""
    yield asyncio.run(_presented(ground.scratch("sad")))
    yield _batches(ground)


async def _presented(folder: Path) -> Row:
    """From the bytes that came to a list that items are held against; the first of several pays for the row's spending as well."""
    keys, now = ApplianceKeys([b"k" * 43]), datetime.now(UTC)
    entries = [hashlib.sha256(b"%d" % number).digest() for number in range(_ENTRIES)]
    listed = SignableList(root_of([leaf_hash(entry) for entry in entries]), _ENTRIES, source_documents=False)
    goal = AuthorizationTarget("79000001", "key", listed, Presentation("12A1"))
    journal = Journal(f"sqlite:///{folder / 'journal.db'}")
    await journal.start()
    store = AuthorizationStore(journal)
    row, sad = _granted(keys, goal, now)
    await store.add(row, Enclosed())
    activations = Activations(store, keys, Metrics.on(CollectorRegistry()))
    walls_ms, cpus_ms = [], []
    for _ in range(_TIMES):
        began_s, cpu_began_s = time.perf_counter(), time.process_time()
        held = await activations.present(sad, entries, goal, "school", "request")
        walls_ms.append((time.perf_counter() - began_s) * 1e3)
        cpus_ms.append((time.process_time() - cpu_began_s) * 1e3)
        held.require(entries[-1], "last")
    await journal.stop()
    details = {"entries": _ENTRIES, "sad_bytes": len(sad), "cpu_ms": round(median(cpus_ms), 2)}
    return Row("sad-10000", Target(20.0, "ms", is_ceiling=True), "", figure=Spread.of(walls_ms), details=details)


def _granted(keys: ApplianceKeys, goal: AuthorizationTarget, now: datetime) -> tuple[AuthorizationRow, bytes]:
    shown, minutes = sads.presentation_sha256(goal.presentation), timedelta(minutes=5)
    bound = sads.target_sha256(goal, shown)
    row = AuthorizationRow(
        id="au-bench",
        school_id=goal.school_id,
        credential_id=goal.credential_id,
        person_id="person",
        client_id="school",
        state=AuthorizationState.GRANTED,
        request_id="",
        target=sealed_target(keys, "au-bench", goal),
        target_sha256=bound,
        shown_sha256=shown,
        created=now,
        decided=now,
        expires=now + minutes,
        lifetime=minutes,
    )
    sad = sads.Sad(
        authorization_id=row.id,
        target_sha256=bound,
        list_root=goal.list.root,
        list_count=goal.list.count,
        school_id=goal.school_id,
        credential_id=goal.credential_id,
        client_id="school",
        expires_us=microseconds(row.expires),
    )
    return row, sads.mint(keys, sad)


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
