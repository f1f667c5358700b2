"""What the running daemon sees: its tokens, credentials, workers, clock, authorities, CAs and journal. Nobody outside is asked anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from signer.errors import JournalUnavailable
from signer.model import Finding
from signer.pipeline.authorities import AuthorityState
from signer.revocation.source import StatusSource
from signer.server.diagnosis.archive import check_archive
from signer.server.diagnosis.findings import fail, ok, warn
from signer.server.diagnosis.process import check_process
from signer.server.rooms import Rooms
from signer.server.watch import pin_state
from signer.telemetry.metrics import PinState
from signer.tokens.pool import TokenPool
from signer.workers.supervisor import PlaceState

_PIN_PAGES = {
    PinState.HELD: "SignerPinHeld",
    PinState.LOCKED: "SignerPinLocked",
    PinState.SOURCE_UNREADABLE: "SignerPinSourceUnreadable",
}
_SHOWN_MAX = 20
_SOON = timedelta(days=30)
_CLOCK_S_MAX = 1.0


async def check_rooms(rooms: Rooms, now: datetime) -> list[Finding]:
    """Every check of this file. now: aware."""
    return [
        *[finding for pool in rooms.pools.values() for finding in _token(pool)],
        *_credentials(rooms, now),
        *await _kept(rooms, now),
        _document_workers(rooms),
        *_clock(rooms),
        *_authorities(rooms),
        *_revocation(rooms),
        await _journal(rooms),
        *await check_archive(rooms.archiving),
        *await _others(rooms),
        *check_process(),
    ]


async def _others(rooms: Rooms) -> list[Finding]:
    """What this daemon has in common with others on its database, where there may be any."""
    feed = rooms.feed
    if feed is None:
        return []
    try:
        ahead_s = await feed.clock_ahead_s()
    except JournalUnavailable as error:
        return [fail("replicas", error.message, "see to the database, or to the way there; callers are with other daemons meanwhile")]
    led = ", ".join(sorted(task.name.lower() for task in rooms.leading.tasks)) or "nothing"
    said = f"follows what other daemons change; leads in {led}; its clock is {ahead_s:+.2f} s off the database's"
    if abs(ahead_s) > _CLOCK_S_MAX:
        return [warn("replicas", said, "let both keep time by the same servers (chrony)")]
    return [ok("replicas", said)]


def _token(pool: TokenPool) -> Iterator[Finding]:
    state = pin_state(pool)
    if state is not PinState.READY:
        yield fail("pin", f"token {pool.name}: {pool.problem}", "see the runbook before any PIN is tried again", _PIN_PAGES[state])
    else:
        yield ok("pin", f"token {pool.name}: its PIN is not held")
    ready = sum(place.state is PlaceState.READY for place in pool.places)
    said = f"token {pool.name}: {ready} of {len(pool.places)} workers sign, {pool.queue_depth} digests wait"
    if not ready:
        yield fail("tokens", f"{said}: {pool.problem}", "mend what it says; the daemon tries again by itself", "SignerTokenDown")
    elif ready < len(pool.places):
        yield warn("tokens", said, "`signer tokens` shows the last fault", "SignerTokenHealing")
    else:
        yield ok("tokens", said)


def _credentials(rooms: Rooms, now: datetime) -> Iterator[Finding]:
    table = rooms.engine.credentials
    credentials = table.list_all()
    told = 0
    for credential in credentials:
        for problem in table.findings(credential, now):
            told += 1
            if told > _SHOWN_MAX:
                continue
            make = warn if problem.kind.is_warning else fail
            yield make(
                "certificates", f"credential {credential.id}: {problem.text}", "`signer credentials` shows it", "SignerCertificateEnds"
            )
    if told > _SHOWN_MAX:
        yield warn("certificates", f"{told - _SHOWN_MAX} more findings", "`signer credentials` lists them all", "SignerCertificateEnds")
    if not told:
        yield ok("certificates", f"{len(credentials)} credentials can sign, and none ends soon")


async def _kept(rooms: Rooms, now: datetime) -> list[Finding]:
    """Certificates of the key store, counted: there may be thousands."""
    if rooms.engine.kept is None:
        return []
    try:
        ended, soon, *_later = (await rooms.engine.kept.store.count_ends([now, now + _SOON])).counts
    except JournalUnavailable:  # which is a finding of its own
        return []
    if not ended and not soon:
        return []
    said = f"{ended} certificates of the key store have ended, {soon} more end within {_SOON.days} days"
    return [warn("certificates", said, "`signer keys renew` renews them in bulk", "SignerCertificateEnds")]


def _document_workers(rooms: Rooms) -> Finding:
    places = rooms.documents.places
    ready = sum(place.state is PlaceState.READY for place in places)
    said = f"{ready} of {len(places)} document workers are ready"
    if ready == len(places):
        return ok("documents", said)
    make = warn if ready else fail
    return make("documents", said, "the log says why they were lost", "SignerDocumentWorkersDown")


def _clock(rooms: Rooms) -> Iterator[Finding]:
    if rooms.clock is None:
        return
    standing = rooms.clock.clock.standing()
    said = f"{standing.state.value}: {standing.message}" if standing.message else standing.state.value
    if standing.state.issues:
        yield ok("clock", said)
    else:
        yield fail("clock", said, "look at NTP or chronyd; it issues again by itself", "SignerClockNotIssuing")


def _authorities(rooms: Rooms) -> Iterator[Finding]:
    for standing in rooms.time.authorities.standings():
        said = f"{standing.name}: {standing.message or standing.state.value}"
        if standing.state is AuthorityState.READY:
            yield ok("tsa", said)
        elif standing.state is AuthorityState.QUARANTINED:
            yield fail("tsa", said, "see the runbook before it is asked again", "SignerTsaQuarantined")
        else:
            yield warn("tsa", said, "`signer timestamp authorities` shows the last faults", "SignerTsaFailing")


def _revocation(rooms: Rooms) -> Iterator[Finding]:
    status = rooms.engine.require_archive().status
    failing = status.left_alone() if isinstance(status, StatusSource) else []
    for why in sorted(set(failing)):
        yield warn(
            "revocation", f"a CA does not tell whether certificates are revoked: {why}", "see the runbook", "SignerStatusUnavailable"
        )
    if not failing:
        yield ok("revocation", "no CA that was asked failed a moment ago")


async def _journal(rooms: Rooms) -> Finding:
    try:
        parked = await rooms.journal.parked_count()
    except JournalUnavailable as error:
        return fail("journal", error.message, "see the runbook", "SignerJournalUnavailable")
    if parked:
        return warn("journal", f"{parked} signatures are parked", "they are completed when authorities answer", "SignerParkedStay")
    return ok("journal", "it answers, and nothing is parked")
