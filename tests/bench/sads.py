"""What it costs to believe that ten thousand entries are what a SAD allows: by their digest, and by the root of their tree."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from prometheus_client import CollectorRegistry

from signer.access import sad as sads
from signer.access.appliance_keys import ApplianceKeys
from signer.control.activation import Activations
from signer.control.targets import sealed_target
from signer.formats.entry_list import digest_of_entries
from signer.formats.merkle import root_of_entries
from signer.journal import Journal
from signer.journal.authorizations import AuthorizationRow, AuthorizationStore, Enclosed
from signer.people.authorization import AuthorizationState, AuthorizationTarget, ListBinding, Presentation, SignableList
from signer.store.times import microseconds
from signer.telemetry.metrics import Metrics
from tests.bench.measure import Spread
from tests.bench.row import Row, Target

_ENTRIES = 10_000
_TIMES = 9


@dataclass(frozen=True, slots=True)
class _Word:
    """What one holder allowed, and what presenting it took each time."""

    goal: AuthorizationTarget
    sad: bytes
    walls_ms: list[float] = field(default_factory=list)
    cpus_ms: list[float] = field(default_factory=list)

    async def present(self, activations: Activations, entries: Sequence[bytes]) -> None:
        """Once more, from the bytes that came to a list that items are held against."""
        began_s, cpu_began_s = time.perf_counter(), time.process_time()
        held = await activations.present(self.sad, entries, self.goal, "school", "request")
        self.walls_ms.append((time.perf_counter() - began_s) * 1e3)
        self.cpus_ms.append((time.process_time() - cpu_began_s) * 1e3)
        held.require(entries[-1], "last")


async def presented(folder: Path) -> Row:
    """Both in turn, so that both meet the same machine; the first of several pays for the row's spending as well."""
    entries = [hashlib.sha256(b"%d" % number).digest() for number in range(_ENTRIES)]
    folded = {ListBinding.DIGEST: digest_of_entries(entries), ListBinding.ROOT: root_of_entries(entries)}
    keys = ApplianceKeys([b"k" * 43])
    journal = Journal(f"sqlite:///{folder / 'journal.db'}")
    await journal.start()
    store = AuthorizationStore(journal)
    words = [await _allowed(store, keys, SignableList(*each, _ENTRIES, source_documents=False)) for each in folded.items()]
    activations = Activations(store, keys, Metrics.on(CollectorRegistry()))
    for word in words * _TIMES:
        await word.present(activations, entries)
    await journal.stop()
    by_digest, by_root = words
    details = {
        "entries": _ENTRIES,
        "sad_bytes": len(by_digest.sad),
        "cpu_ms": round(median(by_digest.cpus_ms), 2),
        "by_root_ms": round(median(by_root.walls_ms), 2),
        "by_root_cpu_ms": round(median(by_root.cpus_ms), 2),
    }
    return Row("sad-10000", Target(20.0, "ms", is_ceiling=True), "", figure=Spread.of(by_digest.walls_ms), details=details)


async def _allowed(store: AuthorizationStore, keys: ApplianceKeys, listed: SignableList) -> _Word:
    goal = AuthorizationTarget("79000001", "key", listed, Presentation("12A1"))
    row, sad = _granted(keys, f"au-{listed.binding.value}", goal, datetime.now(UTC))
    await store.add(row, Enclosed())
    return _Word(goal, sad)


def _granted(keys: ApplianceKeys, authorization_id: str, goal: AuthorizationTarget, now: datetime) -> tuple[AuthorizationRow, bytes]:
    shown, minutes = sads.presentation_sha256(goal.presentation), timedelta(minutes=5)
    bound = sads.target_sha256(goal, shown)
    row = AuthorizationRow(
        id=authorization_id,
        school_id=goal.school_id,
        credential_id=goal.credential_id,
        person_id="person",
        client_id="school",
        state=AuthorizationState.GRANTED,
        request_id="",
        target=sealed_target(keys, authorization_id, goal),
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
        list_sha256=goal.list.sha256,
        list_count=goal.list.count,
        school_id=goal.school_id,
        credential_id=goal.credential_id,
        client_id="school",
        expires_us=microseconds(row.expires),
    )
    return row, sads.mint(keys, sad)
