"""From a signature's cost to a site's needs: arithmetic, no measuring and no writing."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.scale import demand
from tests.scale.demand import Site

_FILE = Path(__file__).with_name("measured.toml")
_US = 1e-6


@dataclass(frozen=True, slots=True)
class Signature:
    """What the average signature of a mix costs.

    writer_s: of the one thread that writes the log. cpu_s: of the machines that sign, HSMs apart. Bytes: of a season, where it is stored.
    """

    daemon_s: float
    writer_s: float
    cpu_s: float
    key_uses: float
    timestamps: float
    network_bytes: float
    commits: float
    wal_bytes: float
    journal_bytes: float
    material_bytes: float
    archived_bytes: float
    archive_file_bytes: float


@dataclass(frozen=True, slots=True)
class Needs:
    """Of a site, at its peak; bytes of a season at its end."""

    site: Site
    cores: float
    daemons: int
    machines: int
    key_uses_per_s: float
    hsms: int
    writer_share: float
    logs: int
    commits_per_s: float
    rows_per_s: float
    wal_bytes_per_s: float
    network_bits_per_s: float
    timestamps_per_s: float
    season_signatures: float
    journal_bytes: float
    material_bytes: float
    archived_bytes: float
    archive_file_bytes: float


@cache
def measured() -> Mapping[str, Any]:
    """The figures of measured.toml."""
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))


def signature(mix: Mapping[str, float] = demand.MIX) -> Signature:
    """The average one."""
    parts = [(share, _of_format(name)) for name, share in mix.items()]
    return Signature(*(sum(share * getattr(each, name) for share, each in parts) for name in Signature.__slots__))


def _of_format(name: str) -> Signature:
    figures = measured()
    cost, cpu, sqlite, archive, server = (figures["formats"][name], *(figures[each] for each in ("cpu", "sqlite", "archive", "postgresql")))
    daemon_s = cost["daemon_cpu"] * cpu["daemon_us"] * _US
    token_us = cost["key_uses"] * (cpu["token_worker_beside_sign_us"] + demand.CLIENT_LIBRARY_US.value)
    documents_s = cost["document_workers_cpu"] * cpu["document_workers_us"] * _US
    return Signature(
        daemon_s=daemon_s,
        writer_s=cpu["journal_share"] * cpu["daemon_us"] * _US * cost["entries"] / 2,
        cpu_s=daemon_s + documents_s + token_us * _US,
        key_uses=cost["key_uses"],
        timestamps=cost["timestamps"],
        network_bytes=cost["network_bytes"],
        commits=cost["commits"],
        wal_bytes=(server["wal_bytes"] - server["wal_material_bytes"]) * cost["entries"] / 2 + cost["material_bytes"],
        journal_bytes=cost["entries"] * sqlite["journal_entry_bytes"] + sqlite["signature_bytes"],
        material_bytes=cost["material_bytes"],
        archived_bytes=cost["entries"] * archive["kept_bytes"] + sqlite["signature_bytes"],
        archive_file_bytes=cost["entries"] * archive["file_bytes"],
    )


_ROWS_BESIDE_ENTRIES = 3
"""A signature's row when it is intended and when it is settled, and its material."""


def needs(site: Site, each: Signature | None = None) -> Needs:
    """What a site needs; machines and HSMs with one to spare, where one alone would not do anyway."""
    one, peak = each or signature(), site.peak_per_s
    cores = peak * one.cpu_s / demand.CORE_SHARE_MAX.value
    daemons = math.ceil(peak * one.daemon_s / demand.DAEMON_SHARE_MAX.value)
    hsms = peak * one.key_uses / (demand.HSM_PER_S.value * demand.HSM_SHARE_MAX.value)
    season = site.pupils * demand.SIGNATURES_A_RECORD.value
    is_school = cores < 1
    entries = one.key_uses * 2
    logs = math.ceil(peak * one.writer_s / demand.WRITER_SHARE_MAX.value)
    return Needs(
        site=site,
        cores=cores,
        daemons=daemons if is_school else daemons + 1,
        machines=1 if is_school else math.ceil(cores / demand.MACHINE_CORES.value) + 1,
        key_uses_per_s=peak * one.key_uses,
        hsms=0 if is_school else math.ceil(hsms) + 1,
        writer_share=peak * one.writer_s,
        logs=logs,
        commits_per_s=min(peak * one.commits, logs * demand.COMMITS_PER_LOG_MAX.value),
        rows_per_s=peak * (entries + _ROWS_BESIDE_ENTRIES),
        wal_bytes_per_s=peak * one.wal_bytes,
        network_bits_per_s=8 * peak * one.network_bytes,
        timestamps_per_s=peak * one.timestamps,
        season_signatures=season,
        journal_bytes=season * one.journal_bytes,
        material_bytes=season * one.material_bytes * demand.MATERIAL_DAYS_SHARE.value,
        archived_bytes=season * one.archived_bytes,
        archive_file_bytes=season * one.archive_file_bytes,
    )
