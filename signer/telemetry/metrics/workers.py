"""Tokens, their PINs, and the processes that work with keys and documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from prometheus_client import Counter, Gauge

from signer.telemetry.spec import Spec

_TOKEN = ("token", "`[[tokens]]` name")
_WORKER = (("kind", "token, document"), ("worker", "its name: `TOKEN#0`, `documents#1`, …"))


@dataclass(frozen=True)
class WorkerMetrics:
    """Their part of `Metrics`."""

    token_queue_depth: Annotated[Gauge, Spec("signer_token_queue_depth", "Digests waiting for a token now.", (_TOKEN,))]
    token_queue_oldest_seconds: Annotated[
        Gauge, Spec("signer_token_queue_oldest_seconds", "Age of the digest that waits longest for a token; 0 when none waits.", (_TOKEN,))
    ]
    token_sessions: Annotated[
        Gauge,
        Spec(
            "signer_token_sessions",
            "PKCS#11 sessions of a token: open, and those of them with something to sign.",
            (_TOKEN, ("state", "open, busy")),
        ),
    ]
    token_workers: Annotated[
        Gauge,
        Spec(
            "signer_token_workers",
            "Workers of a token by state; all but ready need a look when they stay.",
            (_TOKEN, ("state", "starting, waiting, ready, healing, held, stopped")),
        ),
    ]
    worker_restarts: Annotated[
        Counter,
        Spec(
            "signer_worker_restarts_total",
            "Workers lost and started again.",
            (
                ("kind", "token, document"),
                ("name", "token's name; empty for document workers"),
                ("cause", "timed-out, exited, … or the reason it gave"),
            ),
        ),
    ]
    document_workers: Annotated[
        Gauge,
        Spec("signer_document_workers", "Document workers by state.", (("state", "as in signer_token_workers"),)),
    ]
    worker_resident_memory_bytes: Annotated[
        Gauge, Spec("signer_worker_resident_memory_bytes", "Resident memory of a worker process.", _WORKER)
    ]
    worker_cpu_seconds: Annotated[
        Counter, Spec("signer_worker_cpu_seconds_total", "CPU time of a worker's processes, user and system.", _WORKER)
    ]
    token_state: Annotated[
        Gauge,
        Spec(
            "signer_token_state",
            "1 for the state that a token is in, 0 for the others.",
            (_TOKEN, ("state", "starting, ready, healing, pin-held, pin-locked, absent, foreign, paused")),
        ),
    ]
    token_pin_count: Annotated[
        Gauge,
        Spec(
            "signer_token_pin_count",
            "1 for what the token tells of its PIN counter (CKF_USER_PIN_*), 0 for the others; all 0 while it is not known.",
            (_TOKEN, ("count", "full, count-low, final-try, locked")),
        ),
    ]
    token_pin_state: Annotated[
        Gauge,
        Spec(
            "signer_token_pin_state",
            "Whether the PIN can be used: 0 ready, 1 held until an operator acts, 2 locked by the token, 3 its source can't be read.",
            (_TOKEN,),
        ),
    ]
    documents_prepared: Annotated[
        Counter,
        Spec(
            "signer_documents_prepared_total",
            "Documents prepared for signing, by path; fallback says why the complete path was taken.",
            (("path", "fast, complete"), ("fallback", "a reason of the fast path's table; empty on the fast path")),
        ),
    ]
    xml_examined: Annotated[
        Counter,
        Spec(
            "signer_xml_documents_examined_total",
            "XML examined for signing: by its texts alone where other documents had its markup, such as a class's records, or whole.",
            (("reading", "texts, whole"),),
        ),
    ]
