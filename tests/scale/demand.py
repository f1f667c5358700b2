"""Who signs how much, and what is assumed of machines. Whoever knows better changes it here and runs `make scale`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Site:
    """Somewhere that signs. peak_per_s: signatures a second in its worst hour. pupils: whose records it signs in a season."""

    name: str
    peak_per_s: float
    pupils: int


@dataclass(frozen=True, slots=True)
class Assumption:
    """A number that nobody measured here, and why it is what it is."""

    value: float
    what: str


COUNTRY_PUPILS: Final = 18_000_000
COUNTRY_PEAK_PER_S: Final = 2_800.0
CITY_PUPILS: Final = 12 * 132_719
"""TP.HCM: one grade's pupils, twelve times."""

SITES: Final = (
    Site("a school with a USB token", 1 / 0.2, 1_225),
    Site("TP.HCM", COUNTRY_PEAK_PER_S * CITY_PUPILS / COUNTRY_PUPILS, CITY_PUPILS),
    Site("a large Department, with reserve", 500.0, CITY_PUPILS),
    Site("the country", COUNTRY_PEAK_PER_S, COUNTRY_PUPILS),
)

MIX: Final[Mapping[str, float]] = {"ministry-xml": 0.5, "pades-b-b": 0.35, "pades-b-t": 0.15}
"""Share of all signatures: a record is an XML file and a PDF; principal and seal sign the PDF with a timestamp."""

SIGNATURES_A_RECORD: Final = Assumption(9.6, "signatures a record: 3 in primary school, 15 later, 45 % of pupils are in primary school")
CORE_SHARE_MAX: Final = Assumption(0.5, "how busy a core may be at the peak: the other half is for bursts and for a machine that is away")
DAEMON_SHARE_MAX: Final = Assumption(0.7, "how busy a daemon's one interpreter may be; beyond it the tail grows (docs/load.md)")
MACHINE_CORES: Final = Assumption(16, "cores of a machine")
CLIENT_LIBRARY_US: Final = Assumption(150, "µs of CPU that the vendor's PKCS#11 library takes for one C_Sign over the network")
HSM_PER_S: Final = Assumption(1_000, "RSA-2048 signatures a second of one HSM; data sheets say 1,000 to 10,000, ask yours")
HSM_SHARE_MAX: Final = Assumption(0.7, "how busy an HSM may be at the peak")
COMMITS_PER_LOG_MAX: Final = Assumption(100, "commits a second of one log: its daemons write in turn, and each waits for two disks")
WRITER_SHARE_MAX: Final = Assumption(
    0.4, "how much of the time one log may be written at the peak, for its writers are one after the other"
)
MATERIAL_DAYS_SHARE: Final = Assumption(1.0, "seasons whose material is kept at once (`journal.material_days = 400`: one)")
ASSUMPTIONS: Final = (
    SIGNATURES_A_RECORD,
    CORE_SHARE_MAX,
    DAEMON_SHARE_MAX,
    MACHINE_CORES,
    CLIENT_LIBRARY_US,
    HSM_PER_S,
    HSM_SHARE_MAX,
    COMMITS_PER_LOG_MAX,
    WRITER_SHARE_MAX,
    MATERIAL_DAYS_SHARE,
)
