"""Who gives timestamps, made from the configuration: outside authorities, else the built-in one with its clock. Nothing is started here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from signer.config import Config
from signer.journal import EvidenceArchive, Journal
from signer.pipeline.authorities import Authorities
from signer.pipeline.engine import Engine
from signer.pipeline.evidence import EvidenceKeeping
from signer.pipeline.imprints import BuiltInStamps, ImprintStamper, OutsideStamps
from signer.pipeline.outside_tsa import OutsideTimestamper
from signer.pipeline.timestamping import BuiltInTimestamper
from signer.server.believing import Believing
from signer.server.timestamps import TimeRooms
from signer.server.watch import Watch
from signer.timestamp.client import TimestampClient
from signer.timestamp.clock.watch import ClockWatch
from signer.tokens.pool import TokenPool


@dataclass(frozen=True, slots=True)
class StampingRooms:
    """authority, clock: of the built-in one; None without it. time: what TimestampService stands on."""

    client: TimestampClient
    authority: BuiltInTimestamper | None
    clock: ClockWatch | None
    time: TimeRooms


def furnish_stamping(
    config: Config, engine: Engine, journal: Journal, *, pools: Mapping[str, TokenPool], watch: Watch, believing: Believing
) -> StampingRooms:
    """Makes them, and tells the engine who stamps signatures."""
    client = TimestampClient(config.stamping.servers, engine.metrics, engine.utc_now)
    authority = clock = None
    if config.timestamp is not None:
        clock = ClockWatch(config.timestamp.clock, config.timestamp.clock_error_max, engine.metrics, watch.clock_changed)
        authority = BuiltInTimestamper(engine, config.timestamp, journal, clock.clock.now)
    engine.timestamper = OutsideTimestamper(client) if config.stamping.servers else authority
    engine.patience_s = config.stamping.patience_s
    authorities = Authorities(engine, pools, client, config.timestamp, None if clock is None else clock.clock.standing)
    evidence = EvidenceKeeping(engine, EvidenceArchive(journal), believing.timestamp_roots)
    return StampingRooms(client, authority, clock, TimeRooms(evidence, _stamps(config, authority, authorities), authorities))


def _stamps(config: Config, authority: BuiltInTimestamper | None, authorities: Authorities) -> ImprintStamper | None:
    """Imprints are stamped by whoever stamps signatures."""
    if config.stamping.servers:
        return OutsideStamps(authorities.outside)
    if authority is not None and config.timestamp is not None:
        return BuiltInStamps(authority, config.timestamp)
    return None
