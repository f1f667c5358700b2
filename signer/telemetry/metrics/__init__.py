"""Every metric the daemon exposes, as one frozen holder; docs/metrics.md is rendered from it (`python -m signer.telemetry`).

Rules of the room:
- Names and units follow Prometheus' conventions (base units, `_total`).
- The labels' values are enums or names from the configuration: their number is known at start.
- One file a theme; who uses a metric takes the whole holder.
"""

from signer.telemetry.metrics.holder import Metrics, specs
from signer.telemetry.metrics.labels import CertificateVerdict, KeyClass, Outcome, PinState, PreparationPath, Reading, Stage

__all__ = ["CertificateVerdict", "KeyClass", "Metrics", "Outcome", "PinState", "PreparationPath", "Reading", "Stage", "specs"]
