"""NTP packets as a client writes and judges them (RFC 5905 §7.3, §8; RFC 4330 §5). Pure.

The request says nothing about us: its transmit timestamp is random and only names the exchange (the answer must bring it back as origin
timestamp), times are taken on the steady clock.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from signer.timestamp.clock.readings import Reading
from signer.timestamp.clock.sample import SECOND_NS, Leap, Outcome, SourceFailed, TimeSample

NONCE_BYTES = 8
_HEADER = struct.Struct("!BBbbII4sQ8sQQ")
_VERSION = 4
_VERSIONS_ACCEPTED = {3, 4}
_CLIENT, _SERVER = 3, 4
_STRATUM_MAX = 15
_ROOT_DISTANCE_NS_MAX = 16 * SECOND_NS
_REFERENCE_AGE_NS_MAX = 86_400 * SECOND_NS
_UNIX_EPOCH_S = 2_208_988_800
_ERA_S = 1 << 32
_LEAPS = {0: Leap.NONE, 1: Leap.INSERT, 2: Leap.DELETE}
_LEAP_UNSYNCHRONISED = 3
_PRECISION_EXPONENT_MIN = -32


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and when its answer came. sent, received: taken before sending and after receiving."""

    nonce: bytes
    sent: Reading
    received: Reading


def request(nonce: bytes) -> bytes:
    """A client packet; nonce: 8 random bytes."""
    return _HEADER.pack(_VERSION << 3 | _CLIENT, 0, 0, 0, 0, 0, bytes(4), 0, bytes(8), 0, int.from_bytes(nonce, "big"))


def is_ours(packet: bytes, nonce: bytes) -> bool:
    """Whether a packet can be the answer to the request with this nonce; anything else is to be ignored."""
    return len(packet) >= _HEADER.size and _HEADER.unpack_from(packet)[8] == nonce


def judge(packet: bytes, exchange: Exchange) -> TimeSample:
    """What a server says about true time. packet: one that `is_ours`. Raises SourceFailed.

    The doubt is the root distance of RFC 5905 §11.1: half the round trip (where in it the server's reading lies is not known), half the
    root delay, root dispersion, the server's precision; and how well our own clocks were read.
    """
    head, stratum, _, precision, delay, dispersion, refid, set_at, _, came_at, sent_at = _HEADER.unpack_from(packet)
    leap, version, mode = head >> 6, head >> 3 & 7, head & 7
    if mode != _SERVER or version not in _VERSIONS_ACCEPTED:
        raise SourceFailed(Outcome.NONSENSE, f"mode {mode}, version {version}: not a server's answer")
    _check_synchronised(leap, stratum, refid)
    root_ns = _short_ns(delay) // 2 + _short_ns(dispersion)
    received, sent, updated = (_posix_ns(stamp, exchange.received.wall_ns) for stamp in (came_at, sent_at, set_at))
    _check_times(0 in (came_at, sent_at), received, sent, updated, root_ns)
    begun_ns, ended_ns = exchange.sent.steady_ns, exchange.received.steady_ns
    round_trip_ns = ended_ns - begun_ns - (sent - received)
    precision_ns = int(SECOND_NS * 2.0 ** max(_PRECISION_EXPONENT_MIN, min(0, precision)))
    if round_trip_ns < -precision_ns - exchange.sent.doubt_ns - exchange.received.doubt_ns:
        raise SourceFailed(Outcome.NONSENSE, "it says it worked on the answer for longer than the answer took")
    return TimeSample(
        taken_ns=ended_ns,
        lead_ns=(received - begun_ns + sent - ended_ns) // 2,
        doubt_ns=max(0, round_trip_ns) // 2 + root_ns + precision_ns + exchange.sent.doubt_ns + exchange.received.doubt_ns,
        leap=_LEAPS[leap],
        reference=exchange.nonce.hex(),
    )


def _check_synchronised(leap: int, stratum: int, refid: bytes) -> None:
    if stratum == 0:
        kiss = refid.rstrip(b"\0").decode("ascii", "replace")
        code = kiss if kiss.isalnum() else "?"
        raise SourceFailed(Outcome.KISS, f"kiss-o'-death {code}", kiss=code)
    if leap == _LEAP_UNSYNCHRONISED or stratum > _STRATUM_MAX:
        raise SourceFailed(Outcome.UNSYNCHRONISED, f"the server is not synchronised (stratum {stratum}, leap {leap})")


def _check_times(any_missing: bool, received: int, sent: int, updated: int, root_ns: int) -> None:
    if any_missing or sent < received or updated > sent:
        raise SourceFailed(Outcome.NONSENSE, "its timestamps are missing or out of order")
    if root_ns >= _ROOT_DISTANCE_NS_MAX or sent - updated > _REFERENCE_AGE_NS_MAX:
        raise SourceFailed(Outcome.UNSYNCHRONISED, f"the server is {root_ns / SECOND_NS:g} s from its reference or last saw it a day ago")


def _short_ns(short: int) -> int:
    """NTP short format: 16 bits of seconds, 16 of fraction."""
    return short * SECOND_NS >> 16


def _posix_ns(stamp: int, near_ns: int) -> int:
    """NTP timestamp format (32 bits of seconds, 32 of fraction) in the era nearest to `near_ns`: the seconds wrap in 2036 (RFC 5905 §6)."""
    seconds = (stamp >> 32) - _UNIX_EPOCH_S
    era = round((near_ns // SECOND_NS - seconds) / _ERA_S)
    return (seconds + era * _ERA_S) * SECOND_NS + ((stamp & 0xFFFF_FFFF) * SECOND_NS >> 32)
