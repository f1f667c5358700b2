"""`python -m signer.telemetry > docs/metrics.md`."""

import sys

from signer.telemetry.reference import reference

if __name__ == "__main__":
    sys.stdout.write(reference())
