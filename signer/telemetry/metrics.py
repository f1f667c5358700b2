"""Every metric the daemon exposes, as one frozen holder; docs/metrics.md is rendered from it (`python -m signer.telemetry`).

Names and units follow Prometheus' conventions (base units, `_total`). The labels' values are enums or names from the configuration: their
number is known at start.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import Enum, IntEnum
from typing import Annotated, get_args, get_type_hints

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

from signer.telemetry.spec import Spec, build

_RPC_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600)
_STAGE_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_BATCH_SECONDS = (0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)


class Stage(Enum):
    """Where one item's time goes."""

    QUEUE = "queue"
    TOKEN = "token"
    DOCUMENT = "document"
    TIMESTAMP = "timestamp"
    JOURNAL = "journal"


class Outcome(Enum):
    """How one item ended: signed now, answered from the journal, parked until its timestamp can be had, or failed."""

    SIGNED = "signed"
    REPEATED = "repeated"
    PARKED = "parked"
    FAILED = "failed"


class PreparationPath(Enum):
    """Which way a document was prepared."""

    FAST = "fast"
    COMPLETE = "complete"


class CertificateVerdict(Enum):
    """What the check of a certificate that is to sign came to."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    UNFIT = "unfit"


class KeyClass(Enum):
    """How a key that signed is held: named by the configuration, or kept for a person or an organisation, in the token or wrapped."""

    CONFIGURED = "configured"
    PERSON_TOKEN = "person-token"
    PERSON_WRAPPED = "person-wrapped"
    ORGANISATION_TOKEN = "organisation-token"
    ORGANISATION_WRAPPED = "organisation-wrapped"
    TIMESTAMP_AUTHORITY = "timestamp-authority"


class PinState(IntEnum):
    """Value of `signer_token_pin_state`."""

    READY = 0
    HELD = 1
    LOCKED = 2
    SOURCE_UNREADABLE = 3


_AGE_SECONDS = (60, 600, 3600, 6 * 3600, 86_400, 2 * 86_400, 7 * 86_400, 14 * 86_400, 31 * 86_400)
_QUEUE_STATES = "arriving, queued, running, waiting, paused, completed, cancelled, expired"
_STATUS_SOURCE = ("source", "ocsp, crl")
_TOKEN = ("token", "`[[tokens]]` name")
_TSA = ("tsa", "`[[stamping.servers]]` name")
_WORKER = (("kind", "token, document"), ("worker", "its name: `TOKEN#0`, `documents#1`, …"))


@dataclass(frozen=True, slots=True)
class Metrics:
    """The daemon's metrics; made by `on`, once a registry. Each field is a prometheus_client metric, to be used as such."""

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
            _STAGE_SECONDS,
        ),
    ]
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
    journal_commits: Annotated[
        Counter, Spec("signer_journal_commits_total", "Durable commits; entries over commits is the size of a group.")
    ]
    journal_entries: Annotated[Counter, Spec("signer_journal_entries_total", "Entries made durable.")]
    journal_commit_duration_seconds: Annotated[
        Histogram, Spec("signer_journal_commit_duration_seconds", "Of a durable commit, on the journal's thread.", (), _STAGE_SECONDS)
    ]
    checkpoint_made_seconds: Annotated[
        Gauge,
        Spec("signer_journal_checkpoint_made_timestamp_seconds", "When the journal's last checkpoint was signed (Unix time); 0: never."),
    ]
    checkpoint_entries: Annotated[Gauge, Spec("signer_journal_checkpoint_entries", "How many entries the last checkpoint covers.")]
    checkpoint_failures: Annotated[
        Counter,
        Spec("signer_journal_checkpoint_failures_total", "Checkpoints that could not be made.", (("reason", "an error's reason"),)),
    ]
    archived_entries: Annotated[
        Gauge,
        Spec(
            "signer_journal_archived_entries",
            "Entries, from the first one on, whose segments are archived; the others are in the database.",
        ),
    ]
    archive_made_seconds: Annotated[
        Gauge, Spec("signer_journal_archive_made_timestamp_seconds", "When the last segment was archived (Unix time); 0: never.")
    ]
    archive_failures: Annotated[
        Counter,
        Spec("signer_journal_archive_failures_total", "Segments that could not be archived.", (("reason", "an error's reason"),)),
    ]
    journal_size_bytes: Annotated[Gauge, Spec("signer_journal_size_bytes", "The journal's file, its write-ahead log included.")]
    journal_disk_bytes: Annotated[Gauge, Spec("signer_journal_disk_bytes", "The file system that holds the journal.")]
    journal_disk_free_bytes: Annotated[
        Gauge, Spec("signer_journal_disk_free_bytes", "What is free on it for the daemon; at 0 nothing is signed any more.")
    ]
    tsa_requests: Annotated[
        Counter,
        Spec(
            "signer_tsa_requests_total",
            "Requests to an outside time-stamping authority, by how they ended.",
            (
                _TSA,
                (
                    "outcome",
                    "granted, lied, refused, not-an-answer, http-status, throttled, timed-out, unreachable, secret-unreadable, no-time",
                ),
            ),
        ),
    ]
    tsa_lies: Annotated[
        Counter,
        Spec(
            "signer_tsa_lies_total",
            "Timestamps that did not stand up to verification and were not used; one puts its authority in quarantine.",
            (_TSA, ("check", "encoding, imprint, nonce, policy, time, certificate, binding, signature, chain")),
        ),
    ]
    tsa_request_duration_seconds: Annotated[
        Histogram,
        Spec(
            "signer_tsa_request_duration_seconds",
            "From a request's departure to its timestamp, verified; those granted alone.",
            (_TSA,),
            _STAGE_SECONDS,
        ),
    ]
    tsa_state: Annotated[
        Gauge,
        Spec("signer_tsa_state", "Whether it is asked: 0 ready, 1 left alone after failures, 2 quarantined for a lie.", (_TSA,)),
    ]
    clock_state: Annotated[
        Gauge,
        Spec(
            "signer_clock_state",
            "1 for the state that the built-in authority's clock is in, 0 for the others. It issues in trusted and unguarded.",
            (("state", "trusted, unguarded, unknown, off, contradicted, leap-second"),),
        ),
    ]
    clock_offset_seconds: Annotated[
        Gauge, Spec("signer_clock_offset_seconds", "System clock minus true time, as the time sources have it; NaN while unknown.")
    ]
    clock_error_bound_seconds: Annotated[
        Gauge,
        Spec("signer_clock_error_bound_seconds", "The most the system clock can be off now; beyond `accuracy_ms` nothing is issued."),
    ]
    clock_check_age_seconds: Annotated[
        Gauge, Spec("signer_clock_check_age_seconds", "Since the time sources last said what agreed; NaN before the first time.")
    ]
    clock_source_checks: Annotated[
        Counter,
        Spec(
            "signer_clock_source_checks_total",
            "Questions to a time source, by how they ended.",
            (
                ("source", "as in `[timestamp.clock] servers`; or chrony"),
                ("outcome", "agreed, false, undecided, silent, unreachable, unsynchronised, kiss-o-death, nonsense, left-alone"),
            ),
        ),
    ]
    authority_requests: Annotated[
        Counter,
        Spec(
            "signer_authority_requests_total",
            "Requests to the built-in authority over HTTP, by how they ended.",
            (
                (
                    "outcome",
                    "granted; a PKIFailureInfo (bad-data-format, …); a status (http-400, …); gone: the client went away",
                ),
            ),
        ),
    ]
    authority_request_duration_seconds: Annotated[
        Histogram,
        Spec(
            "signer_authority_request_duration_seconds",
            "From a request's head to its timestamp, over HTTP; those granted alone.",
            (),
            _STAGE_SECONDS,
        ),
    ]
    authority_connections: Annotated[Gauge, Spec("signer_authority_connections", "HTTP connections open to the built-in authority now.")]
    page_requests: Annotated[
        Counter,
        Spec(
            "signer_page_requests_total",
            "Requests to the page for people, by page and status.",
            (("page", "its path; other for files and what there is none of"), ("status", "200, 303, 403, …")),
        ),
    ]
    page_sessions: Annotated[Gauge, Spec("signer_page_sessions", "Browsers signed in on the page for people, or on their first visit.")]
    parked_signatures: Annotated[
        Gauge,
        Spec("signer_parked_signatures", "Signatures in the journal that wait for their timestamp, or for a repeat to reach their level."),
    ]
    parked_completed: Annotated[
        Counter, Spec("signer_parked_completed_total", "Parked signatures that got their timestamp without being asked for again.")
    ]
    evidence_records: Annotated[
        Counter,
        Spec(
            "signer_evidence_records_total",
            "Evidence records made and renewed; failed: one that a batch asked for and did not get.",
            (("outcome", "made, renewed, failed"),),
        ),
    ]
    evidence_renew_before_seconds: Annotated[
        Gauge,
        Spec(
            "signer_evidence_renew_before_timestamp_seconds",
            "When the first of all evidence records must be renewed, seconds since 1970; NaN without records.",
        ),
    ]
    extensions: Annotated[
        Counter,
        Spec(
            "signer_extensions_total",
            "Signed documents asked to be raised to a level, by how they ended.",
            (("level", "b-t, b-lt, b-lta"), ("outcome", "signed (something was added), repeated, failed")),
        ),
    ]
    revocation_questions: Annotated[
        Counter,
        Spec(
            "signer_revocation_questions_total",
            "Questions whether a certificate is revoked, to one source each, by how they ended.",
            (
                _STATUS_SOURCE,
                (
                    "outcome",
                    "good, revoked, refused (not believed), unreachable, timed-out, http-status, too-long, paused, remembered",
                ),
            ),
        ),
    ]
    revocation_refused: Annotated[
        Counter,
        Spec(
            "signer_revocation_refused_total",
            "Answers about certificates that did not stand up to verification and were not used.",
            (_STATUS_SOURCE, ("check", "encoding, refused, certificate, time, signer, signature, scope")),
        ),
    ]
    revocation_request_duration_seconds: Annotated[
        Histogram,
        Spec(
            "signer_revocation_request_duration_seconds",
            "From asking a CA to its whole answer; failed ones left out.",
            (_STATUS_SOURCE,),
            _STAGE_SECONDS,
        ),
    ]
    revocation_answer_age_seconds: Annotated[
        Histogram,
        Spec(
            "signer_revocation_answer_age_seconds",
            "Age of an answer when it is used: since its thisUpdate.",
            (_STATUS_SOURCE,),
            _AGE_SECONDS,
        ),
    ]
    revocation_remembered: Annotated[Gauge, Spec("signer_revocation_remembered", "OCSP answers and CRLs remembered now.")]
    certificate_checks: Annotated[
        Counter,
        Spec(
            "signer_certificate_checks_total",
            "Checks of certificates that are to sign: once a credential and window, and by CheckCertificate.",
            (("outcome", "good, revoked, unknown (nobody could tell), unfit (usage, or no chain)"),),
        ),
    ]
    signed_without_status: Annotated[
        Counter,
        Spec(
            "signer_signed_without_status_total",
            "Documents and digests let through though nobody could tell whether the signer's certificate is revoked.",
        ),
    ]
    factor_refusals: Annotated[
        Counter,
        Spec("signer_factor_refusals_total", "Factors that were refused, for whatever reason; many at once: somebody is guessing."),
    ]
    sad_refusals: Annotated[
        Counter,
        Spec(
            "signer_sad_refusals_total",
            "SADs that were refused when they were presented, and documents that the presented one does not cover.",
            (("reason", "as in docs/errors.md"),),
        ),
    ]
    queue_batches: Annotated[
        Gauge,
        Spec("signer_queue_batches", "Queued batches. Replicas that share a queue all tell the same.", (("state", _QUEUE_STATES),)),
    ]
    queue_oldest_age_seconds: Annotated[
        Gauge, Spec("signer_queue_oldest_age_seconds", "How long the queued batch has waited that was accepted first; 0 when none waits.")
    ]
    queue_documents_left: Annotated[Gauge, Spec("signer_queue_documents_left", "Documents of queued batches without an outcome.")]
    queue_bytes: Annotated[Gauge, Spec("signer_queue_bytes", "What queued batches take, bytes; the limit is queue.bytes_max.")]
    batches_in_progress: Annotated[Gauge, Spec("signer_batches_in_progress", "Batches open now.")]
    batch_documents_left: Annotated[
        Gauge, Spec("signer_batch_documents_left", "Documents that open batches announced or sent, and that have not ended yet.")
    ]
    batch_duration_seconds: Annotated[
        Histogram,
        Spec(
            "signer_batch_duration_seconds",
            "From a batch's header to its summary, the client's sending and reading included.",
            (("documents", "one; class: up to 50; school: up to 2,500; larger"),),
            _BATCH_SECONDS,
        ),
    ]
    ready: Annotated[Gauge, Spec("signer_ready", "1 when /readyz says so: what the daemon is for can be done now.")]
    credential_certificates: Annotated[
        Gauge,
        Spec(
            "signer_credential_certificates",
            "Certificates of credentials, by how long they are still good.",
            (("left", "ended; at most 7d, 30d, 90d; later"),),
        ),
    ]
    credential_certificate_first_end: Annotated[
        Gauge,
        Spec(
            "signer_credential_certificate_first_end_timestamp_seconds",
            "When the first certificate of a credential in use ends, seconds since 1970; days left: (it - time()) / 86400.",
        ),
    ]
    tls_certificate_not_after_seconds: Annotated[
        Gauge,
        Spec(
            "signer_tls_certificate_not_after_timestamp_seconds",
            "When a door's TLS certificate ends, seconds since 1970.",
            (("door", "grpc, timestamp, pages"),),
        ),
    ]
    client_crl_next_update_seconds: Annotated[
        Gauge,
        Spec(
            "signer_client_crl_next_update_timestamp_seconds",
            "When the first revocation list of `server.tls_client_crls` runs out, seconds since 1970; 0 without any.",
        ),
    ]
    config_reload_successful: Annotated[
        Gauge,
        Spec("signer_config_last_reload_successful", "1 when the configuration in force is the file's as last read; 0: it was refused."),
    ]
    config_reload_seconds: Annotated[
        Gauge,
        Spec("signer_config_last_reload_success_timestamp_seconds", "When the configuration in force was read, seconds since 1970."),
    ]
    event_loop_delay_seconds: Annotated[
        Gauge, Spec("signer_event_loop_delay_seconds", "How late the daemon's loop woke up when it last looked; above 0.1 it lacks CPU.")
    ]
    build_info: Annotated[Gauge, Spec("signer_build_info", "Always 1.", (("version", "of signer"), ("python", "of the interpreter")))]

    @classmethod
    def on(cls, registry: CollectorRegistry) -> Metrics:
        """A new holder whose metrics are registered on `registry`, with the process' own figures beside them."""
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        return cls(**{name: build(kind, spec, registry) for name, kind, spec in specs()})


def specs() -> Iterator[tuple[str, type, Spec]]:
    """Field name, prometheus_client class and Spec of every metric, as declared."""
    hints = get_type_hints(Metrics, include_extras=True)
    for each in fields(Metrics):
        kind, spec = get_args(hints[each.name])
        yield each.name, kind, spec
