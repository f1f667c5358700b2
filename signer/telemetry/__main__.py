"""`python -m signer.telemetry > docs/metrics.md`."""

import sys

from signer.telemetry.metrics import reference

if __name__ == "__main__":
    sys.stdout.write(reference())
