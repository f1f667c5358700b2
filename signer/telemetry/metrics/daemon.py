"""The daemon itself: what it is ready for, what of it runs out, and its configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from prometheus_client import Gauge

from signer.telemetry.spec import Spec


@dataclass(frozen=True)
class DaemonMetrics:
    """Their part of `Metrics`."""

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
