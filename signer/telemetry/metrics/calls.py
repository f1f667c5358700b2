"""RPCs, the items in them, and where an item's time goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from prometheus_client import Counter, Histogram

from signer.telemetry.metrics.labels import STAGE_SECONDS, KeyClass
from signer.telemetry.spec import Spec

_RPC_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600)


@dataclass(frozen=True)
class CallMetrics:
    """Their part of `Metrics`."""

    rpcs: Annotated[
        Counter,
        Spec(
            "signer_rpcs_total",
            "RPCs ended, by their status.",
            (
                ("method", "full name of a served RPC, `unknown` for any other"),
                ("code", "gRPC status code"),
                ("reason", "ErrorInfo reason; empty when OK"),
            ),
        ),
    ]
    rpc_duration_seconds: Annotated[
        Histogram,
        Spec(
            "signer_rpc_duration_seconds",
            "From an RPC's arrival to its status; streams from their header.",
            (("method", "as in signer_rpcs_total"),),
            _RPC_SECONDS,
        ),
    ]
    signatures: Annotated[
        Counter,
        Spec(
            "signer_signatures_total",
            "Items asked to be signed, by how they ended.",
            (
                ("profile", "pades, cades, xades, ministry-xml, digest, cades-digest"),
                ("level", "b-b, b-t, b-lt, b-lta"),
                ("outcome", "signed, repeated, parked, failed"),
            ),
        ),
    ]
    class_signatures: Annotated[
        Counter,
        Spec(
            "signer_signatures_by_class_total",
            "Signatures made, by how the key is held and what the school teaches; those of the built-in timestamp authority as well.",
            (
                ("class", ", ".join(each.value for each in KeyClass)),
                ("tier", "primary, lower-secondary, upper-secondary, other; unknown where nobody said, and of timestamps"),
            ),
        ),
    ]
    item_failures: Annotated[
        Counter,
        Spec("signer_item_failures_total", "Items that failed alone, by why.", (("reason", "ErrorInfo reason of the item"),)),
    ]
    quota_refusals: Annotated[
        Counter,
        Spec(
            "signer_quota_refusals_total",
            "Times that a client or school met the end of its quota: a lot of documents counts once, whatever its length.",
            (("subject", "client, school"), ("limit", "signatures_per_second, signatures_per_day, concurrent_rpcs")),
        ),
    ]
    stage_duration_seconds: Annotated[
        Histogram,
        Spec(
            "signer_stage_duration_seconds",
            "Time of one item in one stage: waiting for its token, in the token, in document work, at the TSA, in the journal.",
            (("stage", "queue, token, document, timestamp, journal"),),
            STAGE_SECONDS,
        ),
    ]
